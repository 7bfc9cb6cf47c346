/* Session descriptions: line order and line grammar of RFC 8866, and for each media section what DTLS-SRTP
 * and ICE need (RFC 8829, RFC 8839, RFC 8122). A section that lacks it may be bundled with one that has it
 * (RFC 8843). */
#include "conversation/codec/sdp.h"

#include "sdp_text.h"

#define SECTIONS_MAX 64 /* media sections; a voice call has one or two */

enum credential { HAS_FINGERPRINT = 1, HAS_UFRAG = 2, HAS_PWD = 4, HAS_ALL = 7 };

struct section {
    struct str mid;       /* {NULL,0}: none */
    unsigned credentials; /* bits */
    bool is_rejected;     /* port 0 */
};

struct sdp {
    struct section session, media[SECTIONS_MAX];
    int media_count;
    struct str bundle; /* the first BUNDLE group's mids */
    int rank;          /* of the latest line in its section */
    unsigned seen;     /* session lines, a bit a letter */
};

static struct section *current(struct sdp *d)
{
    return d->media_count ? &d->media[d->media_count - 1] : &d->session;
}

static unsigned letter_bit(char letter)
{
    return 1U << (letter - 'a');
}

/* --- the lines, one check each: NULL, or what is wrong --- */

static const char *check_text(struct sdp *d, struct str value)
{
    (void)d;
    return value.n ? NULL : "a line has no value";
}

/* nettype SP addrtype SP address */
static bool is_network_address(struct str rest)
{
    struct str network = sdp_next_word(&rest), type = sdp_next_word(&rest), address = sdp_next_word(&rest);
    if (!str_eqz(network, "IN") || rest.p || (!str_eqz(type, "IP4") && !str_eqz(type, "IP6")))
        return false;
    return sdp_is_address(address);
}

static const char *check_origin(struct sdp *d, struct str value)
{
    (void)d;
    struct str user = sdp_next_word(&value), id = sdp_next_word(&value), version = sdp_next_word(&value);
    if (user.n == 0 || !sdp_is_digits(id) || !sdp_is_digits(version) || !is_network_address(value))
        return "o= is not <username> <sess-id> <sess-version> IN IP4|IP6 <address>";
    return NULL;
}

static const char *check_connection(struct sdp *d, struct str value)
{
    (void)d;
    struct str suffix = value;
    struct str address = str_cut(&suffix, '/'); /* a multicast address has /ttl and /count behind it */
    while (suffix.p) {
        if (!sdp_is_digits(str_cut(&suffix, '/')))
            return "c= is not IN IP4|IP6 <address>";
    }
    return is_network_address(address) ? NULL : "c= is not IN IP4|IP6 <address>";
}

static const char *check_bandwidth(struct sdp *d, struct str value)
{
    (void)d;
    struct str type = str_cut(&value, ':');
    return sdp_is_token(type) && sdp_is_digits(value) ? NULL : "b= is not <type>:<number>";
}

static const char *check_time(struct sdp *d, struct str value)
{
    (void)d;
    struct str start = sdp_next_word(&value);
    return sdp_is_digits(start) && sdp_is_digits(value) ? NULL : "t= is not two numbers";
}

static const char *check_repeat(struct sdp *d, struct str value)
{
    return d->seen & letter_bit('t') ? check_text(d, value) : "r= or z= without t=";
}

/* <media> <port>[/<count>] <proto> <fmt> … */
static const char *check_media(struct sdp *d, struct str value)
{
    if (d->media_count == SECTIONS_MAX)
        return "too many m= sections";
    struct str media = sdp_next_word(&value), count = sdp_next_word(&value), proto = sdp_next_word(&value);
    struct str port = str_cut(&count, '/');
    bool is_valid =
        sdp_is_token(media) && sdp_is_port(port) && (!count.p || sdp_is_digits(count)) && proto.n && value.p;
    while (is_valid && proto.p)
        is_valid = sdp_is_token(str_cut(&proto, '/'));
    while (is_valid && value.p)
        is_valid = sdp_is_token(sdp_next_word(&value));
    if (!is_valid)
        return "m= is not <media> <port> <proto> <fmt> …";
    int64_t number;
    bool is_rejected = str_to_int(port, 0, 0, &number);
    d->media[d->media_count++] = (struct section){.is_rejected = is_rejected};
    return NULL;
}

/* --- attributes --- */

