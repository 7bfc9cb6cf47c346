/* net/http_reader.h: the same bytes give the same requests however they are cut, and a request that is taken
 * keeps to RFC 9112. Which of several problems a bad one is refused for may depend on the cuts. The input's
 * first byte says how it is cut. */
#include "fuzz.h"

#include "conversation/net/settings.h"
#include "net/http_reader.h"

/* What was read, as text that can be compared; a stream that ends within a request leaves an open one. */
static void describe(struct buf *out, struct http_reader *r, size_t end)
{
    const struct http_request *q = http_reader_request(r);
    buf_addf(out, "%zu: %d %d keep %d continue %d upgrade %d\n", end, q->method, q->is_http_1_0,
             http_reader_keeps_alive(r), http_reader_expects_continue(r), q->wants_upgrade);
    buf_addf(out, STR_FMT "?" STR_FMT " %d\n", STR_ARG(q->path), STR_ARG(q->query), q->query.p != NULL);
    for (const struct http_field *f = q->fields; f < q->fields + q->field_count; f++) {
        buf_add(out, q->text + f->name_at, f->name_bytes);
        buf_addz(out, ": ");
        buf_add(out, q->text + f->value_at, f->value_bytes);
        buf_addc(out, '\n');
    }
    buf_addf(out, "%d ", q->has_body);
    buf_add_str(out, q->body);
}

static int times_given(const struct http_request *q, const char *name)
{
    int n = 0;
    for (const struct http_field *f = q->fields; f < q->fields + q->field_count; f++)
        n += str_eq_nocase((struct str){q->text + f->name_at, f->name_bytes}, str_of(name));
    return n;
}

static bool has_only_visible(struct str s, const char *also)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
            if (!s.p[i] || !strchr(also, s.p[i]))
                return false;
    return true;
}

/* RFC 9112 section 6.3: one of the two, and it says how long the body is. */
static void check_body(const struct http_request *q)
{
    struct str length = http_header(q, "Content-Length"), coding = http_header(q, "Transfer-Encoding");
    int64_t n = 0;
    assert(!length.p || !coding.p);
    assert(times_given(q, "Content-Length") <= 1 && times_given(q, "Transfer-Encoding") <= 1);
    assert(!length.p || str_to_int(length, 0, INT64_MAX, &n));
    assert(!coding.p || str_eq_nocase(coding, STR("chunked")));
    assert(coding.p || q->body.n == (size_t)n);
    assert(q->has_body || q->body.n == 0);
}

static void check_request(struct http_reader *r)
{
    const struct http_request *q = http_reader_request(r);
    assert(q->path.n >= 1 && (q->path.p[0] == '/' || str_eqz(q->path, "*")));
    assert(q->path.n + q->query.n <= net_settings.max_uri_bytes && q->body.n <= net_settings.max_body_bytes);
    assert(has_only_visible(q->path, "") && has_only_visible(q->query, ""));
    assert(times_given(q, "Host") == 1 || (q->is_http_1_0 && times_given(q, "Host") == 0));
    check_body(q);
    for (const struct http_field *f = q->fields; f < q->fields + q->field_count; f++) {
        assert(f->name_bytes > 0 && has_only_visible((struct str){q->text + f->name_at, f->name_bytes}, ""));
        assert(has_only_visible((struct str){q->text + f->value_at, f->value_bytes}, " \t"));
    }
}

/* One request after the other, as on a connection. */
static void read_stream(struct str stream, uint8_t way, struct buf *out)
{
    struct http_reader reader = {0};
    struct fuzz_cuts cuts = fuzz_cut(way);
    size_t at = 0;
    http_reader_init(&reader);
    while (at < stream.n && reader.stage != HTTP_BAD) {
        size_t n = fuzz_next_piece(&cuts, stream.n - at);
        char *piece = fuzz_copy((struct str){stream.p + at, n});
        size_t used = http_reader_read(&reader, piece, n);
        free(piece);
        assert(used <= n && (used == n || reader.stage >= HTTP_COMPLETE));
        at += used;
        if (reader.stage == HTTP_COMPLETE) {
            check_request(&reader);
            describe(out, &reader, at);
            http_reader_init(&reader);
        }
    }
    buf_addf(out, "end %d", reader.stage);
    assert(reader.stage != HTTP_BAD || (reader.problem && reader.reason));
    http_reader_done(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str stream = fuzz_input(data, n);
    struct buf whole = {0}, cut = {0};
    uint8_t way = fuzz_take_byte(&stream);
    net_settings.max_uri_bytes = 128; /* small, so that the limits are within reach */
    net_settings.max_header_bytes = 512;
    net_settings.max_body_bytes = 256;
    read_stream(stream, 0, &whole);
    read_stream(stream, way, &cut);
    assert(str_eq(buf_str(&whole), buf_str(&cut)));
    buf_done(&whole);
    buf_done(&cut);
    return 0;
}
