/* Metrics: one table, Prometheus text out (docs/operations.md, "Metrics"). In-process, no locks: loop thread
 * only. */
#ifndef CONVERSATION_BASE_METRICS_H
#define CONVERSATION_BASE_METRICS_H

#include "conversation/base/str.h"

/* Scores: a histogram with bounds for points instead of seconds. */
enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM, METRIC_SCORES };

/*  id                          kind              name                                label names      help */
#define METRIC_TABLE(X)                                                                                      \
    X(M_MATCH_REQUESTS, METRIC_COUNTER, "match_requests_total", "language,topic", "Match requests accepted") \
    X(M_MATCH_SUCCESS_RATE, METRIC_GAUGE, "match_success_rate", "",                                          \
      "Matched requests among the finished ones since start, percent")                                       \
    X(M_MATCH_WAIT, METRIC_HISTOGRAM, "match_wait_time_seconds", "language", "Wait from request to match")   \
    X(M_MATCH_SCORE, METRIC_SCORES, "match_score", "", "Compatibility score of the pairs")                   \
    X(M_MATCHES, METRIC_COUNTER, "matches_total", "language,phase",                                          \
      "Pairs, by the phase in which they were found")                                                        \
    X(M_MATCH_EXPIRED, METRIC_COUNTER, "match_requests_expired_total", "language,reason",                    \
      "Match requests that found nobody in time")                                                            \
    X(M_STATUS_WAITING, METRIC_GAUGE, "match_status_waiting", "",                                            \
      "Calls waiting for a match request to change")                                                         \
    X(M_QUEUE_SIZE, METRIC_GAUGE, "redis_queue_size", "language", "Waiting match requests")                  \
    X(M_QUEUE_OLDEST, METRIC_GAUGE, "match_oldest_wait_seconds", "language",                                 \
      "Wait of the request that waits longest")                                                              \
    X(M_QUEUE_SCHEDULED, METRIC_GAUGE, "match_requests_scheduled", "language",                               \
      "Match requests whose time has not come")                                                              \
    X(M_IS_LEADER, METRIC_GAUGE, "matchmaker_is_leader", "", "1 on the instance that decides who is paired") \
    X(M_CONVERSATIONS_ACTIVE, METRIC_GAUGE, "conversations_active", "",                                      \
      "Active sessions this instance runs")                                                                  \
    X(M_CONVERSATIONS_COMPLETED, METRIC_COUNTER, "conversations_completed_total", "language,duration_range", \
      "Completed sessions")                                                                                  \
    X(M_CONVERSATIONS_ABORTED, METRIC_COUNTER, "conversations_aborted_total", "language",                    \
      "Sessions aborted in the first minute")                                                                \
    X(M_RATING_AVG, METRIC_GAUGE, "conversation_rating_avg", "topic", "Mean rating since start")             \
    X(M_REPORTS, METRIC_COUNTER, "reports_total", "reason", "Participants reported by the other one")        \
    X(M_USERS_FLAGGED, METRIC_COUNTER, "users_flagged_total", "", "Users flagged for review")                \
    X(M_PROMPTS, METRIC_COUNTER, "prompts_displayed_total", "type", "Prompts shown")                         \
    X(M_WS_ACTIVE, METRIC_GAUGE, "websocket_connections_active", "", "Engine.IO sessions open")              \
    X(M_WS_MESSAGES, METRIC_COUNTER, "websocket_messages_total", "type",                                     \
      "Socket.IO events received, by event")                                                                 \
    X(M_WS_SLOW_CLOSED, METRIC_COUNTER, "websocket_slow_consumers_total", "",                                \
      "Engine.IO sessions cut because they did not read or poll")                                            \
    X(M_WS_RECOVERIES, METRIC_COUNTER, "websocket_recoveries_total", "result",                               \
      "Sockets that asked to be recovered: recovered, shared (from another instance) or fresh")              \
    X(M_RECOVERY_WRITES, METRIC_COUNTER, "recovery_store_writes_total", "result",                            \
      "Batches of what sockets need to be recovered elsewhere, by done or failed")                           \
    X(M_RECOVERY_WRITTEN_BYTES, METRIC_COUNTER, "recovery_store_written_bytes_total", "",                    \
      "Bytes of those batches")                                                                              \
    X(M_WS_DEFLATE_PLAIN, METRIC_COUNTER, "websocket_deflate_plain_bytes_total", "direction",                \
      "Compressed WebSocket messages, by what they stand for")                                               \
    X(M_WS_DEFLATE_WIRE, METRIC_COUNTER, "websocket_deflate_wire_bytes_total", "direction",                  \
      "Compressed WebSocket messages, by what was sent")                                                     \
    X(M_HTTP_REQUESTS, METRIC_COUNTER, "http_requests_total", "method,route,status",                         \
      "REST requests answered")                                                                              \
    X(M_HTTP_DURATION, METRIC_HISTOGRAM, "http_request_duration_seconds", "route",                           \
      "Time from request read to answer queued")                                                             \
    X(M_HTTP_CONNECTIONS, METRIC_GAUGE, "http_connections_active", "", "Open TCP connections")               \
    X(M_HTTP_REFUSED, METRIC_COUNTER, "http_connections_refused_total", "reason",                            \
      "TCP connections closed at once, by what there was too much of")                                       \
    X(M_HTTP_SLOW_CLOSED, METRIC_COUNTER, "http_slow_readers_total", "",                                     \
      "HTTP connections cut because they did not read")                                                      \
    X(M_JWT_CACHE, METRIC_COUNTER, "jwt_cache_lookups_total", "result",                                      \
      "Tokens looked for among those verified before, by hit or miss")                                       \
    X(M_TLS_EXPIRY, METRIC_GAUGE, "tls_certificate_expires_timestamp_seconds", "",                           \
      "End of the certificate, since 1970 UTC")                                                              \
    X(M_DEPENDENCY_UP, METRIC_GAUGE, "dependency_up", "dependency", "1 when connected")                      \
    X(M_DEPENDENCY_LATENCY, METRIC_HISTOGRAM, "dependency_request_duration_seconds", "dependency",           \
      "Time of a statement or command")                                                                      \
    X(M_DEPENDENCY_ERRORS, METRIC_COUNTER, "dependency_errors_total", "dependency",                          \
      "Failed statements, commands and connects")                                                            \
    X(M_PROFILE_ANSWERS, METRIC_COUNTER, "profile_answers_total", "source",                                  \
      "Learner profiles asked for, by where the answer came from")                                           \
    X(M_PROFILE_REQUESTS, METRIC_COUNTER, "profile_requests_total", "result",                                \
      "Requests to the auth-service, by result")                                                             \
    X(M_PROFILE_BREAKER, METRIC_GAUGE, "profile_breaker_state", "",                                          \
      "Circuit breaker of the auth-service: 0 closed, 1 half-open, 2 open")                                  \
    X(M_OUTBOX_IS_RELAY, METRIC_GAUGE, "outbox_is_relay", "",                                                \
      "1 on the instance that sends events to Kafka")                                                        \
    X(M_OUTBOX_LAG, METRIC_GAUGE, "outbox_lag_seconds", "", "Age of the oldest event that was not sent")     \
    X(M_OUTBOX_UNSENT, METRIC_GAUGE, "outbox_unsent_events", "",                                             \
      "Events that were not sent, counted up to 100,000")                                                    \
    X(M_OUTBOX_SENT, METRIC_COUNTER, "outbox_events_sent_total", "type", "Events that Kafka has taken")      \
    X(M_OUTBOX_FAILURES, METRIC_COUNTER, "outbox_delivery_failures_total", "reason",                         \
      "Events that Kafka has not taken")                                                                     \
    X(M_OUTBOX_DELAY, METRIC_HISTOGRAM, "outbox_delivery_delay_seconds", "",                                 \
      "Time from an event to Kafka's answer")                                                                \
    X(M_CONSUMED, METRIC_COUNTER, "kafka_messages_consumed_total", "topic,result",                           \
      "Messages of other services: handled, ignored, skipped because they can never be, or to be tried "     \
      "again")                                                                                               \
    X(M_FLOWS_ACTIVE, METRIC_GAUGE, "flows_active", "", "Flows in progress")                                 \
    X(M_FLOW_FAILURES, METRIC_COUNTER, "flow_failures_total", "flow,error", "Flows that ended in an error")  \
    X(M_LOOP_LAG, METRIC_HISTOGRAM, "event_loop_lag_seconds", "", "Lateness of the timer tick")              \
    X(M_PROCESS_CPU, METRIC_COUNTER, "process_cpu_seconds_total", "", "User and system CPU time")            \
    X(M_PROCESS_RSS, METRIC_GAUGE, "process_resident_memory_bytes", "", "Resident memory")                   \
    X(M_PROCESS_START, METRIC_GAUGE, "process_start_time_seconds", "", "Start, since 1970 UTC")

