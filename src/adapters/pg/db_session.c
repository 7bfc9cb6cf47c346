/* A session as stored: looked up, its prompts, its rating. Joining is in db_session_join.c, ending in
 * db_session_end.c. */
#include "db_session.h"

#include "conversation/base/clock.h"
#include "conversation/ports/db.h"

/* --- get --- */

static enum err read_session(struct flow *f, const struct pg_rows *rows, void *out)
{
    (void)f;
    if (pg_row_count(rows) == 0)
        return ERR_SESSION_NOT_FOUND;
    struct cursor c = cursor_at(rows, 0);
    struct session session;
    take_session(&c, &session);
    if (c.ok)
        *(struct session *)out = session;
    return cursor_result(&c);
}

/* Lateral, with a limit: three look-ups an id whatever the planner makes of the tables' sizes. */
/* clang-format off */
static struct pg_keyed SESSION_GET = {
    .statement = {
        .name = "session_get",
        .sql = "SELECT found.*"
               "  FROM " PG_ASKED
               " CROSS JOIN LATERAL (SELECT " SESSION_COLUMNS
               "                       FROM sessions s" SESSION_SEATS("session_participants")
               "                      WHERE s.id = asked.id LIMIT 1) found"},
    .read = read_session};
/* clang-format on */

void db_session_get(struct flow *f, const struct uuid *id, struct session *out)
{
    pg_run_keyed(f, &SESSION_GET, id, out);
}

/* --- prompts --- */

/* $1 session, $2 topic, $3 language. One row also when the topic has been deleted meanwhile. */
/* clang-format off */
static const struct pg_statement SESSION_PROMPTS = {
    .name = "session_prompts",
    .sql = "SELECT t.name_key, " TOPIC_PROMPT_COLUMNS ","
           "       ARRAY(SELECT d.prompt_key FROM session_prompts d WHERE d.session_id = $1 ORDER BY d.displayed_at, d.id),"
           "       ARRAY(SELECT " PG_MS("d.displayed_at")
           "               FROM session_prompts d WHERE d.session_id = $1 ORDER BY d.displayed_at, d.id)"
           "  FROM (VALUES (1)) one LEFT JOIN topics t ON t.code = $2 AND t.target_language_code = $3"};
/* clang-format on */

/* Two arrays of one length: keys, and times in ms. */
static struct db_shown_prompt *take_shown(struct cursor *c, struct arena *arena, size_t *n)
{
    size_t times_count;
    const char *const *keys = take_texts(c, arena, n);
    const int64_t *times = take_times(c, arena, &times_count);
    if (times_count != *n) {
        c->ok = false;
        *n = 0;
    }
    struct db_shown_prompt *shown = ARENA_ARRAY(arena, struct db_shown_prompt, *n);
    for (size_t i = 0; i < *n; i++)
        shown[i] = (struct db_shown_prompt){keys[i], times[i]};
    return shown;
}

static enum err read_prompts(struct flow *f, const struct pg_rows *rows, void *out)
{
    struct arena *arena = flow_arena(f);
    struct cursor c = cursor_at(rows, 0);
    struct db_session_prompts p = {.topic_name_key = take_string(&c, arena)};
    p.prompts = take_prompts(&c, arena, &p.prompt_count);
    p.shown = take_shown(&c, arena, &p.shown_count);
    if (c.ok)
        *(struct db_session_prompts *)out = p;
    return cursor_result(&c);
}

void db_session_prompts(struct flow *f, const struct session *s, struct db_session_prompts *out)
{
    struct pg_args args = {0};
    pg_arg_uuid(&args, &s->id);
    pg_arg_text(&args, s->topic_code);
    pg_arg_text(&args, s->target_language);
    pg_run(f, &SESSION_PROMPTS, &args, read_prompts, out);
}

/* $1 session, $2 key, $3 category, $4 when. The session is locked, so that no prompt is stored after its
 * end. */
/* clang-format off */
static const struct pg_statement PROMPT_SHOWN = {
    .name = "session_prompt_shown",
    .is_write = true,
    .sql = "WITH locked AS MATERIALIZED ("
           "    SELECT id FROM sessions WHERE id = $1 AND status = 'active' FOR UPDATE"
           ") "
           "INSERT INTO session_prompts (session_id, prompt_key, category, displayed_at)"
           " SELECT id, $2, $3, " PG_AT("$4") " FROM locked RETURNING id"};
/* clang-format on */

static enum err read_shown(struct flow *f, const struct pg_rows *rows, void *out)
{
    (void)f;
    (void)out;
    return pg_row_count(rows) == 0 ? ERR_CONFLICT : OK;
}

void db_session_prompt_shown(struct flow *f, const struct uuid *id, const struct topic_prompt *prompt,
                             int64_t displayed_at_ms)
{
    struct pg_args args = {0};
    pg_arg_uuid(&args, id);
    pg_arg_text(&args, prompt->key);
    pg_arg_text(&args, prompt_category_names[prompt->type]);
    pg_arg_time(&args, displayed_at_ms);
    pg_run(f, &PROMPT_SHOWN, &args, read_shown, NULL);
}

/* --- rating --- */

/* $1 session, $2 user, $3 rating, $4 feedback, $5 now, $6 correlation id; the function and why it is one:
 * migrations/0001_schema.sql, as it is: 0008_after_the_call.sql. */
/* clang-format off */
static const struct pg_statement SESSION_RATE = {
    .name = "session_rate",
    .is_write = true,
    .sql = "SELECT session_status IN ('waiting', 'active'), average, session_topic, is_first"
           "  FROM session_rate($1::uuid, $2::uuid, $3::int, $4::text, " PG_AT("$5") ", $6::text)"};
/* clang-format on */

static enum err read_rated(struct flow *f, const struct pg_rows *rows, void *out)
{
    if (pg_row_count(rows) == 0)
        return ERR_SESSION_NOT_FOUND;
    struct cursor c = cursor_at(rows, 0);
    if (take_bool(&c))
        return ERR_SESSION_NOT_ENDED;
    struct db_rated *rated = out;
    rated->average = take_double(&c);
    rated->topic_code = take_string(&c, flow_arena(f));
    rated->is_first = take_bool(&c);
    return OK;
}

void db_session_rate(struct flow *f, const struct db_rating *rating, struct db_rated *out)
{
    struct pg_args args = {0};
    pg_arg_uuid(&args, &rating->session_id);
    pg_arg_uuid(&args, &rating->user_id);
    pg_arg_int(&args, rating->rating);
    pg_arg_str(&args, rating->feedback);
    pg_arg_time(&args, clock_now_ms());
    pg_arg_text(&args, flow_correlation_id(f));
    pg_run(f, &SESSION_RATE, &args, read_rated, out);
}
