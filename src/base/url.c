/* Judging URLs: stricter than RFC 3986 where a laxer reading helps nobody. */
#include "conversation/base/url.h"

#define HOST_MAX 253 /* RFC 1035 section 2.3.4, as text */

bool url_text_is_visible(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] <= ' ' || s.p[i] > '~')
            return false;
    }
    return true;
}

static size_t count_of(struct str s, const char *set)
{
    size_t n = 0;
    while (n < s.n && s.p[n] && strchr(set, s.p[n]))
        n++;
    return n;
}

/* The bytes of the host at the front of `s`: a name, an IPv4 address, or [IPv6]; 0: none. */
static size_t host_length(struct str s)
{
    if (s.n == 0 || s.p[0] != '[')
        return count_of(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_");
    size_t n = count_of((struct str){s.p + 1, s.n - 1}, "0123456789abcdefABCDEF:.");
    return n > 1 && n + 1 < s.n && s.p[n + 1] == ']' ? n + 2 : 0;
}

static bool is_host_and_port(struct str s)
{
    size_t n = host_length(s);
    int64_t port;
    if (n == 0 || n > HOST_MAX)
        return false;
    if (n == s.n)
        return true;
    return s.p[n] == ':' && str_to_int((struct str){s.p + n + 1, s.n - n - 1}, 1, 65535, &port);
}

bool url_is_base(struct str url)
{
    struct str rest = url, scheme = str_cut(&rest, ':');
    if (!str_eqz(scheme, "http") && !str_eqz(scheme, "https"))
        return false;
    if (!str_starts_with(rest, STR("//")) || !url_text_is_visible(rest))
        return false;
    if (memchr(rest.p, '?', rest.n) || memchr(rest.p, '#', rest.n))
        return false;
    rest = (struct str){rest.p + 2, rest.n - 2};
    return is_host_and_port(str_cut(&rest, '/'));
}
