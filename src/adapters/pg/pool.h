/* The pools, readers, writers and the one connection of the outbox's relay: the statements that wait, who is
 * sent where, and db_start to db_is_up. */
#ifndef PG_POOL_H
#define PG_POOL_H

#include "conn.h"

struct pg_pool {
    const char *name; /* for logs and application_name */
    struct pg_conn *conns;
    int count, ready;
    int batch_max;       /* statements that may share a sync */
    bool may_retry_lost; /* a statement lost on its way may be sent again: it only reads */
    void (*changed)(
        bool is_open); /* told when a connection is READY, and when it is no longer; may be NULL */
    struct list waiting;
    int waiting_count;
};

/* A connection changed its state; `why` explains a loss. */
void pg_pool_conn_changed(struct pg_conn *c, enum pg_conn_state from, const char *why);

/* Statements of the pool were committed. */
void pg_pool_committed(const struct pg_pool *pool);

/* OK when a statement would be sent now or soon; else why it is refused at once. */
enum err pg_pool_refusal(const struct pg_statement *statement);
/* Takes the job; it is sent at the end of the loop's turn or later. */
void pg_pool_submit(struct pg_job *job);
/* For a kind's `finish`: logs and counts, and frees what the job holds; the job itself is its kind's. */
void pg_job_done(struct pg_job *job, enum err err);

/* Sent again, before all others and in the list's order. Takes the jobs. */
void pg_pool_put_back(struct pg_pool *pool, struct list *jobs);

/* Lets every connection without work answer a bare sync, so that its watchdog finds out whether it is alive.
 */
void pg_pool_probe_idle(void);

/* A connection that can be asked something, or NULL. */
struct pg_conn *pg_pool_any_ready(void);

#endif
