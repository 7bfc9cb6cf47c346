/* Sessions that end: by an event, by name, by the sweep. */
#include "session_fixture.h"

#include "conversation/base/instance.h"

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
    struct db_session_ending drop = {
        .id = s.id, .event = SESSION_EVENT_DROP, .at_ms = NOW + 50000, .join = 1};
    struct db_ended ended;
    advance(70000); /* the grace is over */
    assert_int_equal(RUN(f, db_session_end(f, &drop, &ended)), OK);
    assert_true(ended.session.status == SESSION_ABORTED && ended.session.end_reason == END_DROPPED);
    assert_int_equal(ended.session.ended_at_ms, NOW + 50000);
    assert_int_equal(ended.session.duration_seconds, 50);
    assert_stored(&ended.session);
}

/* The second one has joined at another instance since. */
static void a_drop_of_who_has_come_back_elsewhere_ends_nothing(void **state)
{
    static const struct {
        int64_t silent_ms;
        const char *is_stopped;
        int join;
        bool is_by_nobody, ends;
    } cases[] = {{0, "false", 1, false, false},
                 {0, "false", 0, true, false},
                 {0, "false", 2, false, true},
                 {0, "true", 1, false, true},
                 {15000, "false", 1, false, true}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct session s = an_active_session(f);
        struct uuid there = uuid_random();
        EXEC(f, "UPDATE session_participants SET joins = 0 WHERE session_id = '%s'", UUIDZ(&s.id));
        EXEC(f,
             "UPDATE session_participants SET joined_by = '%s', joins = 2 WHERE session_id = '%s' AND "
             "position = 1",
             UUIDZ(&there), UUIDZ(&s.id));
        EXEC(f, "INSERT INTO instances VALUES ('%s', to_timestamp(%lld / 1000.0), %s)", UUIDZ(&there),
             (long long)(clock_now_ms() - cases[i].silent_ms), cases[i].is_stopped);
        struct db_session_ending drop = {.id = s.id, .event = SESSION_EVENT_DROP, .join = cases[i].join};
        if (!cases[i].is_by_nobody)
            drop.by = s.participants[1].user_id;
        struct db_ended ended;
        assert_int_equal(RUN(f, db_session_end(f, &drop, &ended)), OK);
        assert_int_equal(ended.changed, cases[i].ends);
        assert_int_equal(session_is_over(&ended.session), cases[i].ends);
        assert_int_equal(uuid_is_nil(&ended.back_at), cases[i].ends);
        if (!cases[i].ends) {
            assert_true(uuid_eq(&ended.back_at, &there));
            assert_int_equal(ended.back_join, 2);
        }
        assert_stored(&ended.session);
        drop.by = s.participants[0].user_id; /* of the other one that says nothing */
        assert_int_equal(RUN(f, db_session_end(f, &drop, &ended)), OK);
        assert_true(session_is_over(&ended.session));
    }
}

/* At this instance, which has not been able to say that it is alive. */
static void nor_does_one_of_who_has_come_back_here(void **state)
{
    (void)state;
    struct session s = an_active_session(f);
    struct db_join join;
    EXEC(f, "UPDATE instances SET seen_at = seen_at - interval '1 hour'");
    assert_int_equal(RUN(f, db_session_join(f, &s.id, &s.participants[1].user_id, &join)), OK);
    struct db_session_ending drop = {
        .id = s.id, .by = s.participants[1].user_id, .event = SESSION_EVENT_DROP, .join = join.number - 1};
    struct db_ended ended;
    assert_int_equal(RUN(f, db_session_end(f, &drop, &ended)), OK);
    assert_false(session_is_over(&ended.session));
    assert_true(uuid_eq(&ended.back_at, instance_id()));
    assert_int_equal(ended.back_join, join.number);
    drop.join = join.number;
    assert_int_equal(RUN(f, db_session_end(f, &drop, &ended)), OK);
    assert_true(session_is_over(&ended.session));
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

/* --- sweep --- */

static void the_sweep_leaves_what_is_in_time(void **state)
{
    (void)state;
    struct session active = an_active_session(f), unjoined = a_waiting_session(f, 0),
                   joined = a_waiting_session(f, 0);
    struct db_join join;
    assert_int_equal(sweep(f, 30000).ended_count, 0);
    advance(5 * MINUTE - 1);
    assert_int_equal(RUN(f, db_session_join(f, &joined.id, &joined.participants[0].user_id, &join)), OK);
    struct db_swept swept = sweep(f, 30000);
    assert_int_equal(swept.ended_count, 0);
    assert_int_equal(delete_abandoned(f), 0);
    advance(60000 + 30000 - 1);
    swept = sweep(f, 30000);
    assert_int_equal(swept.ended_count, 0);
    assert_int_equal(delete_abandoned(f), 1);
    struct session s;
    assert_int_equal(RUN(f, db_session_get(f, &unjoined.id, &s)), ERR_SESSION_NOT_FOUND);
    assert_int_equal(direct_int(f, "SELECT count(*) FROM session_participants WHERE session_id = '%s'",
                                UUIDZ(&unjoined.id)),
                     0);
    set_now(NOW + 15 * MINUTE + 30000 - 1);
    swept = sweep(f, 30000);
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
    struct db_swept swept = sweep(f, 30000);
    assert_int_equal(swept.ended_count, 2);
    bool active_is_first = uuid_eq(&swept.ended[0].session.id, &active.id);
    const struct session *a = &swept.ended[!active_is_first].session,
                         *w = &swept.ended[active_is_first].session;
    assert_true(a->status == SESSION_COMPLETED && a->end_reason == END_TIMEOUT);
    assert_int_equal(a->duration_seconds, 900); /* its limit, not the 20 minutes until the sweep */
    assert_int_equal(a->ended_at_ms, NOW + 20 * MINUTE);
    assert_int_equal(a->participants[1].left_at_ms, NOW + 20 * MINUTE);
    assert_stored(a);
    assert_true(w->status == SESSION_EXPIRED && w->end_reason == END_NO_SHOW && w->duration_seconds == 0);
    assert_stored(w);
    /* of each: two requested, one matched; of the active one: started, completed; requested again */
    assert_event_count(f, 9);
    swept = sweep(f, 30000);
    assert_int_equal(swept.ended_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_event_ends_a_session_as_the_rules_say),
        TEST(the_named_endings),
        TEST(ending_again_changes_nothing),
        TEST(an_ending_counts_from_when_it_happened),
        TEST(a_drop_of_who_has_come_back_elsewhere_ends_nothing),
        TEST(nor_does_one_of_who_has_come_back_here),
        TEST(who_may_not_end),
        TEST(the_event_carries_speech_and_recording),
        TEST(the_sweep_leaves_what_is_in_time),
        TEST(the_sweep_ends_what_is_overdue),
    };
    return cmocka_run_group_tests(tests, direct_create_database, direct_drop_database);
}
