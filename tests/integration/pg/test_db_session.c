/* Sessions: joined, their prompts, ended in every way, rated, swept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conversation/base/clock.h"
#include "conversation/ports/db.h"
#include "direct.h"
#include "learners.h"

#define MINUTE INT64_C(60000)

static struct flow *f;

static int setup(void **state)
{
    (void)state;
    f = direct_open();
    direct_truncate(f);
    set_now(NOW);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    direct_close(f);
    return 0;
}

static struct session stored(const struct uuid *id)
{
    struct session s;
    assert_int_equal(RUN(f, db_session_get(f, id, &s)), OK);
    return s;
}

/* What a statement returned is what it stored. */
static void assert_stored(const struct session *s)
{
    struct session again = stored(&s->id);
    assert_memory_equal(&again, s, sizeof again);
}

static void get_of_no_session(void **state)
{
    (void)state;
    struct uuid id = uuid_random();
    struct session s;
    assert_int_equal(RUN(f, db_session_get(f, &id, &s)), ERR_SESSION_NOT_FOUND);
}

/* --- join --- */

static void get_is_planned_once(void **state)
{
    (void)state;
    struct session s = a_waiting_session(f, 0);
    for (int i = 0; i < 20; i++)
        assert_stored(&s);
    assert_int_equal(direct_int(f, "SELECT generic_plans FROM pg_prepared_statements"
                                   " WHERE name = 'session_get'"),
                     15); /* PostgreSQL tries five without */
}

static void the_second_join_activates(void **state)
{
    (void)state;
    struct session s = a_waiting_session(f, 7000);
    struct db_join join;
    advance(1000);
    assert_int_equal(RUN(f, db_session_join(f, &s.id, &s.participants[1].user_id, &join)), OK);
    assert_false(join.activated);
    assert_int_equal(join.session.status, SESSION_WAITING);
    assert_int_equal(join.session.first_joined_at_ms, NOW + 1000);
    assert_int_equal(join.session.participants[1].joined_at_ms, NOW + 1000);
    assert_int_equal(join.session.participants[0].joined_at_ms, 0);
    assert_stored(&join.session);
    assert_event_count(f, 3);

    advance(2000);
    assert_int_equal(RUN(f, db_session_join(f, &s.id, &s.participants[0].user_id, &join)), OK);
    assert_true(join.activated);
    assert_int_equal(join.session.status, SESSION_ACTIVE);
    assert_int_equal(join.session.first_joined_at_ms, NOW + 1000);
    assert_int_equal(join.session.started_at_ms, NOW + 3000);
    assert_int_equal(join.session.participants[0].joined_at_ms, NOW + 3000);
    assert_int_equal(join.session.participants[1].joined_at_ms, NOW + 1000);
    assert_stored(&join.session);
    assert_event_count(f, 4);
    assert_event(f, 4, "conversation.started", &s.participants[0].user_id,
                 "{\"sessionId\": \"%s\", \"topicCode\": \"restaurant.ordering\", \"participants\": ["
                 "{\"userId\": \"%s\", \"targetLanguageCode\": \"en\"},"
                 "{\"userId\": \"%s\", \"targetLanguageCode\": \"en\"}]}",
                 UUIDZ(&s.id), UUIDZ(&s.participants[0].user_id), UUIDZ(&s.participants[1].user_id));
}

static void joining_again_only_moves_the_time_while_waiting(void **state)
{
    (void)state;
    struct session s = a_waiting_session(f, 0);
    struct db_join first, again;
    assert_int_equal(RUN(f, db_session_join(f, &s.id, &s.participants[0].user_id, &first)), OK);
    advance(1000);
    assert_int_equal(RUN(f, db_session_join(f, &s.id, &s.participants[0].user_id, &again)), OK);
    assert_int_equal(again.session.participants[0].joined_at_ms, NOW + 1000);
    again.session.participants[0].joined_at_ms = first.session.participants[0].joined_at_ms;
    assert_memory_equal(&again, &first, sizeof again);

    s = an_active_session(f);
    advance(1000);
    int events = (int)direct_int(f, "SELECT count(*) FROM event_outbox");
    assert_int_equal(RUN(f, db_session_join(f, &s.id, &s.participants[0].user_id, &again)), OK);
    assert_false(again.activated);
    assert_memory_equal(&again.session, &s, sizeof s);
    assert_stored(&s);
    assert_event_count(f, events);
}