static bool is_hex_digit(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Two hex digits a byte, colons between; the number of bytes, 0 when it is not that. */
static size_t fingerprint_bytes(struct str hex)
{
    if (hex.n % 3 != 2)
        return 0;
    for (size_t i = 0; i < hex.n; i++) {
        if (i % 3 == 2 ? hex.p[i] != ':' : !is_hex_digit(hex.p[i]))
            return 0;
    }
    return (hex.n + 1) / 3;
}

static const char *read_fingerprint(struct sdp *d, struct str value)
{
    static const struct {
        const char *hash;
        size_t bytes;
    } known[] = {{"sha-1", 20}, {"sha-224", 28}, {"sha-256", 32}, {"sha-384", 48}, {"sha-512", 64}};
    struct str hash = sdp_next_word(&value);
    size_t bytes = fingerprint_bytes(value);
    if (!sdp_is_token(hash) || bytes == 0)
        return "a=fingerprint is not <hash> <hex bytes>";
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (str_eq_nocase(hash, str_of(known[i].hash)) && bytes != known[i].bytes)
            return "a=fingerprint has not the length of its hash";
    }
    current(d)->credentials |= HAS_FINGERPRINT;
    return NULL;
}

static const char *read_ufrag(struct sdp *d, struct str value)
{
    if (value.n < 4 || value.n > 256 || !sdp_is_ice_chars(value))
        return "a=ice-ufrag is not 4 to 256 ICE characters";
    current(d)->credentials |= HAS_UFRAG;
    return NULL;
}

static const char *read_pwd(struct sdp *d, struct str value)
{
    if (value.n < 22 || value.n > 256 || !sdp_is_ice_chars(value))
        return "a=ice-pwd is not 22 to 256 ICE characters";
    current(d)->credentials |= HAS_PWD;
    return NULL;
}

static const char *read_mid(struct sdp *d, struct str value)
{
    if (!sdp_is_token(value))
        return "a=mid is not a token";
    current(d)->mid = value;
    return NULL;
}

static const char *read_group(struct sdp *d, struct str value)
{
    if (str_eqz(sdp_next_word(&value), "BUNDLE") && !d->bundle.p && d->media_count == 0)
        d->bundle = value;
    return NULL;
}

static const char *read_candidate(struct sdp *d, struct str value)
{
    (void)d;
    const char *reason;
    /* `value` stands in the line, right behind "candidate:" */
    struct str candidate = {value.p - sizeof "candidate", value.n + sizeof "candidate"};
    return ice_candidate_check(candidate, &reason) == OK ? NULL : "a=candidate is not a candidate";
}

static const struct {
    const char *name;
    const char *(*read)(struct sdp *d, struct str value);
} attributes[] = {
    {"fingerprint", read_fingerprint},
    {"ice-ufrag", read_ufrag},
    {"ice-pwd", read_pwd},
    {"mid", read_mid},
    {"group", read_group},
    {"candidate", read_candidate},
};

static const char *check_attribute(struct sdp *d, struct str value)
{
    struct str name = str_cut(&value, ':');
    if (!sdp_is_token(name) || (value.p && value.n == 0))
        return "a= is not <name> or <name>:<value>";
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++) {
        if (str_eqz(name, attributes[i].name))
            return value.p ? attributes[i].read(d, value) : "an attribute lacks its value";
    }
    return NULL;
}

/* --- the order of lines --- */

struct line_rule {
    char letter;
    int rank; /* never falls within a section */
    bool may_repeat;
    const char *(*check)(struct sdp *d, struct str value);
};

static const struct line_rule session_lines[] = {
    /* after v= */
    {'o', 1, false, check_origin},     {'s', 2, false, check_text},
    {'i', 3, false, check_text},       {'u', 4, false, check_text},
    {'e', 5, true, check_text},        {'p', 6, true, check_text},
    {'c', 7, false, check_connection}, {'b', 8, true, check_bandwidth},
    {'t', 9, true, check_time},        {'r', 9, true, check_repeat},
    {'z', 9, true, check_repeat},      {'k', 10, false, check_text},
    {'a', 11, true, check_attribute},  {0},
};

static const struct line_rule media_lines[] = {
    {'i', 1, false, check_text}, {'c', 2, true, check_connection}, {'b', 3, true, check_bandwidth},
    {'k', 4, false, check_text}, {'a', 5, true, check_attribute},  {0},
};

static const char *check_required(const struct sdp *d)
{
    if (!(d->seen & letter_bit('o')))
        return "o= is missing";
    if (!(d->seen & letter_bit('s')))
        return "s= is missing";
    return d->seen & letter_bit('t') ? NULL : "t= is missing";
}

