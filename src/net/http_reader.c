/* Requests by llhttp, whose callbacks only collect. Invariant: after HTTP_COMPLETE the reader is not fed
 * before it is initialised again, so that the text and the slices of the request stay as they are. */
#include "http_reader.h"

#include <stdlib.h>

#include "conversation/net/settings.h"
#include "http_rules.h"

#define TEXT_FIRST_BYTES 1024 /* most requests fit */
#define CHUNK_LINE_BYTES 20   /* a chunk's size in hexadecimal and the line ends around it */
#define VERSION_BYTES    9    /* " HTTP/1.1" */

static const char malformed[] = "malformed HTTP request";
static const char headers_too_large[] = "header fields too large";

struct span {
    size_t at, n;
};

struct http_draft {
    struct buf text; /* target, field names and values, body: spans and fields refer to it */
    size_t header_bytes;
    struct span target, body;
    struct http_request request;
    enum { REQUEST_LINE, HEADER, FRAMING } line; /* what is looked at; the last: chunks' and trailers */
    size_t line_bytes;                           /* of it */
    char tail[VERSION_BYTES];                    /* the last bytes of the request line */
    size_t framing_bytes;                        /* since the last bytes of the body */
    bool in_field;                               /* its name has begun, its value has not ended */
    int field_count;
    struct http_field fields[HTTP_FIELDS_MAX];
};

/* --- the request, as far as it is known --- */

static enum http_method method_of(const llhttp_t *parser)
{
    switch (parser->method) {
    case HTTP_GET: return GET;
    case HTTP_POST: return POST;
    case HTTP_PUT: return PUT;
    case HTTP_PATCH: return PATCH;
    case HTTP_DELETE: return DELETE;
    case HTTP_HEAD: return HEAD;
    case HTTP_OPTIONS: return OPTIONS;
    default: return HTTP_METHOD_OTHER;
    }
}

static struct str slice(const struct http_draft *d, struct span s)
{
    return s.n ? (struct str){d->text.p + s.at, s.n} : STR("");
}

const struct http_request *http_reader_request(struct http_reader *r)
{
    static const struct http_request nothing = {
        .method = HTTP_METHOD_OTHER, .path = STR(""), .body = STR("")};
    struct http_draft *d = r->draft;
    if (!d)
        return &nothing;
    enum http_method method =
        d->target.n ? method_of(&r->parser) : HTTP_METHOD_OTHER; /* known before the target is */
    struct http_target target = http_target_of(slice(d, d->target), method);
    d->request = (struct http_request){
        .method = method,
        .path = target.path,
        .query = target.query,
        .host = target.authority,
        .body = slice(d, d->body),
        .has_body = (r->parser.flags & F_CHUNKED) || d->body.n > 0,
        .is_http_1_0 = r->parser.http_major == 1 && r->parser.http_minor == 0,
        .wants_upgrade = r->parser.upgrade,
        .text = d->text.p,
        .fields = d->fields,
        .field_count = d->field_count,
    };
    if (!target.authority.p)
        d->request.host = http_header(&d->request, "Host");
    return &d->request;
}

const char *http_method_name(enum http_method method)
{
    static const char *const names[HTTP_METHOD_COUNT] = {
        [GET] = "GET",       [POST] = "POST", [PUT] = "PUT",         [PATCH] = "PATCH",
        [DELETE] = "DELETE", [HEAD] = "HEAD", [OPTIONS] = "OPTIONS",
    };
    return method < HTTP_METHOD_COUNT ? names[method] : "OTHER";
}

static struct str field_name(const struct http_request *r, const struct http_field *f)
{
    return (struct str){r->text + f->name_at, f->name_bytes};
}

struct str http_header_next(const struct http_request *r, const char *name, int *at)
{
    struct str wanted = str_of(name);
    while (*at < r->field_count) {
        const struct http_field *f = &r->fields[(*at)++];
        if (str_eq_nocase(field_name(r, f), wanted))
            return f->value_bytes ? str_trim((struct str){r->text + f->value_at, f->value_bytes}, " \t")
                                  : STR("");
    }
    return (struct str){NULL, 0};
}