enum metric {
#define METRIC_ENUM(id, kind, name, labels, help) id,
    METRIC_TABLE(METRIC_ENUM)
#undef METRIC_ENUM
        METRIC_COUNT
};

/* Label values are given in the table's order, NULL for none. Series are created on first use; at most
 * METRIC_SERIES_MAX per metric, beyond that the values become "other" (a client must not grow our memory). */
#define METRIC_SERIES_MAX 512

void metric_add(enum metric id, double delta, const char *label1, const char *label2, const char *label3);
/* What a counter's series counts with, for what happens with every message: found once, then `++*p`. Valid
 * until metrics_reset. */
double *metric_counter(enum metric id, const char *label1);
void metric_set(enum metric id, double value, const char *label1);
void metric_mean(enum metric id, double value,
                 const char *label1); /* gauges; the mean of the values since start */
void metric_observe(enum metric id, double value, const char *label1); /* histograms; seconds or points */
static inline void metric_inc(enum metric id, const char *label1)
{
    metric_add(id, 1, label1, NULL, NULL);
}

void metric_zero(
    enum metric id); /* sets every series of a gauge to 0, before those that still exist are set */

/* Called before each rendering: the place to read what is measured only when asked for. Each is added once;
 * NULL takes all of them away. */
void metrics_on_render(void (*update)(void));

void metrics_render(struct buf *out); /* Prometheus text format 0.0.4 */
void metrics_reset(void);             /* frees every series; for exit and tests */

#endif
