/* Speech, carried while a session runs and stored with its end. */
#include "conversation/ports/db_speech.h"
#include "session_fixture.h"

static void carry(const struct session *s, struct speech_total first, struct speech_total second)
{
    struct db_speech item = {.session_id = s->id, .totals = {first, second}};
    assert_int_equal(RUN(f, db_speech_carry(f, &item, 1)), OK);
}

static void assert_speech(const struct session *s, int who, int seconds, int turns)
{
    struct session is = stored(&s->id);
    assert_int_equal(is.participants[who].spoken_seconds, seconds);
    assert_int_equal(is.participants[who].turn_count, turns);
}

static struct db_ended ended_with(const struct session *s, struct speech_total first,
                                  struct speech_total second)
{
    struct db_session_ending ending = {.id = s->id, .event = SESSION_EVENT_END, .speech = {first, second}};
    struct db_ended ended;
    assert_int_equal(RUN(f, db_session_end(f, &ending, &ended)), OK);
    assert_stored(&ended.session);
    return ended;
}

static void it_is_carried(void **state)
{
    (void)state;
    struct session s = an_active_session(f), other = an_active_session(f);
    carry(&s, (struct speech_total){10, 2}, (struct speech_total){20, 3});
    assert_speech(&s, 0, 10, 2);
    assert_speech(&s, 1, 20, 3);
    assert_speech(&other, 0, 0, 0);
}

static void of_each_number_the_larger_stays(void **state)
{
    (void)state;
    struct session s = an_active_session(f);
    carry(&s, (struct speech_total){10, 2}, (struct speech_total){20, 3});
    carry(&s, (struct speech_total){9, 3}, (struct speech_total){21, 1}); /* as another instance heard it */
    assert_speech(&s, 0, 10, 3);
    assert_speech(&s, 1, 21, 3);
}

static void many_at_once(void **state)
{
    (void)state;
    struct session sessions[3];
    struct db_speech items[4];
    for (int i = 0; i < 3; i++) {
        sessions[i] = an_active_session(f);
        items[i] = (struct db_speech){sessions[i].id, {{i + 1, 1}, {i + 2, 2}}};
    }
    items[3] = (struct db_speech){uuid_random(), {{1, 1}, {1, 1}}}; /* deleted meanwhile */
    assert_int_equal(RUN(f, db_speech_carry(f, items, 4)), OK);
    for (int i = 0; i < 3; i++) {
        assert_speech(&sessions[i], 0, i + 1, 1);
        assert_speech(&sessions[i], 1, i + 2, 2);
    }
}

static void what_is_over_stays_as_it_is(void **state)
{
    (void)state;
    struct session s = an_active_session(f);
    advance(MINUTE);
    ended_with(&s, (struct speech_total){5, 1}, (struct speech_total){6, 1});
    carry(&s, (struct speech_total){30, 9}, (struct speech_total){30, 9});
    assert_speech(&s, 0, 5, 1);
    assert_speech(&s, 1, 6, 1);
}

static void who_is_being_changed_is_passed_by(void **state)
{
    (void)state;
    struct session s = an_active_session(f), other = an_active_session(f);
    struct flow *holder = direct_open();
    EXEC(holder, "BEGIN");
    EXEC(holder, "SELECT 1 FROM session_participants WHERE session_id = '%s' AND position = 0 FOR UPDATE",
         UUIDZ(&s.id));
    const struct db_speech items[] = {{s.id, {{7, 1}, {8, 1}}}, {other.id, {{9, 1}, {1, 1}}}};
    assert_int_equal(RUN(f, db_speech_carry(f, items, 2)), OK); /* waits for nobody */
    EXEC(holder, "ROLLBACK");
    direct_close(holder);
    assert_speech(&s, 0, 0, 0);
    assert_speech(&s, 1, 8, 1);
    assert_speech(&other, 0, 9, 1);
}

static void the_end_stores_it_and_tells_it(void **state)
{
    (void)state;
    struct session s = an_active_session(f);
    advance(15 * MINUTE);
    ended_with(&s, (struct speech_total){450, 12}, (struct speech_total){380, 11});
    assert_event(f, 5, "conversation.completed", &s.participants[0].user_id,
                 "{\"sessionId\": \"%s\", \"participants\": ["
                 "{\"userId\": \"%s\", \"targetLanguageCode\": \"en\", \"spokenSeconds\": 450,"
                 "    \"turnCount\": 12},"
                 "{\"userId\": \"%s\", \"targetLanguageCode\": \"en\", \"spokenSeconds\": 380,"
                 "    \"turnCount\": 11}],"
                 " \"durationSeconds\": 900, \"topicCode\": \"restaurant.ordering\"}",
                 UUIDZ(&s.id), UUIDZ(&s.participants[0].user_id), UUIDZ(&s.participants[1].user_id));
}

static void the_end_forgets_nothing_that_was_carried(void **state)
{
    (void)state;
    struct session s = an_active_session(f);
    carry(&s, (struct speech_total){100, 7}, (struct speech_total){50, 2});
    advance(5 * MINUTE);
    ended_with(&s, (struct speech_total){0, 0}, (struct speech_total){60, 1}); /* elsewhere less is known */
    assert_speech(&s, 0, 100, 7);
    assert_speech(&s, 1, 60, 2);
}

static void nobody_speaks_longer_than_the_session(void **state)
{
    (void)state;
    struct session s = an_active_session(f);
    carry(&s, (struct speech_total){70, 1}, (struct speech_total){3, 1});
    advance(MINUTE);
    ended_with(&s, (struct speech_total){0, 0}, (struct speech_total){61, 2});
    assert_speech(&s, 0, 60, 1);
    assert_speech(&s, 1, 60, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_is_carried),
        TEST(of_each_number_the_larger_stays),
        TEST(many_at_once),
        TEST(what_is_over_stays_as_it_is),
        TEST(who_is_being_changed_is_passed_by),
        TEST(the_end_stores_it_and_tells_it),
        TEST(the_end_forgets_nothing_that_was_carried),
        TEST(nobody_speaks_longer_than_the_session),
    };
    return cmocka_run_group_tests(tests, direct_create_database, direct_drop_database);
}