struct str http_header(const struct http_request *r, const char *name)
{
    int at = 0;
    return http_header_next(r, name, &at);
}

/* --- llhttp's callbacks --- */

static int stop(struct http_reader *r, enum err problem, const char *reason)
{
    r->problem = problem;
    r->reason = reason;
    return HPE_USER;
}

static int on_begin(llhttp_t *parser)
{
    struct http_reader *r = parser->data;
    r->stage = HTTP_HEADERS;
    r->draft = malloc(sizeof *r->draft);
    if (!r->draft)
        abort();
    /* `fields` is large and needs no zeroing */
    r->draft->text = (struct buf){0};
    r->draft->header_bytes = 0;
    r->draft->target = r->draft->body = (struct span){0, 0};
    r->draft->line_bytes = r->draft->framing_bytes = 0;
    r->draft->line = REQUEST_LINE;
    r->draft->in_field = false;
    r->draft->field_count = 0;
    buf_reserve(&r->draft->text, TEXT_FIRST_BYTES);
    return 0;
}

static void append(struct http_draft *d, struct span *span, const char *p, size_t n)
{
    if (span->n == 0)
        span->at = d->text.n;
    buf_add(&d->text, p, n);
    span->n += n;
}

static int on_target(llhttp_t *parser, const char *p, size_t n)
{
    struct http_reader *r = parser->data;
    if (r->draft->target.n + n > net_settings.max_uri_bytes)
        return stop(r, ERR_URI_TOO_LONG, "request target too long");
    append(r->draft, &r->draft->target, p, n);
    return 0;
}

static bool header_fits(struct http_draft *d, size_t n)
{
    d->header_bytes += n;
    return d->header_bytes <= net_settings.max_header_bytes;
}

/* --- what llhttp lets pass, byte by byte --- */

static void keep_tail(struct http_draft *d, const char *p, size_t n)
{
    if (n >= VERSION_BYTES) {
        memcpy(d->tail, p + n - VERSION_BYTES, VERSION_BYTES);
        return;
    }
    memmove(d->tail, d->tail + n, VERSION_BYTES - n);
    memcpy(d->tail + VERSION_BYTES - n, p, n);
}

/* Method, target and version with single spaces between (RFC 9112 section 3). llhttp skips further ones, and
 * takes the names of other protocols for HTTP's. */
static bool request_line_is_strict(const struct http_reader *r)
{
    const struct http_draft *d = r->draft;
    size_t method_bytes = strlen(llhttp_method_name((llhttp_method_t)r->parser.method));
    return d->line_bytes == method_bytes + 1 + d->target.n + VERSION_BYTES &&
           (!memcmp(d->tail, " HTTP/1.1", VERSION_BYTES) || !memcmp(d->tail, " HTTP/1.0", VERSION_BYTES));
}

/* Bytes of a line, without its end. */
static bool line_part_is_clean(struct http_reader *r, const char *p, size_t n)
{
    struct http_draft *d = r->draft;
    bool has_control = false;
    for (size_t i = 0; i < n; i++)
        has_control |= ((unsigned char)p[i] < ' ' && p[i] != '\t') || p[i] == 0x7f;
    if (!d)
        return !has_control;
    d->line_bytes += n;
    if (d->line == REQUEST_LINE)
        keep_tail(d, p, n);
    else if (d->line == FRAMING)
        d->framing_bytes += n;
    return !has_control;
}

static bool line_end_is_clean(struct http_reader *r)
{
    struct http_draft *d = r->draft;
    if (!d)
        return true;
    size_t n = d->line_bytes;
    if (d->line == FRAMING)
        d->framing_bytes++;                 /* once a line, however its parts came */
    if (d->line == REQUEST_LINE && n > 0) { /* empty lines may come before it */
        d->line = HEADER;
        if (!request_line_is_strict(r))
            return false;
    } else if (d->line == HEADER && n == 0) {
        d->line = FRAMING;
    }
    d->line_bytes = 0;
    return true;
}

/* llhttp takes a lone CR or LF for the end of a line here and there, a line that begins with a space for the
 * rest of the one before, and control characters in the extensions of chunks. What is one field or request
 * for another server would be two here (RFC 9112 sections 2.2 and 5.2). So every byte that is not of a body
 * is looked at. */
