/* The connection's life: resolving, connecting, being lost, trying again. What travels over it is
 * pipeline.c's. */
#include "conn.h"

#include <assert.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

#include "conninfo.h"
#include "conversation/base/log.h"
#include "conversation/base/metrics.h"
#include "conversation/config.h"
#include "conversation/rt/address_lookup.h"
#include "conversation/rt/loop.h"
#include "pool.h"
#include "schema.h"

/* Exponential with full jitter: 100 ms, 200 ms … 5 s is the longest that a connection waits before it tries
 * again. */
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 5000
#define ADDRESSES_MAX  8

/* --- the state --- */

static const char *const state_names[] = {"idle",       "resolving", "connecting",
                                          "setting_up", "ready",     "backoff"};

#define TO(state) (1u << (state))
static const unsigned legal_moves[] = {
    [PG_IDLE] = TO(PG_RESOLVING) | TO(PG_CONNECTING),
    [PG_RESOLVING] = TO(PG_CONNECTING) | TO(PG_BACKOFF) | TO(PG_IDLE),
    [PG_CONNECTING] = TO(PG_SETTING_UP) | TO(PG_BACKOFF) | TO(PG_IDLE),
    [PG_SETTING_UP] = TO(PG_READY) | TO(PG_BACKOFF) | TO(PG_IDLE),
    [PG_READY] = TO(PG_BACKOFF) | TO(PG_IDLE),
    [PG_BACKOFF] = TO(PG_RESOLVING) | TO(PG_CONNECTING) | TO(PG_IDLE),
};

static void set_state(struct pg_conn *c, enum pg_conn_state to, const char *why)
{
    enum pg_conn_state from = c->state;
    assert(legal_moves[from] & TO(to));
    c->state = to;
    LOG(LOG_DEBUG, "db.connection", LOG_Z("pool", c->pool->name), LOG_INT("connection", c->index),
        LOG_Z("from", state_names[from]), LOG_Z("to", state_names[to]), LOG_Z("reason", why));
    pg_pool_conn_changed(c, from, why);
}

void pg_conn_init(struct pg_conn *c, struct pg_pool *pool, int index)
{
    *c = (struct pg_conn){.pool = pool, .index = index};
    pg_pipeline_init(c);
}

/* --- the socket --- */

static void on_poll(uv_poll_t *poll, int status, int events);

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

/* Before libpq may close its socket, or exchange it for another of the same number. */
static void unwatch_socket(struct pg_conn *c)
{
    if (!c->poll)
        return;
    c->poll->data = NULL;
    uv_close((uv_handle_t *)c->poll, free_handle);
    c->poll = NULL;
}

static bool make_poll(struct pg_conn *c)
{
    uv_poll_t *poll = calloc(1, sizeof *poll);
    if (!poll)
        abort();
    if (uv_poll_init(loop_uv(), poll, PQsocket(c->pq)) != 0) {
        free(poll);
        return false;
    }
    poll->data = c;
    c->poll = poll;
    c->poll_events = 0;
    return true;
}

/* False: the kernel has no descriptors or memory left. */
static bool watch_socket(struct pg_conn *c, int events)
{
    if (!c->poll && !make_poll(c))
        return false;
    if (c->poll_events == events)
        return true;
    c->poll_events = events;
    return uv_poll_start(c->poll, events, on_poll) == 0;
}

static void close_socket(struct pg_conn *c)
{
    unwatch_socket(c);
    PQfinish(c->pq);
    c->pq = NULL;
}

/* --- an attempt --- */

static void lose_with_message(struct pg_conn *c)
{
    char why[256];
    pg_message_copy(PQerrorMessage(c->pq), why, sizeof why);
    pg_conn_lost(c, PG_LOSS_BROKEN, why);
}

static void drop_notice(void *arg, const PGresult *notice)
{
    (void)arg;
    (void)notice;
}

static void begin_set_up(struct pg_conn *c)
{
    PQsetNoticeReceiver(c->pq, drop_notice, NULL);
    if (PQsetnonblocking(c->pq, 1) != 0 || !PQenterPipelineMode(c->pq) || !watch_socket(c, UV_READABLE)) {
        lose_with_message(c);
        return;
    }
    set_state(c, PG_SETTING_UP, NULL);
    pg_schema_check(c);
}

/* Moves libpq's handshake on. The poll is made anew each time: the socket may be another afterwards. */
static void step_connect(struct pg_conn *c)
{
    unwatch_socket(c);
    PostgresPollingStatusType want = PQconnectPoll(c->pq);
    if (want == PGRES_POLLING_OK)
        begin_set_up(c);
    else if (want == PGRES_POLLING_FAILED)
        lose_with_message(c);
    else if (!watch_socket(c, want == PGRES_POLLING_READING ? UV_READABLE : UV_WRITABLE))
        pg_conn_lost(c, PG_LOSS_BROKEN, "the socket cannot be polled");
}

