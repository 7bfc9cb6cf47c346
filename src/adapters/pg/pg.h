/* The PostgreSQL adapter's inside: how db_*.c run statements. Nothing of libpq crosses ports/db.h.
 *
 *     static const struct pg_statement SESSION_GET = {.name = "session_get", .sql = "SELECT … WHERE id =
 * $1"}; void db_session_get(struct flow *f, const struct uuid *id, struct session *out)
 *     {
 *         struct pg_args args = {0};
 *         pg_arg_uuid(&args, id);
 *         pg_run(f, &SESSION_GET, &args, read_session, out);
 *     }
 *
 * Statements are prepared on each connection at first use. Reads go one sync each to the least loaded
 * connection of the read pool; writes go to one of the pipelined writers and share a sync with their
 * neighbours (docs/ARCHITECTURE.md, "PostgreSQL"). */
#ifndef PG_PG_H
#define PG_PG_H

#include <stdbool.h>
#include <stdint.h>

#include "conversation/base/err.h"
#include "conversation/base/str.h"
#include "conversation/base/uuid.h"
#include "conversation/rt/flow.h"

struct pg_statement {
    const char *name, *sql;
    bool is_write;
    bool is_relays; /* goes over the connection of the outbox's relay, and over no other */
    /* What a violation of the named unique index or exclusion constraint means; NULL-terminated. Others are
     * ERR_INTERNAL. */
    const struct pg_violation {
        const char *constraint;
        enum err err;
    } * violations;
};

#define PG_ARGS_MAX 32

/* Text-format parameters; copied by pg_run. All zero is none. */
struct pg_args {
    int count;
    struct buf text;             /* all values, NUL-terminated, back to back */
    int64_t offset[PG_ARGS_MAX]; /* into text; -1: NULL */
};
void pg_arg_text(struct pg_args *a, const char *z);     /* NULL: SQL NULL */
void pg_arg_text_opt(struct pg_args *a, const char *z); /* NULL or "": SQL NULL */
void pg_arg_str(struct pg_args *a, struct str s);       /* {NULL,0}: SQL NULL */
void pg_arg_int(struct pg_args *a, int64_t i);
void pg_arg_bool(struct pg_args *a, bool b);
void pg_arg_uuid(struct pg_args *a, const struct uuid *u);            /* NULL or nil: SQL NULL */
void pg_arg_time(struct pg_args *a, int64_t at_ms);                   /* 0: SQL NULL */
void pg_arg_uuids(struct pg_args *a, const struct uuid *u, size_t n); /* uuid[] */

struct pg_rows; /* the result, valid during the reader's call */
int pg_row_count(const struct pg_rows *r);
/* Columns by position. NULL reads as the zero value. */
const char *pg_text(const struct pg_rows *r, int row,
                    int col); /* valid during the reader; NULL for SQL NULL */
int64_t pg_int(const struct pg_rows *r, int row, int col);
double pg_double(const struct pg_rows *r, int row, int col);
bool pg_bool(const struct pg_rows *r, int row, int col);
bool pg_is_null(const struct pg_rows *r, int row, int col);
struct uuid pg_uuid(const struct pg_rows *r, int row, int col);
int64_t pg_time(const struct pg_rows *r, int row,
                int col); /* of `timestamptz`, sent as ms since 1970: see PG_MS */
/* Elements of a one-dimensional array, as text in the arena; *n their number. */
const char *const *pg_array(const struct pg_rows *r, int row, int col, struct arena *arena, size_t *n);

/* SQL that yields a timestamptz as integer milliseconds, which pg_time reads. */
#define PG_MS(expr) "(extract(epoch from " expr ") * 1000)::bigint"
/* SQL that takes a pg_arg_time parameter (ms as text) as timestamptz. */
#define PG_AT(param) "to_timestamp(" param "::bigint / 1000.0)"

/* Turns rows into *out (allocating in the flow's arena); returns the operation's result. Not called when the
 * flow has gone. */
typedef enum err pg_reader(struct flow *f, const struct pg_rows *rows, void *out);

/* One operation of the flow. Takes over args' memory (args is empty after). `read` NULL: rows are ignored. */
void pg_run(struct flow *f, const struct pg_statement *statement, struct pg_args *args, pg_reader *read,
            void *out);

/* --- one row by its id, for many flows at once --- */

/* Flows that ask for rows of one kind in one turn of the loop share a statement: under load a row costs the
 * database and us a fraction of a statement, and an answer is as fresh as ever. The statement's only
 * parameter is a uuid[] of distinct ids; each of its rows begins with the id it is for, at most one for each.
 * It goes into the statement as PG_ASKED: an array that the planner can count makes it plan anew for each
 * number of ids, which costs more than all the rest. */
#define PG_ASKED "unnest((SELECT $1::uuid[])) AS asked (id)"
struct pg_keyed {
    struct pg_statement statement; /* reads */
    pg_reader *read;               /* sees the id's row alone; row count 0: there is none */
    struct pg_group *open;         /* not sent yet: more may join */
    int in_flight;                 /* groups submitted and not answered */
};

/* One operation of the flow. */
void pg_run_keyed(struct flow *f, struct pg_keyed *keyed, const struct uuid *id, void *out);

#endif
