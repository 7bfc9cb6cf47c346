#include "sdp_text.h"

#include <arpa/inet.h>

#define HOST_NAME_MAX_BYTES  253 /* RFC 1035 section 2.3.4, without the trailing dot */
#define HOST_LABEL_MAX_BYTES 63

#define PUNCTUATION (SDP_VISIBLE | SDP_TOKEN)
#define LETTER      (SDP_VISIBLE | SDP_TOKEN | SDP_ICE_CHAR | SDP_LABEL)

/* A table: relayed candidates are made of such words, and each of their characters is looked at. */
const uint8_t sdp_classes[256] = {
    ['0' ... '9'] = LETTER | SDP_DIGIT,
    ['a' ... 'z'] = LETTER,
    ['A' ... 'Z'] = LETTER,
    ['!'] = PUNCTUATION,
    ['"'] = SDP_VISIBLE,
    ['#' ... '\''] = PUNCTUATION,
    ['('] = SDP_VISIBLE,
    [')'] = SDP_VISIBLE,
    ['*'] = PUNCTUATION,
    ['+'] = PUNCTUATION | SDP_ICE_CHAR,
    [','] = SDP_VISIBLE,
    ['-'] = PUNCTUATION | SDP_LABEL,
    ['.'] = PUNCTUATION,
    ['/'] = SDP_VISIBLE | SDP_ICE_CHAR,
    [':' ... '@'] = SDP_VISIBLE,
    ['[' ... ']'] = SDP_VISIBLE,
    ['^' ... '`'] = PUNCTUATION,
    ['{' ... '~'] = PUNCTUATION,
};

unsigned sdp_class_of(struct str s)
{
    uint8_t all = UINT8_MAX;
    for (const char *p = s.p, *end = p + s.n; p < end; p++)
        all &= sdp_classes[(uint8_t)*p];
    return all;
}

bool sdp_is_token(struct str s)
{
    return s.n > 0 && sdp_class_of(s) & SDP_TOKEN;
}

bool sdp_is_ice_chars(struct str s)
{
    return sdp_class_of(s) & SDP_ICE_CHAR;
}

bool sdp_is_visible(struct str s)
{
    return sdp_class_of(s) & SDP_VISIBLE;
}

bool sdp_is_digits(struct str s)
{
    return s.n > 0 && sdp_class_of(s) & SDP_DIGIT;
}

bool sdp_is_port(struct str s)
{
    int64_t port;
    return s.n <= 5 && str_to_int(s, 0, 65535, &port);
}

static bool is_label(struct str s)
{
    return s.n > 0 && s.n <= HOST_LABEL_MAX_BYTES && sdp_class_of(s) & SDP_LABEL;
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

static unsigned digit_value(char c)
{
    return (unsigned)(uint8_t)c - '0'; /* above 9: it is none */
}

/* Behind a number of 0 to 255 without a leading zero; NULL: there is none. */
static const char *octet_end(const char *p, const char *end)
{
    if (p == end || digit_value(*p) > 9)
        return NULL;
    unsigned value = digit_value(*p++);
    if (value == 0)
        return p;
    for (; p < end && digit_value(*p) <= 9; p++) {
        value = value * 10 + digit_value(*p);
        if (value > 255)
            return NULL;
    }
    return p;
}

static bool is_ipv4(struct str s)
{
    const char *end = s.p + s.n, *p = octet_end(s.p, end);
    for (int more = 3; more > 0 && p; more--)
        p = p < end && *p == '.' ? octet_end(p + 1, end) : NULL;
    return p == end;
}

static bool is_ipv6(struct str s)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    return str_copy(s, text, sizeof text) && strlen(text) == s.n && inet_pton(AF_INET6, text, &address) == 1;
}

bool sdp_is_address(struct str s)
{
    if (s.n == 0 || s.n > HOST_NAME_MAX_BYTES)
        return false;
    return is_ipv4(s) || (memchr(s.p, ':', s.n) ? is_ipv6(s) : is_host_name(s));
}
