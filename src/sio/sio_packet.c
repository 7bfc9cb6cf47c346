/* Parsing of Socket.IO packets. Each take_ function eats one part of the text from the left; the JSON payload
 * is validated once and then only sliced. */
#include "sio_packet.h"

#include "conversation/base/json_scan.h"

#define ID_MAX ((INT64_C(1) << 53) - 1) /* what a JavaScript number holds exactly */

static bool is_binary(enum sio_packet_type type)
{
    return type == SIO_BINARY_EVENT || type == SIO_BINARY_ACK;
}

static bool take_type(struct str *rest, struct sio_packet *out)
{
    if (rest->n == 0 || rest->p[0] < '0' + SIO_CONNECT || rest->p[0] > '0' + SIO_BINARY_ACK)
        return false;
    out->type = rest->p[0] - '0';
    rest->p++;
    rest->n--;
    return true;
}

static bool take_attachment_count(struct str *rest, struct sio_packet *out)
{
    int64_t count = 0;
    if (is_binary(out->type)) {
        struct str digits = str_cut(rest, '-');
        if (!rest->p || !str_to_int(digits, 1, SIO_ATTACHMENTS_MAX, &count))
            return false;
    }
    out->attachment_count = (int)count;
    return true;
}

static bool take_namespace(struct str *rest, struct sio_packet *out)
{
    out->namespace_ = STR("/");
    out->query = (struct str){0};
    if (rest->n == 0 || rest->p[0] != '/')
        return true;
    out->query = str_cut(rest, ',');
    out->namespace_ = str_cut(&out->query, '?');
    return out->namespace_.n <= SIO_NAMESPACE_MAX;
}

static bool take_id(struct str *rest, struct sio_packet *out)
{
    struct str digits = {rest->p, 0};
    while (digits.n < rest->n && rest->p[digits.n] >= '0' && rest->p[digits.n] <= '9')
        digits.n++;
    int64_t id = 0;
    if (digits.n && !str_to_int(digits, 0, ID_MAX, &id))
        return false;
    out->has_id = digits.n > 0;
    out->id = (uint64_t)id;
    rest->p += digits.n;
    rest->n -= digits.n;
    return true;
}

/* Names that mean something to clients and servers themselves. */
static bool is_reserved(struct str name)
{
    static const char *const reserved[] = {"connect",       "connect_error", "disconnect",
                                           "disconnecting", "newListener",   "removeListener"};
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (str_eqz(name, reserved[i]))
            return true;
    return false;
}

/* `string` with its quotes; a slice of it, unless it has escapes. */
static bool read_name(struct str string, struct sio_packet *out)
{
    out->name = (struct str){string.p + 1, string.n - 2};
    if (!memchr(out->name.p, '\\', out->name.n))
        return true;
    out->name.p = out->unescaped;
    return json_unescape(string, out->unescaped, sizeof out->unescaped, &out->name.n);
}

/* ["name", args…] or [number, args…] */
static bool read_event(struct str array, struct sio_packet *out)
{
    struct str rest = json_inside(array), first;
    enum json_type type;
    if (!json_next_item(&rest, &first, &type))
        return false;
    if (type == JSON_NUMBER)
        out->name = first;
    else if (type != JSON_STRING || !read_name(first, out) || is_reserved(out->name))
        return false;
    const char *end = array.p + array.n - 1; /* the bracket */
    const char *after = first.p + first.n;
    out->args = str_trim((struct str){after, (size_t)(end - after)}, " \t\r\n");
    if (out->args.n) { /* the comma */
        out->args.p++;
        out->args.n--;
    }
    return true;
}

static bool read_answer(struct str array, struct sio_packet *out)
{
    out->args = str_trim(json_inside(array), " \t\r\n");
    return true;
}

/* {"_placeholder":true,"num":N}, at any depth, must name an attachment. */
static bool placeholders_are_valid(struct str value, enum json_type type, int count)
{
    struct str rest, key, item;
    enum json_type item_type;
    int64_t num;
    if (type != JSON_ARRAY && type != JSON_OBJECT)
        return true;
    rest = json_inside(value);
    if (type == JSON_ARRAY) {
        while (json_next_item(&rest, &item, &item_type))
            if (!placeholders_are_valid(item, item_type, count))
                return false;
        return true;
    }
    if (json_member(value, "_placeholder", &item, &item_type) && item_type == JSON_TRUE)
        return json_member(value, "num", &item, &item_type) && str_to_int(item, 0, count - 1, &num);
    while (json_next_member(&rest, &key, &item, &item_type))
        if (!placeholders_are_valid(item, item_type, count))
            return false;
    return true;
}

static bool read_payload(struct str text, struct sio_packet *out)
{
    enum json_type type = JSON_NULL;
    out->payload = (struct str){0};
    if (text.n &&
        (unsigned char)text.p[0] <= ' ') /* JSON may, but socket.io-parser takes a space as the id 0 */
        return false;
    if (text.n && (!json_take_value(&text, &out->payload, &type) || str_trim(text, " \t\r\n").n))
        return false;
    bool is_absent = !out->payload.p;
    switch (out->type) {
    case SIO_CONNECT: return is_absent || type == JSON_OBJECT;
    case SIO_DISCONNECT: return is_absent;
    case SIO_CONNECT_ERROR: return is_absent || type == JSON_OBJECT || type == JSON_STRING;
    case SIO_EVENT: return type == JSON_ARRAY && read_event(out->payload, out);
    case SIO_ACK: return type == JSON_ARRAY && read_answer(out->payload, out);
    case SIO_BINARY_EVENT:
        return type == JSON_ARRAY && read_event(out->payload, out) &&
               placeholders_are_valid(out->payload, type, out->attachment_count);
    case SIO_BINARY_ACK:
        return type == JSON_ARRAY && read_answer(out->payload, out) &&
               placeholders_are_valid(out->payload, type, out->attachment_count);
    }
    return false;
}

bool sio_packet_parse(struct str text, struct sio_packet *out)
{
    return take_type(&text, out) && take_attachment_count(&text, out) && take_namespace(&text, out) &&
           take_id(&text, out) && read_payload(text, out);
}
