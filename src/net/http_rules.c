/* The checks are a list, in the order in which they are made: what decides where the request ends comes
 * first. */
#include "http_rules.h"

#include <arpa/inet.h>

#define PORT_DIGITS_MAX 5
#define IPV6_MAX        45

/* --- the target --- */

static struct str without_prefix(struct str s, struct str prefix)
{
    bool has = s.n >= prefix.n && str_eq_nocase((struct str){s.p, prefix.n}, prefix);
    return has ? (struct str){s.p + prefix.n, s.n - prefix.n} : (struct str){NULL, 0};
}

struct http_target http_target_of(struct str target, enum http_method method)
{
    struct http_target t = {.authority = {NULL, 0}};
    struct str rest = without_prefix(target, STR("http://"));
    if (!rest.p)
        rest = without_prefix(target, STR("https://"));
    if (rest.p) {
        size_t n = 0;
        while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?')
            n++;
        t.authority = (struct str){rest.p, n};
        target = (struct str){rest.p + n, rest.n - n};
    }
    t.query = target;
    t.path = str_cut(&t.query, '?');
    if (t.authority.p &&
        t.path.n == 0) /* RFC 9112 section 3.2.4: "OPTIONS http://host" asks about the server */
        t.path = method == OPTIONS && !t.query.p ? STR("*") : STR("/");
    return t;
}

/* --- Host --- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex_digit(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* RFC 3986 section 3.2.2; an IPv4 address is one, too. */
static bool is_reg_name(struct str s)
{
    static const char others[] = "-._~!$&'()*+,;=";
    for (size_t i = 0; i < s.n; i++) {
        bool is_escape = s.p[i] == '%' && i + 2 < s.n && is_hex_digit(s.p[i + 1]) && is_hex_digit(s.p[i + 2]);
        if (is_escape)
            i += 2;
        else if (!is_letter(s.p[i]) && !is_digit(s.p[i]) && !memchr(others, s.p[i], sizeof others - 1))
            return false;
    }
    return s.n > 0;
}

static bool is_port(struct str s)
{
    int64_t number;
    return s.n == 0 || (s.n <= PORT_DIGITS_MAX && str_to_int(s, 0, 65535, &number));
}

static bool is_ipv6(struct str s)
{
    char text[IPV6_MAX + 1];
    struct in6_addr address;
    return str_copy(s, text, sizeof text) && inet_pton(AF_INET6, text, &address) == 1;
}

/* uri-host [ ":" port ] (RFC 9110 section 7.2), not empty. */
static bool host_is_valid(struct str host)
{
    struct str rest = host;
    if (host.n == 0 || host.p[0] != '[') {
        struct str name = str_cut(&rest, ':');
        return is_reg_name(name) && (!rest.p || is_port(rest));
    }
    rest = (struct str){host.p + 1, host.n - 1};
    struct str address = str_cut(&rest, ']');
    if (!rest.p || !is_ipv6(address))
        return false;
    return rest.n == 0 || (rest.p[0] == ':' && is_port((struct str){rest.p + 1, rest.n - 1}));
}

/* --- the list --- */

static int times_given(const struct http_request *r, const char *name)
{
    int at = 0, n = 0;
    while (http_header_next(r, name, &at).p)
        n++;
    return n;
}

/* Twice, a gateway and this server could each take another one. */
static enum err check_repeated(const struct http_request *r, const char **reason)
{
    static const char *const single[] = {
        "Content-Length", "Transfer-Encoding", "Authorization",         "Content-Type", "Expect",
        "Origin",         "Sec-WebSocket-Key", "Sec-WebSocket-Version",
    };
    *reason = "a header field is repeated that may come once only";
    for (size_t i = 0; i < sizeof single / sizeof single[0]; i++)
        if (times_given(r, single[i]) > 1)
            return ERR_INVALID_REQUEST;
    return OK;
}

