/* The outbox as its relay and its clean-up see it. Events are written elsewhere, by the statements that
 * change what they tell of. */
#include "conversation/ports/db_outbox.h"

#include <inttypes.h>

#include "db_records.h"

/* "outbox" in ASCII: the lock's number, among those of the database. */
#define RELAY_LOCK "122550254464888"

/* A relay that stands still (stopped process, lost network) must not keep the lock: without a word from it
 * for this long the server ends the connection. It says one every 5 s (pool.c). */
#define SILENCE "15s"

/* A statement of its own: what is read afterwards must not be older than the lock. */
static const struct pg_statement OUTBOX_CLAIM = {.name = "outbox_claim",
                                                 .is_relays = true,
                                                 .sql = "SELECT pg_try_advisory_lock(" RELAY_LOCK
                                                        "), set_config('idle_session_timeout', '" SILENCE
                                                        "', false)"};

static enum err read_claim(struct flow *f, const struct pg_rows *rows, void *out)
{
    (void)f;
    *(bool *)out = pg_bool(rows, 0, 0);
    return OK;
}

void db_outbox_claim(struct flow *f, bool *is_held)
{
    struct pg_args args = {0};
    pg_run(f, &OUTBOX_CLAIM, &args, read_claim, is_held);
}

/* By id: of two events of which one followed from the other, the later one has the greater id. */
/* clang-format off */
static const struct pg_statement OUTBOX_READ = {
    .name = "outbox_read",
    .is_relays = true,
    .sql = "SELECT id, event_id, event_type, key, correlation_id, payload, " PG_MS("created_at")
           "  FROM event_outbox WHERE sent_at IS NULL ORDER BY id LIMIT $1"};
/* clang-format on */

static enum err read_events(struct flow *f, const struct pg_rows *rows, void *out)
{
    struct arena *arena = flow_arena(f);
    size_t count = (size_t)pg_row_count(rows);
    struct outbox_event *items = ARENA_ARRAY(arena, struct outbox_event, count);
    for (size_t i = 0; i < count; i++) {
        int row = (int)i;
        items[i] = (struct outbox_event){
            .id = pg_int(rows, row, 0),
            .event_id = arena_strz(arena, str_of(pg_text(rows, row, 1))),
            .type = arena_strz(arena, str_of(pg_text(rows, row, 2))),
            .key = arena_strz(arena, str_of(pg_text(rows, row, 3))),
            .correlation_id = arena_strz(arena, str_of(pg_text(rows, row, 4))),
            .payload = arena_str(arena, str_of(pg_text(rows, row, 5))),
            .created_at_ms = pg_time(rows, row, 6),
        };
    }
    *(struct outbox_events *)out = (struct outbox_events){items, count};
    return OK;
}

void db_outbox_read(struct flow *f, int max, struct outbox_events *out)
{
    struct pg_args args = {0};
    pg_arg_int(&args, max);
    pg_run(f, &OUTBOX_READ, &args, read_events, out);
}

/* clang-format off */
static const struct pg_statement OUTBOX_MARK = {
    .name = "outbox_mark",
    .is_relays = true,
    .sql = "UPDATE event_outbox SET sent_at = now() WHERE id = ANY ($1::bigint[]) AND sent_at IS NULL"};
/* clang-format on */

void db_outbox_mark(struct flow *f, const int64_t *ids, size_t count)
{
    struct pg_args args = {0};
    struct buf list = {0};
    for (size_t i = 0; i < count; i++)
        buf_addf(&list, "%c%" PRId64, i ? ',' : '{', ids[i]);
    buf_addz(&list, count ? "}" : "{}");
    pg_arg_str(&args, buf_str(&list));
    buf_done(&list);
    pg_run(f, &OUTBOX_MARK, &args, NULL, NULL);
}

/* Sent at the end of all time: not to be read, and never old enough to be deleted. */
static const struct pg_statement OUTBOX_REFUSE = {
    .name = "outbox_refuse",
    .is_relays = true,
    .sql = "UPDATE event_outbox SET sent_at = 'infinity' WHERE id = $1 AND sent_at IS NULL"};

void db_outbox_refuse(struct flow *f, int64_t id)
{
    struct pg_args args = {0};
    pg_arg_int(&args, id);
    pg_run(f, &OUTBOX_REFUSE, &args, NULL, NULL);
}

/* clang-format off */
static const struct pg_statement OUTBOX_BACKLOG = {
    .name = "outbox_backlog",
    .sql = "SELECT (SELECT count(*) FROM (SELECT FROM event_outbox WHERE sent_at IS NULL LIMIT $1) AS counted),"
           "       (SELECT " PG_MS("created_at") " FROM event_outbox WHERE sent_at IS NULL ORDER BY id LIMIT 1)"};
/* clang-format on */

static enum err read_backlog(struct flow *f, const struct pg_rows *rows, void *out)
{
    (void)f;
    *(struct db_outbox_backlog *)out =
        (struct db_outbox_backlog){.unsent = (int)pg_int(rows, 0, 0), .oldest_at_ms = pg_time(rows, 0, 1)};
    return OK;
}

void db_outbox_backlog(struct flow *f, struct db_outbox_backlog *out)
{
    struct pg_args args = {0};
    pg_arg_int(&args, DB_OUTBOX_COUNTED_MAX);
    pg_run(f, &OUTBOX_BACKLOG, &args, read_backlog, out);
}

/* --- clean-up: whoever comes first takes the oldest, others the next ones --- */

/* $1 before when, $2 how many */
/* clang-format off */
static const struct pg_statement OUTBOX_PURGE_SENT = {
    .name = "outbox_purge_sent",
    .is_write = true,
    .sql = "WITH old AS MATERIALIZED ("
           "    SELECT id FROM event_outbox WHERE sent_at < " PG_AT("$1")
           "     ORDER BY sent_at LIMIT $2 FOR UPDATE SKIP LOCKED"
           "), gone AS ("
           "    DELETE FROM event_outbox o USING old WHERE o.id = old.id RETURNING 1"
           ") "
           "SELECT count(*) FROM gone"};

/* Ids rise with the time, so the oldest are among the first: no index by time is needed. */
static const struct pg_statement OUTBOX_PURGE_UNSENT = {
    .name = "outbox_purge_unsent",
    .is_write = true,
    .sql = "WITH first AS MATERIALIZED ("
           "    SELECT id, created_at FROM event_outbox WHERE sent_at IS NULL"
           "     ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED"
           "), gone AS ("
           "    DELETE FROM event_outbox o USING first"
           "     WHERE o.id = first.id AND first.created_at < " PG_AT("$1") " RETURNING 1"
           ") "
           "SELECT count(*) FROM gone"};
/* clang-format on */

static enum err read_count(struct flow *f, const struct pg_rows *rows, void *out)
{
    (void)f;
    *(int *)out = (int)pg_int(rows, 0, 0);
    return OK;
}

void db_outbox_purge(struct flow *f, const struct db_outbox_age *age, int *deleted)
{
    struct pg_args args = {0};
    pg_arg_time(&args, age->before_ms);
    pg_arg_int(&args, age->max);
    pg_run(f, age->unsent ? &OUTBOX_PURGE_UNSENT : &OUTBOX_PURGE_SENT, &args, read_count, deleted);
}
