/* One connection to PostgreSQL and the statements on their way over it.
 *
 *     IDLE ──> RESOLVING ──> CONNECTING ──> SETTING_UP ──> READY
 *       └────────────────────────^ │             │           │     (no name to resolve: straight to
 * CONNECTING) BACKOFF <──────────┴─────────────┴───────────┘     (lost; after a while it starts over)
 *
 * and from everywhere to IDLE by pg_conn_close. In SETTING_UP the schema is compared with the binary's; the
 * connection is then in pipeline mode already. Statements travel in batches: the statements between two
 * syncs, which PostgreSQL treats as one transaction (PostgreSQL documentation, section 34.5, "Pipeline
 * Mode"). */
#ifndef PG_CONN_H
#define PG_CONN_H

#include <libpq-fe.h>
#include <stdint.h>
#include <uv.h>

#include "conversation/base/list.h"
#include "conversation/rt/timer.h"
#include "pg.h"

enum pg_conn_state { PG_IDLE, PG_RESOLVING, PG_CONNECTING, PG_SETTING_UP, PG_READY, PG_BACKOFF };

struct pg_pool;
struct address_lookup;

struct pg_job;

/* Who asked: one flow (pool.c), several together (keyed.c), or the adapter itself (schema.c). */
struct pg_job_kind {
    /* Answered, `err` says how; `result`, if any, goes with the job. Frees the job. */
    void (*finish)(struct pg_job *job, enum err err);
    bool (*is_wanted)(const struct pg_job *job); /* does anybody still wait for it? */
    void (*leaves_queue)(struct pg_job *job);    /* its arguments must be there afterwards; may be NULL */
    bool may_repeat;                             /* may be sent again after a failure that was not its own */
};

/* A statement that was asked for, until it is answered. Owned by the pool's queue, then by a batch. */
struct pg_job {
    struct list link;
    const struct pg_job_kind *kind;
    const struct pg_statement *statement;
    struct pg_args args;
    uint64_t asked_ns;
    int sends;           /* times it was sent */
    bool is_alone;       /* shares its sync with nobody any more */
    bool awaits_prepare; /* its Parse travels before it and is answered first */
    PGresult *result;    /* answered, but its batch not yet; owned */
};

struct pg_batch {
    struct list link, jobs;
    struct list *current;       /* the job that is answered next; &jobs when only the sync is left */
    bool is_shared, has_failed; /* failed: rolled back for sure */
};

struct pg_prepared {
    const struct pg_statement *statement;
    bool is_sent;
    char name[64];
};

struct pg_conn {
    struct pg_pool *pool;
    int index; /* in the pool, for logs */
    enum pg_conn_state state;
    PGconn *pq;                    /* from CONNECTING to READY */
    uv_poll_t *poll;               /* with pq; on the heap, for closing outlives it */
    int poll_events;               /* what `poll` waits for */
    struct address_lookup *lookup; /* in RESOLVING */
    struct timer timer;            /* the attempt's deadline, or the end of the backoff */
    struct timer watchdog;         /* runs while batches are in flight */
    int attempts;                  /* since it was last READY */
    struct list batches;           /* in flight, oldest first */
    int batch_count;
    struct pg_prepared *prepared;
    int prepared_count, prepared_serial;
};

/* --- conn.c --- */
void pg_conn_init(struct pg_conn *c, struct pg_pool *pool, int index);
void pg_conn_open(struct pg_conn *c);        /* from IDLE, or from BACKOFF without waiting for its end */
void pg_conn_close(struct pg_conn *c);       /* what is in flight fails; then IDLE */
void pg_conn_set_up_done(struct pg_conn *c); /* SETTING_UP has its answer: READY */
/* The connection is of no use any more; statements in flight are retried or failed. `why` is for people,
 * without secrets. */
enum pg_loss { PG_LOSS_BROKEN, PG_LOSS_SILENT };
void pg_conn_lost(struct pg_conn *c, enum pg_loss loss, const char *why);
void pg_conn_flush(struct pg_conn *c); /* sends what libpq has buffered, now or when the socket takes it */

/* --- pipeline.c --- */
void pg_pipeline_init(struct pg_conn *c);
void pg_pipeline_reset(struct pg_conn *c); /* before a new connection: nothing is prepared there */
struct pg_batch *pg_batch_new(bool is_shared);
void pg_batch_add(struct pg_batch *b, struct pg_job *job);
void pg_pipeline_send(struct pg_conn *c, struct pg_batch *b); /* takes the batch; may lose the connection */
/* Takes in what libpq has received. False: the connection broke; *why is then libpq's or the server's
 * message. */
bool pg_pipeline_receive(struct pg_conn *c, char *why, size_t cap);
void pg_pipeline_fail(struct pg_conn *c,
                      enum pg_loss loss); /* every batch in flight, for the connection is gone */

#endif
