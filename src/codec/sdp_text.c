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
    unsigned all = UINT8_MAX;
    for (size_t i = 0; i < s.n; i++)
        all &= sdp_classes[(uint8_t)s.p[i]];
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

/* 0 to 255 without a leading zero, at the front of `s`: how many characters; 0 for none. */
static size_t octet_length(struct str s)
{
    unsigned value = 0;
    size_t n = 0;
    while (n < 3 && n < s.n && sdp_classes[(uint8_t)s.p[n]] & SDP_DIGIT)
        value = value * 10 + (unsigned)(s.p[n++] - '0');
    return value > 255 || (n > 1 && s.p[0] == '0') ? 0 : n;
}

static bool is_ipv4(struct str s)
{
    for (int octets = 0; octets < 4; octets++) {
        size_t dot = octets > 0;
        if (dot && (s.n == 0 || *s.p != '.'))
            return false;
        size_t n = octet_length((struct str){s.p + dot, s.n - dot});
        if (n == 0)
            return false;
        s.p += dot + n;
        s.n -= dot + n;
    }
    return s.n == 0;
}

bool sdp_is_address(struct str s)
{
    char text[HOST_NAME_MAX_BYTES + 1];
    struct in6_addr address;
    if (s.n == 0)
        return false;
    if (is_ipv4(s))
        return true;
    if (!str_copy(s, text, sizeof text))
        return false;
    if (inet_pton(AF_INET6, text, &address) == 1)
        return strlen(text) == s.n;
    return is_host_name(s);
}
