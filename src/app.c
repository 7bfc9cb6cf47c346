/* The daemon's life. Start: loop, edge, adapters, matchmaker, jobs, listeners. Stop, on SIGTERM or SIGINT:
 *
 *     running --signal--> draining --told, 0.5 s--> finishing --no flow left, or time out--> stopping -->
 * loop ends
 *
 * Databases may be away at start: the daemon serves, says so in /readyz, and recovers by itself. */
#include "app.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <uv.h>

#include "conversation/base/clock.h"
#include "conversation/base/log.h"
#include "conversation/base/metrics.h"
#include "conversation/config.h"
#include "conversation/edge/edge.h"
#include "conversation/ports/bus.h"
#include "conversation/ports/consumer.h"
#include "conversation/ports/db.h"
#include "conversation/ports/kv.h"
#include "conversation/ports/profile.h"
#include "conversation/ports/publisher.h"
#include "conversation/ports/recovery.h"
#include "conversation/rt/heap.h"
#include "conversation/rt/loop.h"
#include "conversation/rt/process.h"
#include "conversation/rt/timer.h"
#include "flows/bus/bus.h"
#include "flows/job.h"
#include "flows/live.h"
#include "flows/match_watch.h"
#include "flows/matchmaker.h"
#include "flows/outbox.h"
#include "flows/topic_lists.h"
#include "flows/user_events.h"
#include "tables.h"

#define TELL_MS       500  /* between server_draining and the end of the sockets */
#define LOOK_MS       20   /* how often a stop looks whether the flows have finished */
#define AWAY_MS       2000 /* for what runs, when the database is away */
#define STOP_SHARE_MS 2000 /* of the shutdown timeout, kept for closing */

static const char *config_path;
static uv_signal_t signals[3];
static struct timer stop_timer;
static int64_t stop_by_ms;

/* --- stop --- */

static void stop_now(void)
{
    live_done();
    consumer_abandon();
    outbox_done();
    publisher_stop();
    profile_stop();
    db_stop();
    recovery_store_stop();
    kv_stop(); /* it tells the bus what got no answer */
    bus_stop();
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        uv_close((uv_handle_t *)&signals[i], NULL);
    loop_stop();
}

static bool must_wait(void)
{
    return flow_active_count() > 0 || !bus_is_quiet() || hub_has_unsaved() || !outbox_is_resting() ||
           !consumer_is_stopped();
}

static void on_finishing(struct timer *t)
{
    if (must_wait() && clock_mono_ms() < stop_by_ms) {
        timer_start(t, LOOK_MS, on_finishing);
        return;
    }
    flow_cancel_all(ERR_DRAINING);
    edge_close();
    LOG(LOG_INFO, "service.stopped", LOG_INT("flowsCancelled", (int64_t)flow_active_count()));
    stop_now();
}

/* The sessions go on elsewhere: the live ones are handed over before their sockets are closed, so that nobody
 * counts as dropped; partners at other instances are told partner_left, and have the grace. */
static void on_told(struct timer *t)
{
    live_hand_over();
    hub_close_all();
    timer_start(t, LOOK_MS, on_finishing); /* what has been said must leave first */
}

static void drain(void)
{
    LOG(LOG_INFO, "service.draining", LOG_INT("sockets", (int64_t)hub_socket_count()),
        LOG_INT("flows", (int64_t)flow_active_count()));
    int64_t patience_ms = config.shutdown_timeout_seconds * 1000LL - STOP_SHARE_MS;
    if (!db_is_up() && patience_ms > AWAY_MS) /* what waits for the database would wait in vain */
        patience_ms = AWAY_MS;
    stop_by_ms = clock_mono_ms() + patience_ms;
    jobs_stop();
    consumer_stop();
    matchmaker_stop();
    outbox_stop();
    edge_drain();
    match_watch_release();
    timer_start(&stop_timer, hub_socket_count() ? TELL_MS : 0, on_told);
}

/* --- signals --- */