static bool lines_are_clean(struct http_reader *r, const char *end)
{
    while (r->unchecked < end) {
        const char *p = r->unchecked;
        if (r->line == AFTER_CR) {
            if (*p != '\n')
                return false;
            r->line = AFTER_LF;
            r->unchecked++;
            continue;
        }
        if ((r->line == AFTER_LF && (*p == ' ' || *p == '\t')) || (r->line == AFTER_CHUNK && *p != '\r'))
            return false;
        const char *cr = memchr(p, '\r', (size_t)(end - p)), *line_end = cr ? cr : end;
        if (!line_part_is_clean(r, p, (size_t)(line_end - p)) || (cr && !line_end_is_clean(r)))
            return false;
        r->line = cr ? AFTER_CR : IN_LINE;
        r->unchecked = cr ? cr + 1 : end;
    }
    return true;
}

/* Extensions of chunks mean nothing here, and trailers neither (RFC 9110 section 6.5.1); together with the
 * header they have its limit. */
static bool framing_fits(struct http_draft *d)
{
    size_t more = d->framing_bytes > CHUNK_LINE_BYTES ? d->framing_bytes - CHUNK_LINE_BYTES : 0;
    return d->header_bytes + more <= net_settings.max_header_bytes;
}

static void charge_framing(struct http_draft *d)
{
    if (d->framing_bytes > CHUNK_LINE_BYTES)
        d->header_bytes += d->framing_bytes - CHUNK_LINE_BYTES;
    d->framing_bytes = 0;
}

/* --- llhttp's callbacks, of what it lets pass in fields --- */

/* RFC 9110 section 5.6.2. llhttp as Debian builds it lets spaces pass: "Host : a" would be no Host for
 * others. */
static bool is_token(struct str s)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool is_alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_alphanumeric && !memchr(others, c, sizeof others - 1))
            return false;
    }
    return true;
}

static int on_field_name(llhttp_t *parser, const char *p, size_t n)
{
    struct http_reader *r = parser->data;
    struct http_draft *d = r->draft;
    if (!is_token((struct str){p, n}))
        return stop(r, ERR_INVALID_REQUEST, malformed);
    bool is_new = !d->in_field;
    d->in_field = true;
    if (r->stage == HTTP_BODY) /* a trailer */
        return 0;
    if (!header_fits(d, n))
        return stop(r, ERR_HEADERS_TOO_LARGE, headers_too_large);
    if (is_new && d->field_count == HTTP_FIELDS_MAX)
        return stop(r, ERR_HEADERS_TOO_LARGE, "too many header fields");
    if (is_new)
        d->fields[d->field_count++] = (struct http_field){.name_at = (uint32_t)d->text.n};
    buf_add(&d->text, p, n);
    d->fields[d->field_count - 1].name_bytes += (uint32_t)n;
    return 0;
}

static int on_field_value(llhttp_t *parser, const char *p, size_t n)
{
    struct http_reader *r = parser->data;
    struct http_draft *d = r->draft;
    if (!d->in_field) /* a value without a name: not to become the last field's */
        return stop(r, ERR_INVALID_REQUEST, malformed);
    if (r->stage == HTTP_BODY)
        return 0;
    if (!header_fits(d, n))
        return stop(r, ERR_HEADERS_TOO_LARGE, headers_too_large);
    struct http_field *field = &d->fields[d->field_count - 1];
    if (field->value_bytes == 0)
        field->value_at = (uint32_t)d->text.n;
    buf_add(&d->text, p, n);
    field->value_bytes += (uint32_t)n;
    return 0;
}

static int on_field_complete(llhttp_t *parser)
{
    struct http_reader *r = parser->data;
    struct http_draft *d = r->draft;
    bool has_name = d->in_field && (r->stage == HTTP_BODY || d->fields[d->field_count - 1].name_bytes > 0);
    d->in_field = false;
    return has_name ? 0 : stop(r, ERR_INVALID_REQUEST, malformed);
}

