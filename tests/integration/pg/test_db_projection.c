/* What is learnt from other services' events, and how popular topics are. */
#include "conversation/ports/db_projection.h"
#include "statement_fixture.h"

/* --- skills --- */

static enum err store_skill(const struct uuid *user, const char *code, int64_t at_ms)
{
    struct db_skill skill = {
        .user_id = *user, .skill_id = uuid_random(), .code = code, .acquired_at_ms = at_ms};
    return RUN(f, db_skill_store(f, &skill));
}

static bool is_among(const struct db_unlocked *unlocked, const char *code)
{
    for (size_t i = 0; i < unlocked->count; i++)
        if (strcmp(unlocked->codes[i], code) == 0)
            return true;
    return false;
}

static struct db_unlocked unlocked_of(const struct uuid *user)
{
    struct db_unlocked unlocked;
    assert_int_equal(RUN(f, db_unlocked_topics(f, user, &unlocked)), OK);
    return unlocked;
}

static void a_skill_is_stored_once(void **state)
{
    (void)state;
    struct uuid me = uuid_random();
    assert_int_equal(store_skill(&me, "idioms.en", NOW), OK);
    assert_int_equal(store_skill(&me, "idioms.en", NOW + 1000), OK);
    assert_int_equal(direct_int(f, "SELECT count(*) FROM user_skills"), 1);
    assert_int_equal(
        direct_int(f, "SELECT (extract(epoch FROM acquired_at) * 1000)::bigint FROM user_skills"), NOW);
}

static void skills_unlock_topics_of_their_language(void **state)
{
    (void)state;
    struct uuid me = uuid_random(), other = uuid_random();
    struct db_unlocked unlocked = unlocked_of(&me);
    assert_int_equal(unlocked.count, 1);
    assert_string_equal(unlocked.codes[0], "free_talk");
    assert_int_equal(store_skill(&me, "restaurant_vocab.fr", NOW), OK);
    unlocked = unlocked_of(&me);
    assert_true(is_among(&unlocked, "free_talk"));
    assert_true(is_among(&unlocked, "fr:restaurant.ordering"));
    assert_true(is_among(&unlocked, "fr:restaurant.complaint"));
    assert_int_equal(unlocked.count, 3);
    EXEC(f, "UPDATE topics SET is_active = false WHERE code = 'restaurant.complaint'");
    assert_int_equal(unlocked_of(&me).count, 2);
    EXEC(f, "UPDATE topics SET is_active = true");
    assert_int_equal(unlocked_of(&other).count, 1);
}

/* Planning costs more than reading: it must not happen each time, however many ids are asked for. */
static void what_is_unlocked_is_planned_once(void **state)
{
    (void)state;
    struct uuid me = uuid_random();
    for (int i = 0; i < 20; i++)
        (void)unlocked_of(&me);
    assert_int_equal(
        direct_int(f, "SELECT generic_plans FROM pg_prepared_statements WHERE name = 'unlocked_topics'"),
        15); /* PostgreSQL tries five without */
}

/* --- transcripts --- */

static void a_transcript_is_stored_with_its_session(void **state)
{
    (void)state;
    struct uuid me = uuid_random(), other = uuid_random(), transcript = uuid_random();
    struct session s = a_talk(f, &me, &other, 5 * MINUTE);
    for (int i = 0; i < 2; i++)
        assert_int_equal(RUN(f, db_transcript_store(f, &s.id, &transcript)), OK);
    assert_string_equal(direct_value(f, "SELECT transcript_id FROM sessions"), UUIDZ(&transcript));
    assert_int_equal(RUN(f, db_transcript_store(f, &transcript, &transcript)), ERR_NOT_FOUND);
}

/* --- popularity --- */

static void talks_about(const char *code, const char *language, const char *status, int64_t ended_ms,
                        int count)
{
    EXEC(f,
         "INSERT INTO sessions (id, target_language_code, topic_code, target_level, session_type, status, "
         "end_reason,"
         "                      started_at, ended_at, max_duration_seconds)"
         " SELECT gen_random_uuid(), '%s', '%s', 'A2', 'practice', '%s', 'left', t, t, 900"
         "   FROM generate_series(1, %d), to_timestamp(%lld / 1000.0) t",
         language, code, status, count, (long long)ended_ms);
}

static int compute(void)
{
    int changed;
    assert_int_equal(RUN(f, db_popularity_compute(f, NOW - 30 * INT64_C(86400000), &changed)), OK);
    return changed;
}

static const char *score(const char *code, const char *language)
{
    return direct_value(
        f, "SELECT popularity_score FROM topics WHERE code = '%s' AND target_language_code = '%s'", code,
        language);
}

static void the_most_popular_topic_of_a_language_has_1(void **state)
{
    (void)state;
    EXEC(f, "UPDATE topics SET popularity_score = 0");
    talks_about("travel", "en", "completed", NOW - 1000, 8);
    talks_about("restaurant", "en", "completed", NOW - 1000, 2);
    talks_about("travel", "fr", "completed", NOW - 1000, 1);
    talks_about("free_talk", "en", "aborted", NOW - 1000, 50);
    talks_about("work", "en", "completed", NOW - 31 * INT64_C(86400000), 50);
    assert_int_equal(compute(), 3);
    assert_string_equal(score("travel", "en"), "1");
    assert_string_equal(score("restaurant", "en"), "0.25");
    assert_string_equal(score("travel", "fr"), "1");
    assert_string_equal(score("free_talk", "en"), "0");
    assert_string_equal(score("work", "en"), "0");
    assert_int_equal(compute(), 0); /* nothing has changed, nothing is written */
    EXEC(f, "DELETE FROM sessions");
    assert_int_equal(compute(), 3);
    assert_string_equal(score("travel", "en"), "0");
}

static void one_at_a_time_computes(void **state)
{
    (void)state;
    EXEC(f, "UPDATE topics SET popularity_score = 0");
    talks_about("travel", "en", "completed", NOW - 1000, 1);
    struct flow *other = direct_open();
    EXEC(other, "BEGIN");
    EXEC(other, "SELECT pg_advisory_xact_lock(7264001)");
    assert_int_equal(compute(), 0);
    EXEC(other, "COMMIT");
    direct_close(other);
    assert_int_equal(compute(), 1);
    EXEC(f, "UPDATE topics SET popularity_score = 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_skill_is_stored_once),
        TEST(skills_unlock_topics_of_their_language),
        TEST(what_is_unlocked_is_planned_once),
        TEST(a_transcript_is_stored_with_its_session),
        TEST(the_most_popular_topic_of_a_language_has_1),
        TEST(one_at_a_time_computes),
    };
    return cmocka_run_group_tests(tests, direct_create_database, direct_drop_database);
}