static void who_may_not_join(void **state)
{
    (void)state;
    struct session s = an_active_session(f);
    struct uuid other = uuid_random();
    struct db_join join;
    struct db_ended ended;
    assert_int_equal(RUN(f, db_session_join(f, &s.id, &other, &join)), ERR_SESSION_NOT_FOUND);
    assert_int_equal(RUN(f, db_session_join(f, &other, &s.participants[0].user_id, &join)),
                     ERR_SESSION_NOT_FOUND);
    assert_int_equal(end_session(f, &s, NULL, SESSION_EVENT_LIMIT, &ended), OK);
    assert_int_equal(RUN(f, db_session_join(f, &s.id, &s.participants[0].user_id, &join)), ERR_SESSION_ENDED);
    assert_int_equal(RUN(f, db_session_join(f, &s.id, &other, &join)), ERR_SESSION_NOT_FOUND);
    assert_stored(&ended.session);
}

static void unjoin_of_a_waiting_session_takes_the_join_back(void **state)
{
    (void)state;
    struct session s = a_waiting_session(f, 0);
    const struct uuid *ana = &s.participants[0].user_id, *ben = &s.participants[1].user_id;
    struct db_join join;
    assert_int_equal(RUN(f, db_session_join(f, &s.id, ana, &join)), OK);
    assert_int_equal(RUN(f, db_session_unjoin(f, &s.id, ana, NOW + 1)), OK);
    struct session after = stored(&s.id);
    assert_int_equal(after.participants[0].joined_at_ms, 0);
    assert_int_equal(after.first_joined_at_ms, NOW); /* the join window goes on */

    assert_int_equal(RUN(f, db_session_join(f, &s.id, ben, &join)), OK);
    assert_false(join.activated);
    advance(1000);
    assert_int_equal(RUN(f, db_session_join(f, &s.id, ana, &join)), OK);
    assert_true(join.activated);
}

static void unjoin_of_an_active_session_has_no_effect(void **state)
{
    (void)state;
    struct session s = an_active_session(f);
    assert_int_equal(RUN(f, db_session_unjoin(f, &s.id, &s.participants[0].user_id, clock_now_ms() + 1)), OK);
    assert_stored(&s);
}

static void unjoin_spares_who_has_joined_again(void **state)
{
    (void)state;
    struct session s = a_waiting_session(f, 0);
    const struct uuid *ana = &s.participants[0].user_id, *ben = &s.participants[1].user_id;
    struct db_join join;
    assert_int_equal(RUN(f, db_session_join(f, &s.id, ana, &join)), OK);
    advance(2000);
    assert_int_equal(RUN(f, db_session_join(f, &s.id, ana, &join)), OK);
    assert_int_equal(RUN(f, db_session_unjoin(f, &s.id, ana, NOW + 1000)),
                     OK); /* of the first socket, late */
    assert_int_equal(RUN(f, db_session_join(f, &s.id, ben, &join)), OK);
    assert_true(join.activated);
}

static void a_join_from_before_this_process_does_not_count(void **state)
{
    (void)state;
    struct session s = a_waiting_session(f, 0), active = an_active_session(f);
    const struct uuid *ana = &s.participants[0].user_id, *ben = &s.participants[1].user_id;
    struct db_join join;
    assert_int_equal(RUN(f, db_session_join(f, &s.id, ana, &join)), OK);
    advance(MINUTE);
    direct_set_started(clock_now_ms());
    assert_int_equal(RUN(f, db_session_join(f, &s.id, ben, &join)), OK);
    assert_false(join.activated);
    assert_int_equal(join.session.participants[0].joined_at_ms, 0);
    assert_stored(&join.session);
    assert_int_equal(RUN(f, db_session_join(f, &s.id, ana, &join)), OK);
    assert_true(join.activated);
    assert_int_equal(RUN(f, db_session_join(f, &active.id, &active.participants[0].user_id, &join)), OK);
    assert_stored(&active);
    direct_set_started(0);
}