/* Of what is refused now, nothing has been acted on. */
static int on_headers_complete(llhttp_t *parser)
{
    struct http_reader *r = parser->data;
    const struct http_request *request = http_reader_request(r);
    const char *reason;
    enum err err = http_check_head(request, &reason);
    if (!err) {
        r->body_limit = r->max_body ? r->max_body(request) : net_settings.max_body_bytes;
        reason = "body too large";
        if ((parser->flags & F_CONTENT_LENGTH) && parser->content_length > r->body_limit)
            err = ERR_PAYLOAD_TOO_LARGE;
    }
    if (err) {
        (void)stop(r, err, reason);
        return -1;
    }
    r->stage = HTTP_BODY;
    return 0;
}

static int on_body(llhttp_t *parser, const char *p, size_t n)
{
    struct http_reader *r = parser->data;
    if (r->draft->body.n + n > r->body_limit)
        return stop(r, ERR_PAYLOAD_TOO_LARGE, "body too large");
    if (!lines_are_clean(r, p))
        return stop(r, ERR_INVALID_REQUEST, malformed);
    if (!framing_fits(r->draft))
        return stop(r, ERR_HEADERS_TOO_LARGE, headers_too_large);
    charge_framing(r->draft);
    r->unchecked = p + n;
    r->line = AFTER_CHUNK;
    append(r->draft, &r->draft->body, p, n);
    return 0;
}

static int on_complete(llhttp_t *parser)
{
    (void)parser;
    return HPE_PAUSED;
}

static const llhttp_settings_t *callbacks(void)
{
    static llhttp_settings_t settings;
    if (!settings.on_message_begin) {
        llhttp_settings_init(&settings);
        settings.on_message_begin = on_begin;
        settings.on_url = on_target;
        settings.on_header_field = on_field_name;
        settings.on_header_value = on_field_value;
        settings.on_header_value_complete = on_field_complete;
        settings.on_headers_complete = on_headers_complete;
        settings.on_body = on_body;
        settings.on_message_complete = on_complete;
    }
    return &settings;
}

/* --- reading --- */

static void fail(struct http_reader *r, enum err problem, const char *reason)
{
    r->stage = HTTP_BAD;
    r->problem = problem;
    r->reason = reason;
}

static void failed(struct http_reader *r, llhttp_errno_t err)
{
    if (r->problem)
        fail(r, r->problem, r->reason);
    else if (err == HPE_INVALID_VERSION)
        fail(r, ERR_INVALID_REQUEST, "HTTP version not supported");
    else
        fail(r, ERR_INVALID_REQUEST, malformed);
}

size_t http_reader_read(struct http_reader *r, const char *p, size_t n)
{
    r->unchecked = p;
    llhttp_errno_t err = llhttp_execute(&r->parser, p, n);
    size_t used = err == HPE_OK ? n : (size_t)(llhttp_get_error_pos(&r->parser) - p);
    if (err != HPE_OK && err != HPE_PAUSED)
        failed(r, err);
    else if (!lines_are_clean(r, p + used) || (err == HPE_PAUSED && r->line == AFTER_CR))
        fail(r, ERR_INVALID_REQUEST, malformed);
    else if (r->draft && !framing_fits(r->draft))
        fail(r, ERR_HEADERS_TOO_LARGE, headers_too_large);
    else if (err == HPE_PAUSED)
        r->stage = HTTP_COMPLETE;
    return used;
}

bool http_reader_expects_continue(struct http_reader *r)
{
    const struct http_request *request = http_reader_request(r);
    return !request->is_http_1_0 && str_eq_nocase(http_header(request, "Expect"), STR("100-continue"));
}

bool http_reader_keeps_alive(const struct http_reader *r)
{
    return llhttp_should_keep_alive(&r->parser);
}

void http_reader_done(struct http_reader *r)
{
    if (r->draft)
        buf_done(&r->draft->text);
    free(r->draft);
    r->draft = NULL;
}

void http_reader_init(struct http_reader *r)
{
    http_reader_done(r);
    *r = (struct http_reader){.stage = HTTP_IDLE, .max_body = r->max_body};
    llhttp_init(&r->parser, HTTP_REQUEST, callbacks());
    r->parser.data = r;
}
