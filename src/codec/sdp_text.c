#include "sdp_text.h"

#include <arpa/inet.h>

#define HOST_NAME_MAX_BYTES  253 /* RFC 1035 section 2.3.4, without the trailing dot */
#define HOST_LABEL_MAX_BYTES 63

/* What characters are, and a word is what all of its characters are; an empty one is everything. */
enum {
    DIGIT = 1,
    TOKEN = 2,
    ICE_CHAR = 4,
    VISIBLE = 8, /* ASCII without space and controls */
    LABEL = 16,  /* letters, digits and hyphens, of a host name */
};

#define PUNCTUATION (VISIBLE | TOKEN)
#define LETTER      (VISIBLE | TOKEN | ICE_CHAR | LABEL)

/* A table: relayed candidates are made of such words, and each of their characters is looked at. */
static const uint8_t classes[256] = {
    ['0' ... '9'] = LETTER | DIGIT,
    ['a' ... 'z'] = LETTER,
    ['A' ... 'Z'] = LETTER,
    ['!'] = PUNCTUATION,
    ['"'] = VISIBLE,
    ['#' ... '\''] = PUNCTUATION,
    ['('] = VISIBLE,
    [')'] = VISIBLE,
    ['*'] = PUNCTUATION,
    ['+'] = PUNCTUATION | ICE_CHAR,
    [','] = VISIBLE,
    ['-'] = PUNCTUATION | LABEL,
    ['.'] = PUNCTUATION,
    ['/'] = VISIBLE | ICE_CHAR,
    [':' ... '@'] = VISIBLE,
    ['[' ... ']'] = VISIBLE,
    ['^' ... '`'] = PUNCTUATION,
    ['{' ... '~'] = PUNCTUATION,
};

static unsigned class_of(struct str s)
{
    uint8_t all = UINT8_MAX;
    for (const char *p = s.p, *end = p + s.n; p < end; p++)
        all &= classes[(uint8_t)*p];
    return all;
}

bool sdp_is_token(struct str s)
{
    return s.n > 0 && class_of(s) & TOKEN;
}

bool sdp_is_ice_chars(struct str s)
{
    return class_of(s) & ICE_CHAR;
}

bool sdp_is_visible(struct str s)
{
    return class_of(s) & VISIBLE;
}

bool sdp_is_digits(struct str s)
{
    return s.n > 0 && class_of(s) & DIGIT;
}

bool sdp_is_port(struct str s)
{
    int64_t port;
    return s.n <= 5 && str_to_int(s, 0, 65535, &port);
}

static bool is_label(struct str s)
{
    return s.n > 0 && s.n <= HOST_LABEL_MAX_BYTES && class_of(s) & LABEL;
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