static void sessions_left_are_the_active_ones_from_before(void **state)
{
    (void)state;
    struct session active = an_active_session(f);
    (void)a_waiting_session(f, 0);
    struct db_sessions left;
    assert_int_equal(RUN(f, db_sessions_left(f, &left)), OK);
    assert_int_equal(left.count, 0);
    advance(1000);
    direct_set_started(clock_now_ms());
    (void)an_active_session(f);
    assert_int_equal(RUN(f, db_sessions_left(f, &left)), OK);
    assert_int_equal(left.count, 1);
    assert_memory_equal(&left.items[0], &active, sizeof active);
    direct_set_started(0);
}

/* --- end --- */

struct from {
    enum session_status status;
    int64_t active_ms;
};

static struct session session_from(struct from from)
{
    struct session s = from.status == SESSION_ACTIVE ? an_active_session(f) : a_waiting_session(f, 0);
    advance(from.active_ms);
    return s;
}

static void assert_completed_event(const struct session *s)
{
    const char *member =
        "{\"userId\": \"%s\", \"targetLanguageCode\": \"en\", \"spokenSeconds\": %d, \"turnCount\": %d}";
    char members[2][256];
    for (int i = 0; i < 2; i++) {
        const struct participant *p = &s->participants[i];
        snprintf(members[i], sizeof members[i], member, UUIDZ(&p->user_id), p->spoken_seconds, p->turn_count);
    }
    assert_event(f, 5, "conversation.completed", &s->participants[0].user_id,
                 "{\"sessionId\": \"%s\", \"participants\": [%s, %s], \"durationSeconds\": %d,"
                 " \"topicCode\": \"restaurant.ordering\"}",
                 UUIDZ(&s->id), members[0], members[1], s->duration_seconds);
}

static void assert_aborted_event(const struct session *s)
{
    assert_event(f, 5, "conversation.aborted", &s->participants[0].user_id,
                 "{\"sessionId\": \"%s\", \"participants\": [{\"userId\": \"%s\","
                 "    \"targetLanguageCode\": \"en\"},"
                 " {\"userId\": \"%s\", \"targetLanguageCode\": \"en\"}], \"durationSeconds\": %d,"
                 " \"topicCode\": \"restaurant.ordering\", \"endReason\": \"%s\"}",
                 UUIDZ(&s->id), UUIDZ(&s->participants[0].user_id), UUIDZ(&s->participants[1].user_id),
                 s->duration_seconds, session_end_reason_names[s->end_reason]);
}

static void assert_ending_event(const struct session *s)
{
    if (s->status == SESSION_COMPLETED)
        assert_completed_event(s);
    else if (s->status == SESSION_ABORTED)
        assert_aborted_event(s);
    else
        assert_event_count(f, 3); /* what never began leaves no event */
}

static void assert_ends_as_the_rules_say(struct from from, enum session_event event)
{
    direct_truncate(f);
    set_now(NOW);
    struct session before = session_from(from);
    struct session_ending expected;
    struct db_ended ended;
    enum err err = end_session(f, &before, &before.participants[1].user_id, event, &ended);
    if (!session_ending_of(from.status, event, from.active_ms, &expected)) {
        assert_int_equal(err, ERR_CONFLICT);
        assert_stored(&before);
        return;
    }
    assert_int_equal(err, OK);
    assert_true(ended.changed);
    struct session s = ended.session;
    assert_int_equal(s.status, expected.status);
    assert_int_equal(s.end_reason, expected.reason);
    assert_int_equal(s.ended_at_ms, NOW + from.active_ms);
    assert_int_equal(s.duration_seconds, from.status == SESSION_ACTIVE ? from.active_ms / 1000 : 0);
    assert_int_equal(s.participants[0].left_at_ms, s.ended_at_ms);
    assert_int_equal(s.participants[1].left_at_ms, s.ended_at_ms);
    assert_int_equal(direct_int(f, "SELECT count(*) FROM session_participants WHERE is_live"), 0);
    assert_stored(&s);
    assert_ending_event(&s);
}

