/* A message becomes a flow. What can never succeed (no JSON, no event, members missing) is logged, counted
 * and skipped: it must not keep those behind it waiting. What fails because something is away is tried until
 * it works; an error of ours a few times. Messages hold personal data: none of their text is logged. */
#include "flows/bus/bus.h"

#include "conversation/base/json_scan.h"
#include "conversation/base/log.h"
#include "conversation/base/metrics.h"
#include "conversation/config.h"
#include "conversation/ports/consumer.h"

#define VALUE_MAX  65536
#define TYPE_MAX   64
#define TRIES_MAX  5 /* with an error that does not pass by itself */
#define TOPICS_MAX 8

/* --- what becomes of a message --- */

static void count(const struct consumed *m, const char *result)
{
    metric_add(M_CONSUMED, 1, m->topic, result, NULL);
}

static void ignore(const struct consumed *m)
{
    count(m, "ignored");
    consumer_done(m);
}

static void skip(const struct consumed *m, const char *why)
{
    count(m, "skipped");
    LOG(LOG_WARN, "event.skipped", LOG_Z("topic", m->topic), LOG_INT("partition", m->partition),
        LOG_INT("offset", m->offset), LOG_Z("reason", why));
    consumer_done(m);
}

static void try_again(const struct consumed *m)
{
    count(m, "retried");
    consumer_again(m);
}

/* --- the envelope --- */

struct envelope {
    char event_type[TYPE_MAX];
    char correlation_id[CORRELATION_ID_MAX + 1]; /* "": none that can be taken over */
    struct str payload;
};

static bool is_plain(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == '"' || s.p[i] == '\\')
            return false;
    return s.n > 0;
}

static void take_correlation_id(struct str event, char out[CORRELATION_ID_MAX + 1])
{
    struct str metadata, id;
    enum json_type type;
    bool is_there = json_member(event, "metadata", &metadata, &type) && type == SCAN_OBJECT &&
                    json_member(metadata, "correlationId", &id, &type) && type == SCAN_STRING;
    if (is_there) /* without its quotes */
        id = (struct str){id.p + 1, id.n - 2};
    if (!is_there || !is_plain(id) || !str_copy(id, out, CORRELATION_ID_MAX + 1))
        out[0] = '\0';
}

/* NULL: done; else why it is no event. */
static const char *read_envelope(struct str value, struct envelope *out)
{
    struct str rest = value, event, member;
    enum json_type type;
    size_t n;
    if (value.n > VALUE_MAX)
        return "too long";
    if (!json_is_valid(value) || !json_take_value(&rest, &event, &type) || type != SCAN_OBJECT)
        return "not a JSON object";
    if (!json_member(event, "eventType", &member, &type) || type != SCAN_STRING ||
        !json_unescape(member, out->event_type, TYPE_MAX - 1, &n))
        return "no eventType";
    out->event_type[n] = '\0';
    if (!json_member(event, "payload", &out->payload, &type) || type != SCAN_OBJECT)
        return "no payload";
    take_correlation_id(event, out->correlation_id);
    return NULL;
}

/* NULL: nobody's */
static const struct handler *handler_of(const char *topic, const char *event_type)
{
    for (const struct bus_row *row = bus_rows; row->topic; row++)
        if (strcmp(*row->topic, topic) == 0 && strcmp(row->event_type, event_type) == 0)
            return row->handler;
    return NULL;
}

/* --- the flow --- */

struct bus_start {
    const struct handler *handler;
    struct str payload;
};

static void decode(struct flow *f, void *arg)
{
    const struct bus_start *start = arg;
    struct str details = {0};
    enum err err =
        fields_decode_json(start->handler->input, start->payload, flow_ctx(f), flow_arena(f), &details);
    if (err)
        flow_set_error_details(f, err, details);
}

static void ended(struct flow *f)
{
    const struct consumed *m = flow_caller(f);
    enum err err = flow_error(f);
    if (!err) {
        count(m, "handled");
        consumer_done(m);
    } else if (err == ERR_INVALID_REQUEST)
        skip(m, "members missing or wrong");
    else if (err == ERR_NOT_FOUND)
        skip(m, "of something that is not there");
    else if (err_is_passing(err) || err == ERR_CANCELLED || m->tries + 1 < TRIES_MAX)
        try_again(m);
    else
        skip(m, err_info(err)->name);
}

static void take(const struct consumed *m)
{
    struct envelope envelope;
    const char *why = read_envelope(m->value, &envelope);
    const struct handler *handler = why ? NULL : handler_of(m->topic, envelope.event_type);
    if (why)
        skip(m, why);
    else if (!handler)
        ignore(m);
    else
        flow_start(&(struct flow_start){
            .spec = &handler->flow,
            .correlation_id = envelope.correlation_id[0] ? envelope.correlation_id : NULL,
            .caller = (void *)m,
            .done = ended,
            .before = decode,
            .before_arg = &(struct bus_start){handler, envelope.payload},
        });
}

bool bus_consumer_start(char *why, size_t cap)
{
    static const char *topics[TOPICS_MAX]; /* each once */
    int topic_count = 0;
    if (!config.kafka_brokers[0])
        return true;
    for (const struct bus_row *row = bus_rows; row->topic; row++) {
        int i = 0;
        while (i < topic_count && strcmp(topics[i], *row->topic) != 0)
            i++;
        if (i == topic_count)
            topics[topic_count++] = *row->topic;
    }
    topics[topic_count] = NULL;
    return consumer_start(&(struct consumer_setup){topics, take}, why, cap);
}
