/* outbox.relay: a pass of the relay. Reads the oldest events that were not sent, publishes them, waits for
 * all delivery reports, and marks what was delivered. What was delivered and not marked (the process died,
 * the database was away until it stopped) is delivered again by the next pass. */
#include "flows/job.h"
#include "flows/outbox.h"
#include "flows/outbox_envelope.h"

#include "conversation/base/clock.h"
#include "conversation/base/log.h"
#include "conversation/base/metrics.h"
#include "conversation/config.h"
#include "conversation/ports/db_outbox.h"
#include "conversation/ports/publisher.h"

struct relay_pass {
    struct outbox_pass pass; /* first */
    struct outbox_events events;
    struct publish_message *messages; /* of the events, in their order */
    int64_t *delivered;               /* ids */
    enum err marked;
};

static void prepare(struct flow *f, struct relay_pass *c, size_t i)
{
    const struct outbox_event *e = &c->events.items[i];
    struct buf value = {0};
    outbox_envelope(&value, e);
    c->messages[i] = (struct publish_message){
        .key = str_of(e->key),
        .value = arena_str(flow_arena(f), buf_str(&value)),
        .headers = {{"content-type", "application/json"},
                    {"event-id", e->event_id},
                    {"event-type", e->type},
                    {"correlation-id", e->correlation_id}},
    };
    buf_done(&value);
}

static void publish(struct flow *f, struct relay_pass *c)
{
    c->pass.read = c->events.count;
    c->messages = ARENA_ARRAY(flow_arena(f), struct publish_message, c->events.count);
    c->delivered = ARENA_ARRAY(flow_arena(f), int64_t, c->events.count);
    for (size_t i = 0; i < c->events.count; i++)
        prepare(f, c, i);
    publish_all(f, config.kafka_topic_conversations, c->messages, c->events.count);
}

static void count_delivered(const struct outbox_event *e)
{
    int64_t took_ms = clock_now_ms() - e->created_at_ms;
    metric_inc(M_OUTBOX_SENT, e->type);
    metric_observe(M_OUTBOX_DELAY, took_ms > 0 ? (double)took_ms / 1000 : 0, NULL);
}

static void take_results(struct relay_pass *c)
{
    for (size_t i = 0; i < c->events.count; i++) {
        if (c->messages[i].result == PUBLISH_DELIVERED) {
            c->delivered[c->pass.sent++] = c->events.items[i].id;
            count_delivered(&c->events.items[i]);
        } else {
            metric_inc(M_OUTBOX_FAILURES, c->messages[i].result == PUBLISH_REFUSED ? "refused" : "failed");
        }
    }
    c->pass.has_failed = c->pass.sent < c->pass.read;
}

/* An event that travelled alone was refused for its own sake. */
static bool is_refused(const struct relay_pass *c)
{
    return c->pass.max == 1 && c->pass.read == 1 && c->messages[0].result == PUBLISH_REFUSED;
}

static void give_up(struct flow *f, struct relay_pass *c)
{
    const struct outbox_event *e = &c->events.items[0];
    LOG(LOG_ERROR, "outbox.event_refused", LOG_Z("eventId", e->event_id), LOG_Z("eventType", e->type),
        LOG_Z("correlationId", e->correlation_id));
    c->pass.has_failed = false; /* done with */
    db_outbox_refuse(f, e->id);
}

static void run(struct flow *f)
{
    struct relay_pass *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT(f, db_outbox_read(f, c->pass.max, &c->events));
    if (c->events.count > 0) {
        AWAIT(f, publish(f, c));
        take_results(c);
        if (is_refused(c))
            AWAIT(f, give_up(f, c));
        if (c->pass.sent > 0) {
            AWAIT_LASTING(f, &c->marked, db_outbox_mark(f, c->delivered, c->pass.sent));
            if (c->marked)
                FLOW_FAIL(f, c->marked);
        }
    }
    FLOW_END(f);
fail:
    return; /* the engine logs it; the next pass tries again */
}

const struct flow_spec job_outbox_relay = {
    .name = "outbox.relay",
    .run = run,
    .ctx_size = sizeof(struct relay_pass),
};