static void every_event_ends_a_session_as_the_rules_say(void **state)
{
    (void)state;
    static const struct from froms[] = {
        {SESSION_WAITING, 0},    {SESSION_WAITING, 61000}, {SESSION_ACTIVE, 0},
        {SESSION_ACTIVE, 1},     {SESSION_ACTIVE, 59999},  {SESSION_ACTIVE, 60000},
        {SESSION_ACTIVE, 60001}, {SESSION_ACTIVE, 899999}, {SESSION_ACTIVE, 3600000}};
    for (size_t i = 0; i < sizeof froms / sizeof *froms; i++)
        for (enum session_event e = 0; e < SESSION_EVENT_COUNT; e++)
            assert_ends_as_the_rules_say(froms[i], e);
}

/* The rules once more, written out, so that a change of either side shows. */
static void the_named_endings(void **state)
{
    (void)state;
    static const struct {
        struct from from;
        enum session_event event;
        const char *ending;
    } rows[] = {
        {{SESSION_ACTIVE, 1000}, SESSION_EVENT_END, "completed completed"},
        {{SESSION_ACTIVE, 60000}, SESSION_EVENT_LEAVE, "completed left"},
        {{SESSION_ACTIVE, 59999}, SESSION_EVENT_LEAVE, "aborted left"},
        {{SESSION_ACTIVE, 60000}, SESSION_EVENT_DROP, "completed dropped"},
        {{SESSION_ACTIVE, 59999}, SESSION_EVENT_DROP, "aborted dropped"},
        {{SESSION_ACTIVE, 900000}, SESSION_EVENT_LIMIT, "completed timeout"},
        {{SESSION_ACTIVE, 60000}, SESSION_EVENT_REPORT, "completed reported"},
        {{SESSION_WAITING, 0}, SESSION_EVENT_END, "cancelled left"},
        {{SESSION_WAITING, 0}, SESSION_EVENT_LEAVE, "cancelled left"},
        {{SESSION_WAITING, 0}, SESSION_EVENT_REPORT, "cancelled reported"},
        {{SESSION_WAITING, 60000}, SESSION_EVENT_NO_SHOW, "expired no_show"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct session s = session_from(rows[i].from);
        struct db_ended ended;
        assert_int_equal(end_session(f, &s, NULL, rows[i].event, &ended), OK);
        assert_string_equal(
            direct_value(f, "SELECT status || ' ' || end_reason FROM sessions WHERE id = '%s'", UUIDZ(&s.id)),
            rows[i].ending);
    }
}

static void ending_again_changes_nothing(void **state)
{
    (void)state;
    struct session s = an_active_session(f);
    struct db_ended first, again;
    advance(2 * MINUTE);
    assert_int_equal(end_session(f, &s, &s.participants[0].user_id, SESSION_EVENT_END, &first), OK);
    advance(MINUTE);
    for (enum session_event e = 0; e < SESSION_EVENT_COUNT; e++) {
        assert_int_equal(end_session(f, &s, &s.participants[1].user_id, e, &again), OK);
        assert_false(again.changed);
        assert_memory_equal(&again.session, &first.session, sizeof again.session);
    }
    assert_stored(&first.session);
    assert_event_count(f, 5);
}

static void an_ending_counts_from_when_it_happened(void **state)
{
    (void)state;
    struct session s = an_active_session(f);
    struct db_session_ending drop = {.id = s.id, .event = SESSION_EVENT_DROP, .at_ms = NOW + 50000};
    struct db_ended ended;
    advance(70000); /* the grace is over */
    assert_int_equal(RUN(f, db_session_end(f, &drop, &ended)), OK);
    assert_true(ended.session.status == SESSION_ABORTED && ended.session.end_reason == END_DROPPED);
    assert_int_equal(ended.session.ended_at_ms, NOW + 50000);
    assert_int_equal(ended.session.duration_seconds, 50);
    assert_stored(&ended.session);
}

static void who_may_not_end(void **state)
{
    (void)state;
    struct session s = an_active_session(f), no_session = {.id = uuid_random()};
    struct uuid other = uuid_random();
    struct db_ended ended;
    assert_int_equal(end_session(f, &s, &other, SESSION_EVENT_END, &ended), ERR_SESSION_NOT_FOUND);
    assert_int_equal(end_session(f, &no_session, NULL, SESSION_EVENT_END, &ended), ERR_SESSION_NOT_FOUND);
    assert_stored(&s);
}

static void the_event_carries_speech_and_recording(void **state)
{
    (void)state;
    struct session s = an_active_session(f);
    EXEC(f,
         "UPDATE session_participants SET spoken_seconds = 450 - 50 * position, turn_count = 12 + position");
    EXEC(f, "UPDATE sessions SET recording_url = 's3://recordings/x.webm'");
    struct db_ended ended;
    advance(15 * MINUTE);
    assert_int_equal(end_session(f, &s, NULL, SESSION_EVENT_LIMIT, &ended), OK);
    assert_event(f, 5, "conversation.completed", &s.participants[0].user_id,
                 "{\"sessionId\": \"%s\", \"participants\": ["
                 "{\"userId\": \"%s\", \"targetLanguageCode\": \"en\", \"spokenSeconds\": 450,"
                 "    \"turnCount\": 12},"
                 "{\"userId\": \"%s\", \"targetLanguageCode\": \"en\", \"spokenSeconds\": 400,"
                 "    \"turnCount\": 13}],"
                 " \"durationSeconds\": 900, \"topicCode\": \"restaurant.ordering\","
                 " \"recordingUrl\": \"s3://recordings/x.webm\"}",
                 UUIDZ(&s.id), UUIDZ(&s.participants[0].user_id), UUIDZ(&s.participants[1].user_id));
}

/* --- prompts --- */

static void prompts_of_the_topic_and_those_shown(void **state)
{
    (void)state;
    struct session s = an_active_session(f);
    struct db_session_prompts p;
    assert_int_equal(RUN(f, db_session_prompts(f, &s, &p)), OK);
    assert_string_equal(p.topic_name_key, "topic.restaurant.ordering.name");
    assert_int_equal(p.prompt_count, 6);
    assert_int_equal(p.prompts[0].type, PROMPT_ICEBREAKER);
    assert_int_equal(p.shown_count, 0);

    const int shown[] = {0, 4, 1, 4};
    for (int i = 0; i < 4; i++, advance(1000))
        assert_int_equal(RUN(f, db_session_prompt_shown(f, &s.id, &p.prompts[shown[i]], clock_now_ms())), OK);
    struct db_session_prompts again;
    assert_int_equal(RUN(f, db_session_prompts(f, &s, &again)), OK);
    assert_int_equal(again.shown_count, 4);
    for (int i = 0; i < 4; i++)
        assert_string_equal(again.shown[i].key, p.prompts[shown[i]].key);
    assert_int_equal(again.shown[0].displayed_at_ms, NOW);
    assert_int_equal(again.shown[3].displayed_at_ms, NOW + 3000);
    assert_string_equal(direct_value(f, "SELECT string_agg(category, ' ' ORDER BY id) FROM session_prompts"),
                        "icebreaker follow_up main_topic follow_up");
}

static void prompts_of_a_topic_that_is_gone(void **state)
{
    (void)state;
    struct session s = an_active_session(f);
    struct db_session_prompts p;
    snprintf(s.topic_code, sizeof s.topic_code, "no_such");
    assert_int_equal(RUN(f, db_session_prompts(f, &s, &p)), OK);
    assert_null(p.topic_name_key);
    assert_true(p.prompt_count == 0 && p.shown_count == 0);
}

static void a_prompt_is_shown_in_an_active_session_only(void **state)
{
    (void)state;
    struct topic_prompt prompt = {.key = "prompt.x.main.1", .type = PROMPT_MAIN};
    struct session s = a_waiting_session(f, 0);
    assert_int_equal(RUN(f, db_session_prompt_shown(f, &s.id, &prompt, clock_now_ms())), ERR_CONFLICT);
    struct db_ended ended;
    s = an_active_session(f);
    assert_int_equal(end_session(f, &s, NULL, SESSION_EVENT_LIMIT, &ended), OK);
    assert_int_equal(RUN(f, db_session_prompt_shown(f, &s.id, &prompt, clock_now_ms())), ERR_CONFLICT);
    assert_int_equal(direct_int(f, "SELECT count(*) FROM session_prompts"), 0);
}

/* --- rating --- */

static enum err rate(const struct session *s, const struct uuid *by, int rating, const char *feedback,
                     struct db_rated *out)
{
    struct db_rating r = {
        .session_id = s->id, .user_id = *by, .rating = rating, .feedback = str_of(feedback)};
    return RUN(f, db_session_rate(f, &r, out));
}

static void assert_rated_event(int nth, const struct session *s, int who, int rating, const char *average)
{
    assert_event(f, nth, "conversation.rated", &s->participants[0].user_id,
                 "{\"sessionId\": \"%s\", \"userId\": \"%s\", \"rating\": %d, \"averageRating\": %s,"
                 " \"topicCode\": \"restaurant.ordering\"}",
                 UUIDZ(&s->id), UUIDZ(&s->participants[who].user_id), rating, average);
}

static void both_rate_and_one_rates_again(void **state)
{
    (void)state;
    struct session s = an_active_session(f);
    const struct uuid *ana = &s.participants[0].user_id, *ben = &s.participants[1].user_id;
    struct db_ended ended;
    struct db_rated rated;
    assert_int_equal(end_session(f, &s, ana, SESSION_EVENT_END, &ended), OK);
    assert_int_equal(rate(&s, ben, 4, "très bien ☕", &rated), OK);
    assert_true(rated.average == 4.0);
    assert_string_equal(rated.topic_code, "restaurant.ordering");
    assert_rated_event(6, &s, 1, 4, "4");
    assert_int_equal(rate(&s, ana, 5, NULL, &rated), OK);
    assert_true(rated.average == 4.5);
    assert_rated_event(7, &s, 0, 5, "4.5");
    advance(1000);
    assert_int_equal(rate(&s, ben, 1, NULL, &rated), OK);
    assert_true(rated.average == 3.0);
    assert_rated_event(8, &s, 1, 1, "3");
    assert_event_count(f, 8);
    assert_string_equal(
        direct_value(f, "SELECT string_agg(concat_ws(' ', rating, feedback), ', ' ORDER BY rating)"
                        " FROM ratings"),
        "1, 5");
}

static void who_may_not_rate(void **state)
{
    (void)state;
    struct session s = an_active_session(f), no_session = {.id = uuid_random()};
    struct uuid other = uuid_random();
    struct db_rated rated;
    assert_int_equal(rate(&s, &s.participants[0].user_id, 5, NULL, &rated), ERR_SESSION_NOT_ENDED);
    assert_int_equal(rate(&s, &other, 5, NULL, &rated), ERR_SESSION_NOT_FOUND);
    assert_int_equal(rate(&no_session, &other, 5, NULL, &rated), ERR_SESSION_NOT_FOUND);
    assert_event_count(f, 4);
}

/* --- sweep --- */

static const struct db_sweep_query sweep_query = {
    .slack_ms = 30000, .join_window_ms = 60000, .abandoned_ms = 5 * MINUTE};

static struct db_swept sweep(void)
{
    struct db_swept swept;
    assert_int_equal(RUN(f, db_sessions_sweep(f, &sweep_query, &swept)), OK);
    return swept;
}

static void the_sweep_leaves_what_is_in_time(void **state)
{
    (void)state;
    struct session active = an_active_session(f), unjoined = a_waiting_session(f, 0),
                   joined = a_waiting_session(f, 0);
    struct db_join join;
    assert_int_equal(sweep().ended_count, 0);
    advance(5 * MINUTE - 1);
    assert_int_equal(RUN(f, db_session_join(f, &joined.id, &joined.participants[0].user_id, &join)), OK);
    struct db_swept swept = sweep();
    assert_true(swept.ended_count == 0 && swept.deleted == 0);
    advance(60000 + 30000 - 1);
    swept = sweep();
    assert_true(swept.ended_count == 0 && swept.deleted == 1);
    struct session s;
    assert_int_equal(RUN(f, db_session_get(f, &unjoined.id, &s)), ERR_SESSION_NOT_FOUND);
    assert_int_equal(direct_int(f, "SELECT count(*) FROM session_participants WHERE session_id = '%s'",
                                UUIDZ(&unjoined.id)),
                     0);
    set_now(NOW + 15 * MINUTE + 30000 - 1);
    swept = sweep();
    assert_int_equal(swept.ended_count, 1); /* the one that was joined once */
    assert_stored(&active);
}

static void the_sweep_ends_what_is_overdue(void **state)
{
    (void)state;
    struct session active = an_active_session(f), waiting = a_waiting_session(f, 0);
    struct db_join join;
    assert_int_equal(RUN(f, db_session_join(f, &waiting.id, &waiting.participants[1].user_id, &join)), OK);
    advance(20 * MINUTE);
    struct db_swept swept = sweep();
    assert_true(swept.ended_count == 2 && swept.deleted == 0);
    bool active_is_first = uuid_eq(&swept.ended[0].id, &active.id);
    const struct session *a = &swept.ended[!active_is_first], *w = &swept.ended[active_is_first];
    assert_true(a->status == SESSION_COMPLETED && a->end_reason == END_TIMEOUT);
    assert_int_equal(a->duration_seconds, 900); /* its limit, not the 20 minutes until the sweep */
    assert_int_equal(a->ended_at_ms, NOW + 20 * MINUTE);
    assert_int_equal(a->participants[1].left_at_ms, NOW + 20 * MINUTE);
    assert_stored(a);
    assert_true(w->status == SESSION_EXPIRED && w->end_reason == END_NO_SHOW && w->duration_seconds == 0);
    assert_stored(w);
    assert_event_count(f, 8); /* of each: two requested, one matched; of the active one: started, completed */
    swept = sweep();
    assert_true(swept.ended_count == 0 && swept.deleted == 0);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(get_of_no_session),
        TEST(get_is_planned_once),
        TEST(the_second_join_activates),
        TEST(joining_again_only_moves_the_time_while_waiting),
        TEST(who_may_not_join),
        TEST(unjoin_of_a_waiting_session_takes_the_join_back),
        TEST(unjoin_of_an_active_session_has_no_effect),
        TEST(unjoin_spares_who_has_joined_again),
        TEST(a_join_from_before_this_process_does_not_count),
        TEST(sessions_left_are_the_active_ones_from_before),
        TEST(every_event_ends_a_session_as_the_rules_say),
        TEST(the_named_endings),
        TEST(ending_again_changes_nothing),
        TEST(an_ending_counts_from_when_it_happened),
        TEST(who_may_not_end),
        TEST(the_event_carries_speech_and_recording),
        TEST(prompts_of_the_topic_and_those_shown),
        TEST(prompts_of_a_topic_that_is_gone),
        TEST(a_prompt_is_shown_in_an_active_session_only),
        TEST(both_rate_and_one_rates_again),
        TEST(who_may_not_rate),
        TEST(the_sweep_leaves_what_is_in_time),
        TEST(the_sweep_ends_what_is_overdue),
    };
    return cmocka_run_group_tests(tests, direct_create_database, direct_drop_database);
}
