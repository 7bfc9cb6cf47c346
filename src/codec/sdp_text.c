#include "sdp_text.h"

#include <arpa/inet.h>

#define HOST_NAME_MAX_BYTES  253 /* RFC 1035 section 2.3.4, without the trailing dot */
#define HOST_LABEL_MAX_BYTES 63

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool sdp_is_token(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!is_alnum(s.p[i]) && (s.p[i] == '\0' || !strchr("!#$%&'*+-.^_`{|}~", s.p[i])))
            return false;
    }
    return s.n > 0;
}

bool sdp_is_ice_chars(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!is_alnum(s.p[i]) && s.p[i] != '+' && s.p[i] != '/')
            return false;
    }
    return true;
}

bool sdp_is_visible(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] <= ' ' || s.p[i] > '~')
            return false;
    }
    return true;
}

bool sdp_is_digits(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!is_digit(s.p[i]))
            return false;
    }
    return s.n > 0;
}

bool sdp_is_port(struct str s)
{
    int64_t port;
    return s.n <= 5 && str_to_int(s, 0, 65535, &port);
}

/* Letters, digits and hyphens. */
static bool is_label(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!is_alnum(s.p[i]) && s.p[i] != '-')
            return false;
    }
    return s.n > 0 && s.n <= HOST_LABEL_MAX_BYTES;
}

/* A last label of digits alone would be a misspelt IPv4 address. */
static bool is_host_name(struct str s)
{
    struct str label = {0};
    while (s.p) {
        label = str_cut(&s, '.');
        if (!is_label(label))
            return false;
    }
    return !sdp_is_digits(label);
}

bool sdp_is_address(struct str s)
{
    char text[HOST_NAME_MAX_BYTES + 1];
    struct in6_addr address; /* room for either family */
    if (s.n == 0 || !str_copy(s, text, sizeof text))
        return false;
    if (inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1)
        return strlen(text) == s.n;
    return is_host_name(s);
}