static const char *start_media(struct sdp *d, struct str value)
{
    const char *problem = d->media_count == 0 ? check_required(d) : NULL;
    d->rank = 0;
    return problem ? problem : check_media(d, value);
}

/* Eight bytes at a time: a set high bit marks a byte below a space, or DEL. A borrow may mark a byte above
 * one that is marked rightly, never alone. */
static bool has_control(struct str s)
{
    const uint64_t ones = 0x0101010101010101, highs = 0x8080808080808080;
    size_t i = 0;
    for (; i + sizeof ones <= s.n; i += sizeof ones) {
        uint64_t word;
        memcpy(&word, s.p + i, sizeof word);
        uint64_t del = word ^ (ones * 0x7F);
        if ((((word - ones * ' ') & ~word) | ((del - ones) & ~del)) & highs)
            return true;
    }
    while (i < s.n && (unsigned char)s.p[i] >= ' ' && s.p[i] != 0x7F)
        i++;
    return i < s.n;
}

static const char *check_line(struct sdp *d, struct str line)
{
    if (has_control(line))
        return "a control character";
    if (line.n < 2 || line.p[1] != '=')
        return "a line is not <type>=<value>";
    struct str value = {line.p + 2, line.n - 2};
    if (line.p[0] == 'm')
        return start_media(d, value);
    const struct line_rule *rule = d->media_count ? media_lines : session_lines;
    while (rule->letter && rule->letter != line.p[0])
        rule++;
    if (!rule->letter)
        return "a line type that does not belong here";
    if (rule->rank < d->rank || (rule->rank == d->rank && !rule->may_repeat))
        return "a line out of order or twice";
    d->rank = rule->rank;
    if (d->media_count == 0)
        d->seen |= letter_bit(line.p[0]);
    return rule->check(d, value);
}

static struct str next_line(struct str *rest)
{
    struct str line = str_cut(rest, '\n');
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    return line;
}

static const char *check_lines(struct sdp *d, struct str rest)
{
    if (!str_eqz(next_line(&rest), "v=0"))
        return "v=0 is not the first line";
    while (rest.n) {
        const char *problem = check_line(d, next_line(&rest));
        if (problem)
            return problem;
    }
    return d->media_count ? NULL : "no m= section";
}

/* --- what DTLS and ICE need --- */

/* The section whose transport the section with this mid shares: the first of its BUNDLE group. NULL: none. */
static const struct section *bundled_with(const struct sdp *d, struct str mid)
{
    struct str mids = d->bundle, first = sdp_next_word(&mids), each = first;
    while (each.p && !str_eq(each, mid))
        each = sdp_next_word(&mids);
    if (!mid.p || !each.p)
        return NULL;
    for (int i = 0; i < d->media_count; i++) {
        if (str_eq(d->media[i].mid, first))
            return &d->media[i];
    }
    return NULL;
}

static const char *check_credentials(const struct sdp *d)
{
    for (int i = 0; i < d->media_count; i++) {
        const struct section *section = &d->media[i];
        unsigned has = section->credentials | d->session.credentials;
        const struct section *carrier = has == HAS_ALL ? NULL : bundled_with(d, section->mid);
        if (carrier && !carrier->is_rejected)
            has |= carrier->credentials;
        if (section->is_rejected || has == HAS_ALL)
            continue;
        if (!(has & HAS_FINGERPRINT))
            return "a media section has no a=fingerprint";
        return has & HAS_UFRAG ? "a media section has no a=ice-pwd" : "a media section has no a=ice-ufrag";
    }
    return NULL;
}

static const char *check(struct str text)
{
    struct sdp d = {.rank = 0};
    if (text.n > SDP_MAX_BYTES)
        return "longer than 10 KiB";
    if (!str_is_utf8(text))
        return "not UTF-8";
    const char *problem = check_lines(&d, text);
    return problem ? problem : check_credentials(&d);
}

enum err sdp_check(struct str sdp, const char **reason)
{
    const char *problem = check(sdp);
    if (!problem)
        return OK;
    *reason = problem;
    return ERR_INVALID_SDP;
}

struct str sdp_ice_ufrag(struct str sdp)
{
    const struct str prefix = STR("a=ice-ufrag:");
    while (sdp.n) {
        struct str line = next_line(&sdp);
        if (str_starts_with(line, prefix))
            return (struct str){line.p + prefix.n, line.n - prefix.n};
    }
    return (struct str){0};
}
