/* ICE candidates: the candidate-attribute of RFC 8839 section 5.1, with the TCP types of RFC 6544. One pass
 * over the text finds its words, and whether there is any character in them that tokens seldom have: only
 * then are they looked at one by one. */
#include "conversation/codec/sdp.h"

#include "conversation/base/wide.h"
#include "sdp_text.h"

/* What stands between single spaces; a word may be empty. */
struct words {
    const char *text;
    int count;
    bool are_tokens;                          /* all that are not empty; else it is not known */
    uint16_t begins[CANDIDATE_MAX_BYTES + 2]; /* in the text; of one more word, behind the last */
};

/* Where sixteen characters are letters, digits, hyphens or dots. */
static wide usual(wide c)
{
    wide lower = c | 0x20;
    return ((lower > '`') & (lower < '{')) | ((c > ',') & (c < ':') & (c != '/'));
}

/* Notes where words begin in sixteen characters, those at `at`; returns where to note the next. */
static inline uint16_t *note_begins(uint16_t *next, size_t at, wide c)
{
    for (unsigned spaces = wide_bits(c == ' '); spaces; spaces &= spaces - 1)
        *next++ = (uint16_t)(at + (size_t)__builtin_ctz(spaces) + 1);
    return next;
}

static void find_words(struct words *w, struct str text)
{
    char last[WIDE_BYTES] = "................"; /* usual, where the text has ended */
    wide all_usual = wide_load(last) == '.', c;
    /* written here */
    /* cppcheck-suppress ctuuninitvar */
    uint16_t *next = w->begins;
    size_t at = 0;
    *next++ = 0;
    for (; at + WIDE_BYTES <= text.n; at += WIDE_BYTES) {
        c = wide_load(text.p + at);
        next = note_begins(next, at, c);
        all_usual &= usual(c) | (c == ' ');
    }
    memcpy(last, text.p + at, text.n - at);
    c = wide_load(last);
    next = note_begins(next, at, c);
    all_usual &= usual(c) | (c == ' ');
    *next = (uint16_t)(text.n + 1);
    w->text = text.p;
    w->count = (int)(next - w->begins);
    w->are_tokens = wide_bits(all_usual) == UINT16_MAX;
}

/* {NULL,0} where there is none. */
static inline struct str word_at(const struct words *w, int i)
{
    if (i >= w->count)
        return (struct str){0};
    return (struct str){w->text + w->begins[i], (size_t)(w->begins[i + 1] - w->begins[i] - 1)};
}

static inline bool is_token(const struct words *w, struct str word)
{
    return w->are_tokens ? word.n > 0 : sdp_is_token(word);
}

/* Of at most ten digits, so that it does not overflow. */
static bool is_number(struct str s, size_t digits_max, uint64_t min, uint64_t max)
{
    uint64_t value = 0;
    if (s.n == 0 || s.n > digits_max)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned digit = (unsigned)(uint8_t)s.p[i] - '0';
        if (digit > 9)
            return false;
        value = value * 10 + digit;
    }
    return value >= min && value <= max;
}

struct extensions {
    bool has_address, has_port, has_tcp_type;
};

static const char *read_extension(struct str name, struct str value, struct extensions *seen)
{
    if (str_eqz(name, "raddr")) {
        if (seen->has_address || !sdp_is_address(value))
            return "the related address is not one";
        seen->has_address = true;
    } else if (str_eqz(name, "rport")) {
        if (seen->has_port || !is_number(value, 5, 0, UINT16_MAX))
            return "the related port is not 0 to 65535";
        seen->has_port = true;
    } else if (str_eqz(name, "tcptype")) {
        if (!str_eqz(value, "active") && !str_eqz(value, "passive") && !str_eqz(value, "so"))
            return "the TCP type is not active, passive or so";
        seen->has_tcp_type = true;
    }
    return NULL;
}

enum { FOUNDATION, COMPONENT, TRANSPORT, PRIORITY, ADDRESS, PORT, TYP, TYPE, EXTENSIONS };

/* What follows the candidate type: the related address where the type has one, and name and value pairs. */
static const char *check_extensions(const struct words *w)
{
    struct str type = word_at(w, TYPE);
    struct extensions seen = {0};
    for (int i = EXTENSIONS; i < w->count; i += 2) {
        struct str name = word_at(w, i), value = word_at(w, i + 1);
        if (!is_token(w, name))
            return "an extension has no name";
        if (!value.p)
            return "an extension has no value";
        if (!w->are_tokens && !sdp_is_visible(value))
            return "an extension's value is not visible ASCII";
        const char *problem = read_extension(name, value, &seen);
        if (problem)
            return problem;
    }
    bool is_host = !str_eqz(type, "srflx") && !str_eqz(type, "prflx") && !str_eqz(type, "relay");
    if (seen.has_address != seen.has_port || (!is_host && !seen.has_address))
        return "raddr and rport must come together, and with srflx, prflx and relay";
    bool is_tcp = str_eq_nocase(word_at(w, TRANSPORT), STR("tcp"));
    return is_tcp && !seen.has_tcp_type ? "a TCP candidate without tcptype" : NULL;
}

static const char *check(struct str text)
{
    struct words w;
    find_words(&w, text);
    struct str foundation = word_at(&w, FOUNDATION);
    if (foundation.n == 0 || foundation.n > 32 || !sdp_is_ice_chars(foundation))
        return "the foundation is not 1 to 32 ICE characters";
    if (!is_number(word_at(&w, COMPONENT), 3, 1, 256))
        return "the component is not 1 to 256";
    if (!is_token(&w, word_at(&w, TRANSPORT)))
        return "the transport is not a token";
    if (!is_number(word_at(&w, PRIORITY), 10, 1, INT32_MAX))
        return "the priority is not 1 to 2^31-1";
    if (!sdp_is_address(word_at(&w, ADDRESS)))
        return "the address is not an IP address or host name";
    if (!is_number(word_at(&w, PORT), 5, 0, UINT16_MAX))
        return "the port is not 0 to 65535";
    if (!str_eqz(word_at(&w, TYP), "typ"))
        return "\"typ\" is missing";
    if (!is_token(&w, word_at(&w, TYPE)))
        return "the candidate type is not a token";
    return check_extensions(&w);
}

enum err ice_candidate_check(struct str candidate, const char **reason)
{
    if (candidate.n == 0)
        return OK;
    const char *problem = "longer than 1 KiB";
    if (candidate.n <= CANDIDATE_MAX_BYTES) {
        const struct str prefix = STR("candidate:");
        struct str rest = candidate;
        if (str_starts_with(rest, STR("a=")))
            rest = (struct str){rest.p + 2, rest.n - 2};
        problem = str_starts_with(rest, prefix) ? check((struct str){rest.p + prefix.n, rest.n - prefix.n})
                                                : "does not start with \"candidate:\"";
    }
    if (!problem)
        return OK;
    *reason = problem;
    return ERR_INVALID_CANDIDATE;
}