static void on_terminate(uv_signal_t *handle, int number)
{
    (void)handle;
    (void)number;
    if (stop_by_ms)
        stop_by_ms = 1; /* asked twice: wait for nothing */
    else
        drain();
}

static void on_hangup(uv_signal_t *handle, int number)
{
    char problem[512];
    const char *why;
    (void)handle;
    (void)number;
    if (!config_reload(config_path, problem)) {
        LOG(LOG_ERROR, "config.reload_failed", LOG_Z("problem", problem));
        return;
    }
    if (!edge_reload(&why))
        LOG(LOG_ERROR, "config.reload_failed", LOG_Z("variable", "JWT_PUBLIC_KEY"), LOG_Z("problem", why));
    struct edge_refusal refusal;
    if (!edge_load_certificate(&refusal))
        LOG(LOG_ERROR, "config.reload_failed", LOG_Z("variable", refusal.variable),
            LOG_Z("problem", refusal.why));
    enum log_level level;
    if (log_level_parse(config.log_level, &level))
        log_set_threshold(level);
    routes_init();
    LOG(LOG_INFO, "config.reloaded", LOG_Z("logLevel", config.log_level));
}

static void watch_signals(void)
{
    static const struct {
        int number;
        uv_signal_cb callback;
    } rows[] = {{SIGTERM, on_terminate}, {SIGINT, on_terminate}, {SIGHUP, on_hangup}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uv_signal_init(loop_uv(), &signals[i]);
        uv_signal_start(&signals[i], rows[i].callback, rows[i].number);
        uv_unref((uv_handle_t *)&signals[i]);
    }
}

/* --- start --- */

/* Each socket is a descriptor: take what the system allows. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* What the configuration, or the system, may forbid. */
static bool set_up(void)
{
    static const struct hub_setup hub = {
        .events = event_rows, .socket_gone = live_socket_gone, .came_from_elsewhere = job_user_catch_up};
    const char *why;
    struct edge_problem problem;
    char text[512];
    loop_init();
    heap_use_large_pages();
    process_metrics_start();
    if (!edge_init(&hub, &why)) {
        fprintf(stderr, "conversationd: JWT_PUBLIC_KEY: %s\n", why);
        return false;
    }
    if (!profile_start()) {
        fprintf(stderr, "conversationd: AUTH_SERVICE_URL: cannot be used: %s\n", config.auth_service_url);
        return false;
    }
    if (config.kafka_brokers[0] && !publisher_start(text, sizeof text)) {
        fprintf(stderr, "conversationd: Kafka: %s\n", text);
        return false;
    }
    if (!bus_consumer_start(text, sizeof text)) {
        fprintf(stderr, "conversationd: Kafka consumer: %s\n", text);
        return false;
    }
    routes_init();
    if (!edge_listen(&problem)) {
        fprintf(stderr, "conversationd: cannot listen on %s port %d: %s\n", config.bind_address, problem.port,
                problem.why);
        return false;
    }
    return true;
}

static void begin(void)
{
    db_start();
    outbox_start();
    kv_start();
    if (config.ws_recovery_seconds && config.ws_recovery_shared_bytes)
        recovery_store_start(config.ws_recovery_seconds * 1000LL + config.ws_heartbeat_interval_ms +
                             config.ws_heartbeat_timeout_ms);
    bus_start(matchmaker_reload_soon); /* what others said meanwhile was missed */
    user_events_start();
    live_start();
    matchmaker_start();
    jobs_start();
    watch_signals();
}

int app_run(const char *config_path_)
{
    config_path = config_path_;
    raise_descriptor_limit();
    if (!set_up())
        return 1; /* nothing was promised to anybody yet: the process's end cleans up */
    begin();
    LOG(LOG_INFO, "service.started", LOG_Z("version", CONVERSATION_VERSION), LOG_INT("port", edge_port()));
    loop_run();
    topic_lists_drop();
    edge_done();
    loop_done();
    metrics_reset();
    return 0;
}
