/* Parsing of Socket.IO packets. Each take_ function eats one part of the text from the left, and validates
 * it. */
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
    out->has_id = digits.n > 0;
    if (out->has_id && !str_to_int(digits, 0, ID_MAX, &id))
        return false;
    out->id = (uint64_t)id;
    if (!out->has_id) /* there may be nothing at all */
        return true;
    rest->p += digits.n;
    rest->n -= digits.n;
    return true;
}

/* Names that mean something to clients and servers themselves. */
static bool is_reserved(struct str name)
{
    switch (name.n ? name.p[0] : '\0') {
    case 'c': return str_eqz(name, "connect") || str_eqz(name, "connect_error");
    case 'd': return str_eqz(name, "disconnect") || str_eqz(name, "disconnecting");
    case 'n': return str_eqz(name, "newListener");
    case 'r': return str_eqz(name, "removeListener");
    default: return false;
    }
}

/* A slice of the string, unless it has escapes. */
static bool take_name(struct str *rest, struct sio_packet *out)
{
    struct str string;
    bool is_plain;
    if (!json_take_string(rest, &string, &is_plain))
        return false;
    out->name = json_inside(string);
    if (is_plain)
        return true;
    out->name.p = out->unescaped;
    return json_unescape(string, out->unescaped, sizeof out->unescaped, &out->name.n);
}

static void skip_space(struct str *rest)
{
    while (rest->n && (unsigned char)*rest->p <= ' ' &&
           (*rest->p == ' ' || *rest->p == '\n' || *rest->p == '\r' || *rest->p == '\t')) {
        rest->p++;
        rest->n--;
    }
}

static bool take_char(struct str *rest, char c)
{
    skip_space(rest);
    if (rest->n == 0 || *rest->p != c)
        return false;
    rest->p++;
    rest->n--;
    return true;
}

/* The items up to the closing bracket, which is taken too; the text before them is "[" or "[name,". */
static bool take_args(struct str *rest, struct sio_packet *out)
{
    enum json_type type;
    if (!json_take_indexed(rest, &type, &out->index))
        return false;
    out->first = out->index.text;
    struct str item = out->first;
    while (take_char(rest, ',')) {
        if (!json_take_value(rest, &item, &type))
            return false;
    }
    out->args = (struct str){out->first.p, (size_t)(item.p + item.n - out->first.p)};
    return take_char(rest, ']');
}

static bool take_number(struct str *rest, struct sio_packet *out)
{
    enum json_type type;
    return json_take_value(rest, &out->name, &type) && type == SCAN_NUMBER;
}

/* ["name", args…] or [number, args…] */
static bool take_event(struct str *rest, struct sio_packet *out)
{
    if (!take_char(rest, '['))
        return false;
    skip_space(rest);
    bool is_number = rest->n && *rest->p != '"';
    if (is_number ? !take_number(rest, out) : !take_name(rest, out) || is_reserved(out->name))
        return false;
    return take_char(rest, ',') ? take_args(rest, out) : take_char(rest, ']');
}

/* [args…] */
static bool take_answer(struct str *rest, struct sio_packet *out)
{
    return take_char(rest, '[') && (take_char(rest, ']') || take_args(rest, out));
}

/* {"_placeholder":true,"num":N}, at any depth, must name an attachment. */
static bool placeholders_are_valid(struct str value, enum json_type type, int count)
{
    struct str rest, key, item;
    enum json_type item_type;
    int64_t num;
    if (type != SCAN_ARRAY && type != SCAN_OBJECT)
        return true;
    rest = json_inside(value);
    if (type == SCAN_ARRAY) {
        while (json_next_item(&rest, &item, &item_type))
            if (!placeholders_are_valid(item, item_type, count))
                return false;
        return true;
    }
    if (json_member(value, "_placeholder", &item, &item_type) && item_type == SCAN_TRUE)
        return json_member(value, "num", &item, &item_type) && str_to_int(item, 0, count - 1, &num);
    while (json_next_member(&rest, &key, &item, &item_type))
        if (!placeholders_are_valid(item, item_type, count))
            return false;
    return true;
}

/* The payload of a CONNECT, DISCONNECT or CONNECT_ERROR. */
static bool take_value(struct str *rest, struct sio_packet *out)
{
    enum json_type type = SCAN_NULL;
    if (rest->n && !json_take_value(rest, &out->payload, &type))
        return false;
    bool is_absent = !out->payload.p;
    switch (out->type) {
    case SIO_CONNECT: return is_absent || type == SCAN_OBJECT;
    case SIO_CONNECT_ERROR: return is_absent || type == SCAN_OBJECT || type == SCAN_STRING;
    default: return is_absent;
    }
}

/* Each part of the payload is looked at once, but for placeholders. */
static bool take_payload(struct str *rest, struct sio_packet *out)
{
    bool is_event = out->type == SIO_EVENT || out->type == SIO_BINARY_EVENT;
    struct str all = *rest;
    if (!is_event && out->type != SIO_ACK && out->type != SIO_BINARY_ACK)
        return take_value(rest, out);
    if (!(is_event ? take_event(rest, out) : take_answer(rest, out)))
        return false;
    out->payload = (struct str){all.p, all.n - rest->n};
    return !is_binary(out->type) || placeholders_are_valid(out->payload, SCAN_ARRAY, out->attachment_count);
}

static bool read_payload(struct str rest, struct sio_packet *out)
{
    out->payload = out->args = out->first = (struct str){NULL, 0};
    /* JSON may begin with one, but socket.io-parser takes a space as the id 0 */
    if (rest.n && (unsigned char)rest.p[0] <= ' ')
        return false;
    if (!take_payload(&rest, out))
        return false;
    skip_space(&rest);
    return rest.n == 0;
}

bool sio_packet_parse(struct str text, struct sio_packet *out)
{
    return take_type(&text, out) && take_attachment_count(&text, out) && take_namespace(&text, out) &&
           take_id(&text, out) && read_payload(text, out);
}