/* RFC 9112 section 6.3. Digits alone, no list of equal ones. */
static enum err check_length(const struct http_request *r, const char **reason)
{
    struct str length = http_header(r, "Content-Length");
    *reason = "Content-Length must be a number";
    if (length.p && length.n == 0)
        return ERR_INVALID_REQUEST;
    for (size_t i = 0; i < length.n; i++)
        if (!is_digit(length.p[i]))
            return ERR_INVALID_REQUEST;
    *reason = "Content-Length and Transfer-Encoding exclude each other";
    return length.p && http_header(r, "Transfer-Encoding").p ? ERR_INVALID_REQUEST : OK;
}

/* RFC 9112 sections 6.1 and 6.3: without chunked as the last coding nobody knows where the body ends. */
static enum err check_coding(const struct http_request *r, const char **reason)
{
    static const struct str chunked = STR("chunked");
    struct str rest = http_header(r, "Transfer-Encoding"), last = {NULL, 0};
    int times_chunked = 0;
    if (!rest.p)
        return OK;
    *reason = "Transfer-Encoding needs HTTP/1.1";
    if (r->is_http_1_0)
        return ERR_INVALID_REQUEST;
    bool is_alone = str_eq_nocase(rest, chunked);
    while (rest.p) {
        last = str_trim(str_cut(&rest, ','), " \t");
        times_chunked += str_eq_nocase(last, chunked);
    }
    *reason = "chunked must be the last transfer coding, once";
    if (times_chunked != 1 || !str_eq_nocase(last, chunked))
        return ERR_INVALID_REQUEST;
    *reason = "the only transfer coding is chunked";
    return is_alone ? OK : ERR_NOT_IMPLEMENTED;
}

/* RFC 9110 section 9.3.1: it means nothing, and hides requests from whoever in front takes it for none. */
static enum err check_content(const struct http_request *r, const char **reason)
{
    struct str length = http_header(r, "Content-Length");
    bool has_content = http_header(r, "Transfer-Encoding").p || str_trim(length, "0").n > 0;
    *reason = "GET and HEAD have no body";
    return has_content && (r->method == GET || r->method == HEAD) ? ERR_INVALID_REQUEST : OK;
}

static bool contains(struct str s, char c)
{
    return s.n > 0 && memchr(s.p, c, s.n);
}

static enum err check_target(const struct http_request *r, const char **reason)
{
    *reason = "the request target must be an absolute path or an http URI";
    bool is_of_server = r->method == OPTIONS && str_eqz(r->path, "*") && !r->query.p;
    if (!str_starts_with(r->path, STR("/")) && !is_of_server)
        return ERR_INVALID_REQUEST;
    *reason = "the request target has a fragment";
    bool has_fragment = contains(r->path, '#') || contains(r->query, '#');
    return has_fragment ? ERR_INVALID_REQUEST : OK;
}

/* RFC 9112 section 3.2. The authority of an absolute target replaces Host, which must be there all the same.
 */
static enum err check_host(const struct http_request *r, const char **reason)
{
    int hosts = times_given(r, "Host");
    *reason = "exactly one Host header is required";
    if (hosts > 1 || (hosts == 0 && !r->is_http_1_0))
        return ERR_INVALID_REQUEST;
    *reason = "Host is not valid";
    if ((hosts && !host_is_valid(http_header(r, "Host"))) || (r->host.p && !host_is_valid(r->host)))
        return ERR_INVALID_REQUEST;
    return OK;
}

/* RFC 9110 section 10.1.1 */
static enum err check_expectation(const struct http_request *r, const char **reason)
{
    struct str expectation = http_header(r, "Expect");
    *reason = "the only expectation is 100-continue";
    bool is_met = !expectation.p || r->is_http_1_0 || str_eq_nocase(expectation, STR("100-continue"));
    return is_met ? OK : ERR_EXPECTATION_FAILED;
}

enum err http_check_head(const struct http_request *r, const char **reason)
{
    static enum err (*const checks[])(const struct http_request *r, const char **reason) = {
        check_repeated, check_length, check_coding,      check_content,
        check_target,   check_host,   check_expectation,
    };
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        enum err err = checks[i](r, reason);
        if (err)
            return err;
    }
    return OK;
}
