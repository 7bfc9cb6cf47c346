/* Who has blocked whom. */
#include "conversation/base/clock.h"
#include "conversation/ports/db_moderation.h"
#include "db_moderation.h"
#include "db_records.h"

/* --- block and unblock --- */

/* $1 who, $2 whom, $3 now. */
/* clang-format off */
static const struct pg_statement USER_BLOCK = {
    .name = "user_block",
    .is_write = true,
    .sql = "WITH changed AS ("
           "    INSERT INTO user_blocks (blocker_id, blocked_id, created_at) VALUES ($1, $2, " PG_AT("$3") ")"
           "    ON CONFLICT (blocker_id, blocked_id) DO NOTHING RETURNING blocked_id"
           ") "
           "SELECT EXISTS (SELECT FROM changed), " PENDING_REQUESTS("$1", "$2") ", "
           "       " ARRANGED_SESSIONS("$1", "$2", "NULL")};

/* $1 who, $2 whom. */
static const struct pg_statement USER_UNBLOCK = {
    .name = "user_unblock",
    .is_write = true,
    .sql = "WITH changed AS ("
           "    DELETE FROM user_blocks WHERE blocker_id = $1 AND blocked_id = $2 RETURNING blocked_id"
           ") "
           "SELECT EXISTS (SELECT FROM changed), " PENDING_REQUESTS("$1", "$2") ", '{}'::uuid[]"};
/* clang-format on */

static enum err read_blocked(struct flow *f, const struct pg_rows *rows, void *out)
{
    struct cursor c = cursor_at(rows, 0);
    struct db_blocked blocked = {.changed = take_bool(&c)};
    blocked.requests.items = take_uuids(&c, flow_arena(f), &blocked.requests.count);
    blocked.arranged.items = take_uuids(&c, flow_arena(f), &blocked.arranged.count);
    if (c.ok)
        *(struct db_blocked *)out = blocked;
    return cursor_result(&c);
}

void db_user_block(struct flow *f, const struct db_block *block, struct db_blocked *out)
{
    struct pg_args args = {0};
    pg_arg_uuid(&args, &block->user_id);
    pg_arg_uuid(&args, &block->blocked_id);
    pg_arg_time(&args, clock_now_ms());
    pg_run(f, &USER_BLOCK, &args, read_blocked, out);
}

void db_user_unblock(struct flow *f, const struct db_block *block, struct db_blocked *out)
{
    struct pg_args args = {0};
    pg_arg_uuid(&args, &block->user_id);
    pg_arg_uuid(&args, &block->blocked_id);
    pg_run(f, &USER_UNBLOCK, &args, read_blocked, out);
}

/* --- the list --- */

/* $1 who, $2 limit, $3 offset. One row also when the page is empty: it carries the total. The name is looked
 * up in the one session of both that is the latest. */
/* clang-format off */
static const struct pg_statement USER_BLOCKS = {
    .name = "user_blocks",
    .sql = "WITH page AS ("
           "    SELECT blocked_id, created_at FROM user_blocks WHERE blocker_id = $1"
           "     ORDER BY created_at DESC, blocked_id LIMIT $2::bigint OFFSET $3::bigint"
           ") "
           "SELECT (SELECT count(*) FROM user_blocks WHERE blocker_id = $1), g.blocked_id, met.display_name,"
           "       " PG_MS("g.created_at")
           "  FROM (VALUES (1)) one"
           "  LEFT JOIN page g ON true"
           "  LEFT JOIN LATERAL ("
           "      SELECT nullif(q.display_name, '') AS display_name"
           "        FROM session_participants q"
           "        JOIN session_participants p ON p.session_id = q.session_id AND p.user_id = $1"
           "       WHERE q.user_id = g.blocked_id ORDER BY q.created_at DESC LIMIT 1) met ON true"
           " ORDER BY g.created_at DESC, g.blocked_id"};
/* clang-format on */

static enum err read_blocks(struct flow *f, const struct pg_rows *rows, void *out)
{
    struct arena *arena = flow_arena(f);
    size_t count = (size_t)pg_row_count(rows);
    struct db_block_entry *items = ARENA_ARRAY(arena, struct db_block_entry, count);
    struct db_blocks blocks = {.items = items};
    for (size_t i = 0; i < count; i++) {
        struct cursor c = cursor_at(rows, (int)i);
        blocks.total = take_int(&c);
        struct db_block_entry entry = {.user_id = take_uuid(&c)};
        if (uuid_is_nil(&entry.user_id))
            break; /* the one row that carries only the total */
        entry.display_name = take_string(&c, arena);
        entry.blocked_at_ms = take_time(&c);
        items[blocks.count++] = entry;
    }
    *(struct db_blocks *)out = blocks;
    return OK;
}

void db_user_blocks(struct flow *f, const struct db_blocks_query *q, struct db_blocks *out)
{
    struct pg_args args = {0};
    pg_arg_uuid(&args, &q->user_id);
    pg_arg_int(&args, q->limit);
    pg_arg_int(&args, q->offset);
    pg_run(f, &USER_BLOCKS, &args, read_blocks, out);
}
