/* What is learnt from other services' events, and what is computed from what we have. */
#include "conversation/ports/db_projection.h"
#include "conversation/base/clock.h"
#include "db_records.h"

/* clang-format off */

/* $1 user, $2 skill, $3 code, $4 when */
static const struct pg_statement SKILL_STORE = {
    .name = "skill_store",
    .is_write = true,
    .sql = "INSERT INTO user_skills (user_id, skill_id, skill_code, acquired_at) VALUES ($1, $2, $3, " PG_AT("$4") ")"
           " ON CONFLICT (user_id, skill_code) DO NOTHING"};

/* $1 session, $2 transcript, $3 now */
static const struct pg_statement TRANSCRIPT_STORE = {
    .name = "transcript_store",
    .is_write = true,
    .sql = "UPDATE sessions SET transcript_id = $2, updated_at = " PG_AT("$3") " WHERE id = $1 RETURNING id"};

/* $1 since when, $2 now. How often a topic was talked about to the end, in proportion to the most popular one of its
 * language, which has 1. Whoever finds the lock taken leaves it to
 * the other. */
static const struct pg_statement POPULARITY = {
    .name = "popularity",
    .is_write = true,
    .sql = "WITH turn AS MATERIALIZED (SELECT pg_try_advisory_xact_lock(7264001) AS is_mine), used AS ("
           "    SELECT s.target_language_code AS language, s.topic_code AS code, count(*) AS times"
           "      FROM sessions s"
           "     WHERE s.status = 'completed' AND s.ended_at >= " PG_AT("$1") " AND (SELECT is_mine FROM turn)"
           "     GROUP BY 1, 2"
           "), scores AS ("
           "    SELECT t.id, round((coalesce(u.times, 0)::float8"
           "               / greatest(max(u.times) OVER (PARTITION BY t.target_language_code), 1))::numeric, 4)::float8"
           "               AS score"
           "      FROM topics t LEFT JOIN used u ON u.language = t.target_language_code AND u.code = t.code"
           "), changed AS ("
           "    UPDATE topics t SET popularity_score = c.score, updated_at = " PG_AT("$2")
           "      FROM scores c"
           "     WHERE t.id = c.id AND t.popularity_score <> c.score AND (SELECT is_mine FROM turn)"
           "    RETURNING 1"
           ") "
           "SELECT count(*) FROM changed"};

/* clang-format on */

void db_skill_store(struct flow *f, const struct db_skill *skill)
{
    struct pg_args args = {0};
    pg_arg_uuid(&args, &skill->user_id);
    pg_arg_uuid(&args, &skill->skill_id);
    pg_arg_text(&args, skill->code);
    pg_arg_time(&args, skill->acquired_at_ms);
    pg_run(f, &SKILL_STORE, &args, NULL, NULL);
}

static enum err read_unlocked(struct flow *f, const struct pg_rows *rows, void *out)
{
    struct db_unlocked *unlocked = out;
    struct cursor c = cursor_at(rows, 0);
    c.col++; /* whose */
    unlocked->codes = take_texts(&c, flow_arena(f), &unlocked->count);
    return cursor_result(&c);
}

/* clang-format off */
static struct pg_keyed UNLOCKED = {
    .statement = {
        .name = "unlocked_topics",
        .sql = "SELECT asked.id, 'free_talk'::text || ARRAY("
               "    SELECT t.target_language_code || ':' || t.code FROM topics t"
               "     WHERE t.required_skills <> '{}' AND t.is_active"
               "       AND t.required_skills <@ ARRAY(SELECT k.skill_code FROM user_skills k"
               "                                       WHERE k.user_id = asked.id))"
               "  FROM " PG_ASKED},
    .read = read_unlocked};
/* clang-format on */

void db_unlocked_topics(struct flow *f, const struct uuid *user_id, struct db_unlocked *out)
{
    pg_run_keyed(f, &UNLOCKED, user_id, out);
}

static enum err read_found(struct flow *f, const struct pg_rows *rows, void *out)
{
    (void)f;
    (void)out;
    return pg_row_count(rows) > 0 ? OK : ERR_NOT_FOUND;
}

void db_transcript_store(struct flow *f, const struct uuid *session_id, const struct uuid *transcript_id)
{
    struct pg_args args = {0};
    pg_arg_uuid(&args, session_id);
    pg_arg_uuid(&args, transcript_id);
    pg_arg_time(&args, clock_now_ms());
    pg_run(f, &TRANSCRIPT_STORE, &args, read_found, NULL);
}

static enum err read_count(struct flow *f, const struct pg_rows *rows, void *out)
{
    (void)f;
    *(int *)out = (int)pg_int(rows, 0, 0);
    return OK;
}

void db_popularity_compute(struct flow *f, int64_t since_ms, int *changed)
{
    struct pg_args args = {0};
    pg_arg_time(&args, since_ms);
    pg_arg_time(&args, clock_now_ms());
    pg_run(f, &POPULARITY, &args, read_count, changed);
}
