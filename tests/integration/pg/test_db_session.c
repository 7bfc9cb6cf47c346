/* Sessions: looked up, joined, their prompts, rated. */
#include "session_fixture.h"

#include "conversation/base/instance.h"

static void get_of_no_session(void **state)
{
    (void)state;
    struct uuid id = uuid_random();
    struct session s;
    assert_int_equal(RUN(f, db_session_get(f, &id, &s)), ERR_SESSION_NOT_FOUND);
}

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

/* --- join --- */

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
    assert_memory_equal(&again.session, &first.session, sizeof again.session);
    assert_int_equal(first.number, 1);
    assert_int_equal(again.number, 2);

    s = an_active_session(f);
    advance(1000);
    int events = (int)direct_int(f, "SELECT count(*) FROM event_outbox");
    assert_int_equal(RUN(f, db_session_join(f, &s.id, &s.participants[0].user_id, &again)), OK);
    assert_false(again.activated);
    assert_int_equal(again.number, 2); /* counted in an active session, too */
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
    assert_int_equal(RUN(f, db_session_unjoin(f, &s.id, ana, join.number)), OK);
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
    assert_int_equal(RUN(f, db_session_unjoin(f, &s.id, &s.participants[0].user_id, 1)), OK);
    assert_stored(&s);
}

static void unjoin_spares_who_has_joined_again(void **state)
{
    (void)state;
    struct session s = a_waiting_session(f, 0);
    const struct uuid *ana = &s.participants[0].user_id, *ben = &s.participants[1].user_id;
    struct db_join join, first;
    assert_int_equal(RUN(f, db_session_join(f, &s.id, ana, &first)), OK);
    assert_int_equal(RUN(f, db_session_join(f, &s.id, ana, &join)), OK);          /* at the same moment */
    assert_int_equal(RUN(f, db_session_unjoin(f, &s.id, ana, first.number)), OK); /* late */
    assert_int_equal(RUN(f, db_session_join(f, &s.id, ben, &join)), OK);
    assert_true(join.activated);
}

/* Whoever joined this session did so at another instance, last seen then. */
static void joined_elsewhere(const struct session *s, int64_t seen_at_ms, const char *is_stopped)
{
    struct uuid other = uuid_random();
    EXEC(f,
         "UPDATE session_participants SET joined_by = '%s' WHERE session_id = '%s' AND joined_at IS NOT NULL",
         UUIDZ(&other), UUIDZ(&s->id));
    EXEC(f, "INSERT INTO instances VALUES ('%s', to_timestamp(%lld / 1000.0), %s)", UUIDZ(&other),
         (long long)seen_at_ms, is_stopped);
}

static void a_join_at_a_dead_instance_does_not_count(void **state)
{
    static const struct {
        int64_t silent_ms;
        const char *is_stopped;
        bool counts;
    } cases[] = {{14999, "false", true}, {15000, "false", false}, {0, "true", false}, {-100, "false", true}};
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct session s = a_waiting_session(f, 0);
        const struct uuid *ana = &s.participants[0].user_id, *ben = &s.participants[1].user_id;
        struct db_join join;
        assert_int_equal(RUN(f, db_session_join(f, &s.id, ana, &join)), OK);
        joined_elsewhere(&s, clock_now_ms() - cases[i].silent_ms, cases[i].is_stopped);
        assert_int_equal(RUN(f, db_session_join(f, &s.id, ben, &join)), OK);
        assert_int_equal(join.activated, cases[i].counts);
        assert_int_equal(!uuid_is_nil(&join.partner_at), cases[i].counts);
        assert_stored(&join.session);
        if (cases[i].counts)
            continue;
        assert_int_equal(join.session.participants[0].joined_at_ms, 0);
        assert_int_equal(RUN(f, db_session_join(f, &s.id, ana, &join)), OK);
        assert_true(join.activated);
    }
}

/* Its joins count from the first moment, as does what it says later. */
static void who_joins_is_alive(void **state)
{
    (void)state;
    struct session s = a_waiting_session(f, 0);
    struct db_join join;
    assert_int_equal(RUN(f, db_session_join(f, &s.id, &s.participants[0].user_id, &join)), OK);
    assert_int_equal(direct_int(f, "SELECT count(*) FROM instances WHERE NOT is_stopped"), 1);
    assert_true(uuid_is_nil(&join.partner_at)); /* nobody else has joined */
    assert_int_equal(RUN(f, db_session_join(f, &s.id, &s.participants[0].user_id, &join)), OK);
    assert_true(uuid_is_nil(&join.partner_at));
    advance(MINUTE);
    assert_int_equal(RUN(f, db_session_join(f, &s.id, &s.participants[1].user_id, &join)), OK);
    assert_true(join.activated);
}

