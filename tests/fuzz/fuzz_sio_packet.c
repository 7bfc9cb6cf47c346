/* sio/sio_packet.h: what is taken is made of slices of the text, means the same when it is written anew, and
 * names no attachment that does not come. */
#include "fuzz.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "sio/sio_packet.h"

static bool is_event(const struct sio_packet *p)
{
    return p->type == SIO_EVENT || p->type == SIO_BINARY_EVENT;
}

static void check_slices(const struct sio_packet *p, struct str text)
{
    struct str unescaped = {p->unescaped, sizeof p->unescaped};
    assert(fuzz_lies_within(p->namespace_, text) || str_eqz(p->namespace_, "/"));
    assert(fuzz_lies_within(p->query, text) && fuzz_lies_within(p->payload, text));
    if (is_event(p)) {
        assert(fuzz_lies_within(p->args, p->payload));
        assert(fuzz_lies_within(p->name, p->payload) || fuzz_lies_within(p->name, unescaped));
    }
}

/* <type>[<attachments>-][<namespace>,][<id>][<JSON>] */
static struct buf written(const struct sio_packet *p)
{
    struct buf out = {0};
    buf_addf(&out, "%d", p->type);
    if (p->attachment_count)
        buf_addf(&out, "%d-", p->attachment_count);
    if (!str_eqz(p->namespace_, "/") || p->query.p) {
        buf_add_str(&out, p->namespace_);
        buf_addz(&out, p->query.p ? "?" : "");
        buf_add_str(&out, p->query);
        buf_addc(&out, ',');
    }
    if (p->has_id)
        buf_addf(&out, "%" PRIu64, p->id);
    buf_add_str(&out, p->payload);
    return out;
}

static void check_round_trip(const struct sio_packet *p)
{
    struct buf text = written(p);
    struct sio_packet again;
    assert(sio_packet_parse(buf_str(&text), &again));
    assert(again.type == p->type && again.attachment_count == p->attachment_count);
    assert(str_eq(again.namespace_, p->namespace_) && str_eq(again.query, p->query));
    assert(again.has_id == p->has_id && again.id == p->id && str_eq(again.payload, p->payload));
    assert(!is_event(p) || (str_eq(again.name, p->name) && str_eq(again.args, p->args)));
    buf_done(&text);
}

static void check_placeholders(json_t *tree, int count)
{
    size_t i;
    const char *key;
    json_t *item, *num = json_object_get(tree, "num");
    if (json_is_true(json_object_get(tree, "_placeholder"))) {
        assert(json_is_integer(num) && json_integer_value(num) >= 0 && json_integer_value(num) < count);
        return;
    }
    json_array_foreach(tree, i, item)
    {
        check_placeholders(item, count);
    }
    json_object_foreach(tree, key, item)
    {
        check_placeholders(item, count);
    }
}

/* The name is the first element, the arguments are the others. */
static void check_event(const struct sio_packet *p, json_t *payload)
{
    json_t *first = json_array_get(payload, 0);
    struct str name = {json_string_value(first), json_string_length(first)};
    assert(json_is_string(first) ? str_eq(name, p->name) : json_is_number(first));
    struct buf array = {0};
    buf_addc(&array, '[');
    buf_add_str(&array, p->args);
    buf_addc(&array, ']');
    json_t *args = json_loadb(array.p, array.n, JSON_ALLOW_NUL, NULL);
    json_array_remove(payload, 0);
    assert(json_equal(args, payload));
    json_decref(args);
    buf_done(&array);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str text = fuzz_input(data, n);
    struct sio_packet p;
    if (!sio_packet_parse(text, &p))
        return 0;
    bool is_binary = p.type == SIO_BINARY_EVENT || p.type == SIO_BINARY_ACK;
    assert(p.attachment_count <= SIO_ATTACHMENTS_MAX && (p.attachment_count > 0) == is_binary);
    assert(p.namespace_.n >= 1 && p.namespace_.n <= SIO_NAMESPACE_MAX && p.namespace_.p[0] == '/');
    check_slices(&p, text);
    check_round_trip(&p);
    /* NULL where jansson refuses what JSON.parse takes: see fuzz_json_scan.c */
    json_t *payload =
        p.payload.p ? json_loadb(p.payload.p, p.payload.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL) : NULL;
    if (payload && is_binary)
        check_placeholders(payload, p.attachment_count);
    if (payload && is_event(&p))
        check_event(&p, payload);
    json_decref(payload);
    return 0;
}
