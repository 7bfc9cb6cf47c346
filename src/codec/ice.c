/* ICE candidates: the candidate-attribute of RFC 8839 section 5.1, with the TCP types of RFC 6544. */
#include "conversation/codec/sdp.h"

#include "sdp_text.h"

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
    if (!sdp_is_visible(value))
        return "an extension's value is not visible ASCII";
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

/* What follows the candidate type: the related address where the type has one, and name and value pairs. */
static const char *check_extensions(struct str rest, struct str type, bool is_tcp)
{
    struct extensions seen = {0};
    while (rest.p) {
        struct str name = sdp_next_word(&rest);
        if (!sdp_is_token(name))
            return "an extension has no name";
        if (!rest.p)
            return "an extension has no value";
        const char *problem = read_extension(name, sdp_next_word(&rest), &seen);
        if (problem)
            return problem;
    }
    bool is_host = !str_eqz(type, "srflx") && !str_eqz(type, "prflx") && !str_eqz(type, "relay");
    if (seen.has_address != seen.has_port || (!is_host && !seen.has_address))
        return "raddr and rport must come together, and with srflx, prflx and relay";
    return is_tcp && !seen.has_tcp_type ? "a TCP candidate without tcptype" : NULL;
}

static const char *check(struct str rest)
{
    struct str foundation = sdp_next_word(&rest);
    if (foundation.n == 0 || foundation.n > 32 || !sdp_is_ice_chars(foundation))
        return "the foundation is not 1 to 32 ICE characters";
    if (!is_number(sdp_next_word(&rest), 3, 1, 256))
        return "the component is not 1 to 256";
    struct str transport = sdp_next_word(&rest);
    if (!sdp_is_token(transport))
        return "the transport is not a token";
    if (!is_number(sdp_next_word(&rest), 10, 1, INT32_MAX))
        return "the priority is not 1 to 2^31-1";
    if (!sdp_is_address(sdp_next_word(&rest)))
        return "the address is not an IP address or host name";
    if (!is_number(sdp_next_word(&rest), 5, 0, UINT16_MAX))
        return "the port is not 0 to 65535";
    if (!str_eqz(sdp_next_word(&rest), "typ"))
        return "\"typ\" is missing";
    struct str type = sdp_next_word(&rest);
    if (!sdp_is_token(type))
        return "the candidate type is not a token";
    return check_extensions(rest, type, str_eq_nocase(transport, STR("tcp")));
}

enum err ice_candidate_check(struct str candidate, const char **reason)
{
    if (candidate.n == 0)
        return OK;
    const char *problem = "longer than 1 KiB";
    if (candidate.n <= CANDIDATE_MAX_BYTES) {
        struct str rest = candidate;
        if (str_starts_with(rest, STR("a=")))
            rest = (struct str){rest.p + 2, rest.n - 2};
        bool is_candidate = str_eqz(str_cut(&rest, ':'), "candidate") && rest.p;
        problem = is_candidate ? check(rest) : "does not start with \"candidate:\"";
    }
    if (!problem)
        return OK;
    *reason = problem;
    return ERR_INVALID_CANDIDATE;
}