static void signs_of_life_are_kept_for_a_day(void **state)
{
    (void)state;
    struct session s = a_waiting_session(f, 0);
    joined_elsewhere(&s, clock_now_ms(), "false");
    assert_int_equal(RUN(f, db_instance_beat(f, false)), OK);
    advance(60 * MINUTE);
    assert_int_equal(RUN(f, db_instance_beat(f, false)), OK);
    assert_int_equal(direct_int(f, "SELECT count(*) FROM instances"), 2);
    assert_int_equal(
        direct_int(f, "SELECT extract(epoch FROM max(seen_at) - min(seen_at))::int FROM instances"), 3600);
    advance(24 * 60 * MINUTE);
    assert_int_equal(RUN(f, db_instance_beat(f, true)), OK);
    assert_int_equal(direct_int(f, "SELECT count(*) FROM instances WHERE is_stopped"), 1);
    assert_int_equal(RUN(f, db_instance_beat(f, false)), OK); /* one that was on its way */
    assert_int_equal(direct_int(f, "SELECT count(*) FROM instances WHERE is_stopped"), 1);
    assert_int_equal(direct_int(f, "SELECT count(*) FROM instances"), 1);
}

static int joined_at_instance(const struct session *s, const struct uuid *instance)
{
    return (int)direct_int(
        f, "SELECT count(*) FROM session_participants WHERE session_id = '%s' AND joined_by = '%s'",
        UUIDZ(&s->id), UUIDZ(instance));
}

static void a_session_is_handed_over_but_for_who_has_joined_again(void **state)
{
    (void)state;
    struct session s = an_active_session(f);
    const struct uuid other = uuid_random();
    struct db_join join;
    assert_int_equal(RUN(f, db_session_join(f, &s.id, &s.participants[1].user_id, &join)), OK);
    struct db_hand_over h = {s.id, other, {1, join.number - 1}};
    assert_int_equal(RUN(f, db_session_hand_over(f, &h)), OK);
    assert_int_equal(joined_at_instance(&s, &other), 1);
    assert_int_equal(joined_at_instance(&s, instance_id()), 1);
    h.joins[1] = join.number;
    assert_int_equal(RUN(f, db_session_hand_over(f, &h)), OK);
    assert_int_equal(joined_at_instance(&s, &other), 2);
}

static void sessions_left_are_the_active_ones_of_the_dead(void **state)
{
    (void)state;
    struct session ours = an_active_session(f), alive = an_active_session(f), dead = an_active_session(f),
                   half = an_active_session(f);
    (void)a_waiting_session(f, 0);
    int64_t died_at_ms = clock_now_ms() + 1000;
    joined_elsewhere(&alive, died_at_ms + 1, "false");
    joined_elsewhere(&dead, died_at_ms, "false");
    joined_elsewhere(&half, died_at_ms, "true");
    struct db_join join;
    assert_int_equal(RUN(f, db_session_join(f, &half.id, &half.participants[1].user_id, &join)), OK);
    struct db_left_sessions left;
    advance(1000 + DB_INSTANCE_SILENT_MS + 19999);
    assert_int_equal(RUN(f, db_sessions_left(f, 20000, &left)), OK);
    assert_int_equal(left.count, 0);
    advance(1);
    assert_int_equal(RUN(f, db_sessions_left(f, 20000, &left)), OK);
    assert_int_equal(left.count, 1);
    assert_memory_equal(&left.items[0].session, &dead, sizeof dead);
    assert_int_equal(left.items[0].left_at_ms, died_at_ms);
    assert_int_equal(RUN(f, db_session_join(f, &dead.id, &dead.participants[0].user_id, &join)), OK);
    EXEC(f,
         "DELETE FROM instances WHERE id NOT IN (SELECT joined_by FROM session_participants"
         " WHERE session_id = '%s')",
         UUIDZ(&ours.id));
    assert_int_equal(RUN(f, db_sessions_left(f, 20000, &left)), OK);
    assert_int_equal(left.count, 1); /* of an instance that nobody remembers */
    assert_memory_equal(&left.items[0].session, &alive, sizeof alive);
    assert_int_equal(left.items[0].left_at_ms, alive.started_at_ms);
}