/* `hosts` and `addresses` are lists of equal length, as libpq wants them; NULL: a local socket. */
static void begin_connect(struct pg_conn *c, const char *hosts, const char *addresses)
{
    struct pg_conninfo info;
    char name[64];
    snprintf(name, sizeof name, "%s %s %d", config.service_name, c->pool->name, c->index);
    pg_conninfo_init(&info, name, config.db_statement_timeout_ms);
    pg_conninfo_add(&info, "host", hosts ? hosts : config.db_host);
    if (addresses)
        pg_conninfo_add(&info, "hostaddr", addresses);
    set_state(c, PG_CONNECTING, NULL);
    pg_pipeline_reset(c);
    c->pq = PQconnectStartParams(info.keywords, info.values, 0);
    if (!c->pq)
        abort(); /* no memory */
    if (PQstatus(c->pq) == CONNECTION_BAD)
        lose_with_message(c);
    else if (!watch_socket(c, UV_WRITABLE))
        pg_conn_lost(c, PG_LOSS_BROKEN, "the socket cannot be polled");
}

/* --- resolving: libpq's own would block, so it is given addresses --- */

/* Starts with another address at each attempt, for one that does not answer takes the attempt's whole time.
 */
static void connect_to_found(struct pg_conn *c, const struct addrinfo *found)
{
    const struct addrinfo *all[ADDRESSES_MAX];
    int count = 0;
    for (const struct addrinfo *a = found; a && count < ADDRESSES_MAX; a = a->ai_next)
        all[count++] = a;
    struct buf hosts = {0}, addresses = {0};
    for (int i = 0; i < count; i++) {
        char text[ADDRESS_TEXT_MAX];
        if (!address_write(all[(i + c->attempts - 1) % count], text))
            continue;
        buf_addf(&hosts, "%s%s", hosts.n ? "," : "", config.db_host);
        buf_addf(&addresses, "%s%s", addresses.n ? "," : "", text);
    }
    buf_addc(&hosts, '\0');
    buf_addc(&addresses, '\0');
    begin_connect(c, hosts.p, addresses.p);
    buf_done(&hosts);
    buf_done(&addresses);
}

static void on_resolved(void *arg, const struct addrinfo *found, const char *problem)
{
    struct pg_conn *c = arg;
    c->lookup = NULL;
    if (problem)
        pg_conn_lost(c, PG_LOSS_BROKEN, problem);
    else
        connect_to_found(c, found);
}

static void begin_resolve(struct pg_conn *c)
{
    set_state(c, PG_RESOLVING, NULL);
    c->lookup = address_lookup_start(config.db_host, on_resolved, c);
}

/* --- its life --- */

static void on_attempt_timeout(struct timer *t)
{
    pg_conn_lost(container_of(t, struct pg_conn, timer), PG_LOSS_BROKEN, "connecting took too long");
}

void pg_conn_open(struct pg_conn *c)
{
    c->attempts++;
    timer_start(&c->timer, config.db_connect_timeout_ms, on_attempt_timeout);
    if (pg_host_is_local())
        begin_connect(c, NULL, NULL);
    else
        begin_resolve(c);
}

static void on_backoff_over(struct timer *t)
{
    pg_conn_open(container_of(t, struct pg_conn, timer));
}

static int64_t backoff_ms(int attempts)
{
    int64_t cap_ms = BACKOFF_MIN_MS;
    for (int i = 1; i < attempts && cap_ms < BACKOFF_MAX_MS; i++)
        cap_ms *= 2;
    if (cap_ms > BACKOFF_MAX_MS)
        cap_ms = BACKOFF_MAX_MS;
    return (int64_t)arc4random_uniform((uint32_t)cap_ms) + 1;
}

void pg_conn_set_up_done(struct pg_conn *c)
{
    timer_stop(&c->timer);
    c->attempts = 0;
    set_state(c, PG_READY, NULL);
}

static void let_go(struct pg_conn *c)
{
    timer_stop(&c->timer);
    address_lookup_forget(c->lookup);
    c->lookup = NULL;
    close_socket(c);
}

void pg_conn_lost(struct pg_conn *c, enum pg_loss loss, const char *why)
{
    metric_inc(M_DEPENDENCY_ERRORS, "postgresql");
    let_go(c);
    set_state(c, PG_BACKOFF, why);
    timer_start(&c->timer, backoff_ms(c->attempts), on_backoff_over);
    pg_pipeline_fail(c, loss);
}

void pg_conn_close(struct pg_conn *c)
{
    if (c->state == PG_IDLE)
        return;
    let_go(c);
    set_state(c, PG_IDLE, "stopped");
    pg_pipeline_fail(c, PG_LOSS_SILENT);
    pg_pipeline_reset(c);
}

/* --- in use --- */

void pg_conn_flush(struct pg_conn *c)
{
    int left = PQflush(c->pq);
    if (left < 0)
        lose_with_message(c);
    else if (!watch_socket(c, left ? UV_READABLE | UV_WRITABLE : UV_READABLE))
        pg_conn_lost(c, PG_LOSS_BROKEN, "the socket cannot be polled");
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct pg_conn *c = poll->data;
    char why[256] = "";
    if (status < 0) { /* libuv reports POLLERR as an error and watches no longer: libpq finds out which, not
                         always at once, for what arrived before it is read first */
        events = UV_READABLE | UV_WRITABLE;
        c->poll_events = 0;
    }
    if (c->state == PG_CONNECTING) {
        step_connect(c);
        return;
    }
    if ((events & UV_READABLE) && !pg_pipeline_receive(c, why, sizeof why)) {
        pg_conn_lost(c, PG_LOSS_BROKEN, why);
        return;
    }
    pg_conn_flush(c);
}
