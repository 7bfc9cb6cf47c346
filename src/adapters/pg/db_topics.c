/* Topics, their prompts, and which codes go together. */
#include "conversation/ports/db.h"
#include "db_records.h"

/* --- list --- */

/* $1 language */
/* clang-format off */
static const struct pg_statement TOPICS_LIST = {
    .name = "topics_list",
    .sql = "SELECT " TOPIC_COLUMNS("NULL::uuid")
           "  FROM topics t"
           " WHERE t.is_active AND t.target_language_code = $1"
           " ORDER BY t.level, t.code COLLATE \"C\""};
/* clang-format on */

static enum err read_each(struct flow *f, const struct pg_rows *rows, struct db_topics *out,
                          bool with_prompts)
{
    size_t count = (size_t)pg_row_count(rows);
    struct topic *items = ARENA_ARRAY(flow_arena(f), struct topic, count);
    for (size_t i = 0; i < count; i++) {
        struct cursor c = cursor_at(rows, (int)i);
        take_topic(&c, flow_arena(f), &items[i]);
        if (with_prompts)
            items[i].prompts = take_prompts(&c, flow_arena(f), &items[i].prompt_count);
        if (!c.ok)
            return ERR_INTERNAL;
    }
    *out = (struct db_topics){items, count};
    return OK;
}

static enum err read_topics(struct flow *f, const struct pg_rows *rows, void *out)
{
    return read_each(f, rows, out, false);
}

void db_topics_list(struct flow *f, const char *language, struct db_topics *out)
{
    struct pg_args args = {0};
    pg_arg_text(&args, language);
    pg_run(f, &TOPICS_LIST, &args, read_topics, out);
}

/* --- one code, with prompts --- */

/* $1 user, $2 code, $3 language; null: any. Without a topic of "en-GB" it is that of "en". */
/* clang-format off */
static const struct pg_statement TOPIC_GET = {
    .name = "topic_get",
    .sql = "SELECT " TOPIC_COLUMNS("$1::uuid") ", " TOPIC_PROMPT_COLUMNS
           "  FROM topics t"
           " WHERE t.is_active AND t.code = $2 AND ($3::text IS NULL OR t.target_language_code = $3"
           "        OR t.target_language_code = split_part($3, '-', 1)"
           "           AND NOT EXISTS (SELECT FROM topics own WHERE own.is_active AND own.code = $2"
           "                              AND own.target_language_code = $3))"
           " ORDER BY t.target_language_code"};
/* clang-format on */

static enum err read_topics_with_prompts(struct flow *f, const struct pg_rows *rows, void *out)
{
    return read_each(f, rows, out, true);
}

void db_topic_get(struct flow *f, const struct db_topic_query *q, struct db_topics *out)
{
    struct pg_args args = {0};
    pg_arg_uuid(&args, &q->user_id);
    pg_arg_text(&args, q->code);
    pg_arg_text(&args, q->language);
    pg_run(f, &TOPIC_GET, &args, read_topics_with_prompts, out);
}

/* --- compatible codes --- */

/* clang-format off */
static const struct pg_statement TOPIC_PAIRS = {
    .name = "topic_pairs",
    .sql = "SELECT code_a, code_b FROM topic_compatibility ORDER BY code_a, code_b"};
/* clang-format on */

static enum err read_pairs(struct flow *f, const struct pg_rows *rows, void *out)
{
    struct db_topic_pairs *pairs = out;
    size_t count = (size_t)pg_row_count(rows);
    struct topic_pair *items = ARENA_ARRAY(flow_arena(f), struct topic_pair, count);
    for (size_t i = 0; i < count; i++) {
        struct cursor c = cursor_at(rows, (int)i);
        take_text(&c, items[i].a, sizeof items[i].a);
        take_text(&c, items[i].b, sizeof items[i].b);
        if (!c.ok)
            return ERR_INTERNAL;
    }
    *pairs = (struct db_topic_pairs){items, count};
    return OK;
}

void db_topic_pairs(struct flow *f, struct db_topic_pairs *out)
{
    struct pg_args args = {0};
    pg_run(f, &TOPIC_PAIRS, &args, read_pairs, out);
}