static void own_sessions_are_the_active_ones_joined_here(void **state)
{
    (void)state;
    struct session ours = an_active_session(f), elsewhere = an_active_session(f);
    (void)a_waiting_session(f, 0);
    joined_elsewhere(&elsewhere, clock_now_ms(), "false");
    struct db_own_sessions own;
    assert_int_equal(RUN(f, db_sessions_own(f, &own)), OK);
    assert_int_equal(own.count, 1);
    assert_true(uuid_eq(&own.items[0].id, &ours.id));
    assert_int_equal(own.items[0].joins[0], 1);
    assert_int_equal(own.items[0].joins[1], 1);
    struct db_join join;
    assert_int_equal(RUN(f, db_session_join(f, &elsewhere.id, &elsewhere.participants[1].user_id, &join)),
                     OK);
    EXEC(f, "UPDATE session_participants SET joined_by = NULL WHERE session_id = '%s'", UUIDZ(&ours.id));
    assert_int_equal(RUN(f, db_sessions_own(f, &own)), OK);
    assert_int_equal(own.count, 1);
    assert_true(uuid_eq(&own.items[0].id, &elsewhere.id));
    assert_int_equal(own.items[0].joins[0], 0);
    assert_int_equal(own.items[0].joins[1], join.number);
}

/* The statement that runs next reads the active sessions and the seats of each, and no others. */
#define assert_reads_active_sessions(call)                                                \
    do {                                                                                  \
        direct_wants_plan(f);                                                             \
        assert_int_equal(RUN(f, call), OK);                                               \
        assert_non_null(strstr(direct_plan(f), "Index Cond: (status = 'active'::text)")); \
        assert_non_null(strstr(direct_plan(f), "Index Cond: (session_id = s.id)"));       \
        assert_null(strstr(direct_plan(f), "sessions_pkey"));                             \
    } while (0)

/* When a statement is prepared there may be few sessions, most of them active. */
static void own_and_left_sessions_are_found_one_by_one(void **state)
{
    (void)state;
    struct db_own_sessions own;
    struct db_left_sessions left;
    assert_reads_active_sessions(db_sessions_left(f, 20000, &left));
    for (int i = 0; i < 20; i++)
        (void)an_active_session(f);
    assert_reads_active_sessions(db_sessions_left(f, 20000, &left));
    EXEC(f, "ANALYZE sessions, session_participants");
    assert_reads_active_sessions(db_sessions_left(f, 20000, &left));
    assert_int_equal(left.count, 0);
    assert_reads_active_sessions(db_sessions_own(f, &own));
    assert_int_equal(own.count, 20);
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
    assert_true(rated.average == 4.5 && rated.is_first);
    assert_rated_event(7, &s, 0, 5, "4.5");
    advance(1000);
    assert_int_equal(rate(&s, ben, 1, NULL, &rated), OK);
    assert_true(rated.average == 3.0 && !rated.is_first);
    assert_rated_event(8, &s, 1, 1, "3");
    assert_event_count(f, 8);
    assert_string_equal(
        direct_value(f, "SELECT string_agg(concat_ws(' ', rating, feedback), ', ' ORDER BY rating)"
                        " FROM ratings"),
        "1, 5");
}

static void a_rating_sent_again_changes_nothing(void **state)
{
    (void)state;
    struct session s = an_active_session(f);
    const struct uuid *ana = &s.participants[0].user_id;
    struct db_ended ended;
    struct db_rated rated;
    assert_int_equal(end_session(f, &s, ana, SESSION_EVENT_END, &ended), OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(rate(&s, ana, 4, "Thanks", &rated), OK);
        assert_true(rated.average == 4.0);
        assert_int_equal(rated.is_first, i == 0);
        advance(1000);
    }
    assert_event_count(f, 6);
    assert_int_equal(direct_int(f, "SELECT (extract(epoch FROM rated_at) * 1000)::bigint FROM ratings"), NOW);
    assert_int_equal(rate(&s, ana, 4, NULL, &rated), OK); /* the feedback is taken back */
    assert_false(rated.is_first);
    assert_event_count(f, 7);
    assert_int_equal(rate(&s, ana, 4, NULL, &rated), OK);
    assert_event_count(f, 7);
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
        TEST(a_join_at_a_dead_instance_does_not_count),
        TEST(who_joins_is_alive),
        TEST(signs_of_life_are_kept_for_a_day),
        TEST(a_session_is_handed_over_but_for_who_has_joined_again),
        TEST(sessions_left_are_the_active_ones_of_the_dead),
        TEST(own_sessions_are_the_active_ones_joined_here),
        TEST(own_and_left_sessions_are_found_one_by_one),
        TEST(prompts_of_the_topic_and_those_shown),
        TEST(prompts_of_a_topic_that_is_gone),
        TEST(a_prompt_is_shown_in_an_active_session_only),
        TEST(both_rate_and_one_rates_again),
        TEST(a_rating_sent_again_changes_nothing),
        TEST(who_may_not_rate),
    };
    return cmocka_run_group_tests(tests, direct_create_database, direct_drop_database);
}
