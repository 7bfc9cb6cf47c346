/* Candidates read word by word and character by character, for comparison: what is wrong, or NULL. */
#ifndef TESTS_UNIT_CODEC_ICE_ORACLE_H
#define TESTS_UNIT_CODEC_ICE_ORACLE_H

#include <arpa/inet.h>
#include <string.h>

#include "conversation/base/str.h"

#define ORACLE_DIGITS  "0123456789"
#define ORACLE_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define ORACLE_ALNUM   ORACLE_DIGITS ORACLE_LETTERS

static inline bool oracle_is_made_of(struct str s, const char *set)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '\0' || !strchr(set, s.p[i]))
            return false;
    return true;
}

static inline bool oracle_is_token(struct str s)
{
    return s.n > 0 && oracle_is_made_of(s, ORACLE_ALNUM "!#$%&'*+-.^_`{|}~");
}

static inline bool oracle_is_number(struct str s, size_t digits_max, int64_t min, int64_t max)
{
    int64_t value;
    return s.n <= digits_max && oracle_is_made_of(s, ORACLE_DIGITS) && str_to_int(s, min, max, &value);
}

static inline bool oracle_is_host_name(struct str s)
{
    struct str label = {0};
    while (s.p) {
        label = str_cut(&s, '.');
        if (label.n == 0 || label.n > 63 || !oracle_is_made_of(label, ORACLE_ALNUM "-"))
            return false;
    }
    return !oracle_is_made_of(label, ORACLE_DIGITS);
}

static inline bool oracle_is_address(struct str s)
{
    char z[254];
    struct in6_addr address;
    if (s.n == 0 || !str_copy(s, z, sizeof z))
        return false;
    bool is_whole = strlen(z) == s.n;
    return (is_whole && inet_pton(AF_INET, z, &address) == 1) ||
           (is_whole && inet_pton(AF_INET6, z, &address) == 1) || oracle_is_host_name(s);
}

static inline const char *oracle_check_extensions(struct str rest, struct str type, bool is_tcp)
{
    bool has_address = false, has_port = false, has_tcp_type = false;
    while (rest.p) {
        struct str name = str_cut(&rest, ' ');
        if (!oracle_is_token(name))
            return "an extension has no name";
        if (!rest.p)
            return "an extension has no value";
        struct str value = str_cut(&rest, ' ');
        for (size_t i = 0; i < value.n; i++)
            if (value.p[i] <= ' ' || value.p[i] > '~')
                return "an extension's value is not visible ASCII";
        if (str_eqz(name, "raddr") && (has_address || !oracle_is_address(value)))
            return "the related address is not one";
        if (str_eqz(name, "rport") && (has_port || !oracle_is_number(value, 5, 0, 65535)))
            return "the related port is not 0 to 65535";
        if (str_eqz(name, "tcptype") && !str_eqz(value, "active") && !str_eqz(value, "passive") &&
            !str_eqz(value, "so"))
            return "the TCP type is not active, passive or so";
        has_address |= str_eqz(name, "raddr");
        has_port |= str_eqz(name, "rport");
        has_tcp_type |= str_eqz(name, "tcptype");
    }
    bool is_related = str_eqz(type, "srflx") || str_eqz(type, "prflx") || str_eqz(type, "relay");
    if (has_address != has_port || (is_related && !has_address))
        return "raddr and rport must come together, and with srflx, prflx and relay";
    return is_tcp && !has_tcp_type ? "a TCP candidate without tcptype" : NULL;
}

static inline const char *oracle_check_candidate(struct str rest)
{
    if (rest.n == 0)
        return NULL;
    if (rest.n > 1024)
        return "longer than 1 KiB";
    if (str_starts_with(rest, STR("a=")))
        rest = (struct str){rest.p + 2, rest.n - 2};
    if (!str_eqz(str_cut(&rest, ':'), "candidate") || !rest.p)
        return "does not start with \"candidate:\"";
    struct str word = str_cut(&rest, ' ');
    if (word.n == 0 || word.n > 32 || !oracle_is_made_of(word, ORACLE_ALNUM "+/"))
        return "the foundation is not 1 to 32 ICE characters";
    if (!oracle_is_number(str_cut(&rest, ' '), 3, 1, 256))
        return "the component is not 1 to 256";
    struct str transport = str_cut(&rest, ' ');
    if (!oracle_is_token(transport))
        return "the transport is not a token";
    if (!oracle_is_number(str_cut(&rest, ' '), 10, 1, INT32_MAX))
        return "the priority is not 1 to 2^31-1";
    if (!oracle_is_address(str_cut(&rest, ' ')))
        return "the address is not an IP address or host name";
    if (!oracle_is_number(str_cut(&rest, ' '), 5, 0, 65535))
        return "the port is not 0 to 65535";
    if (!str_eqz(str_cut(&rest, ' '), "typ"))
        return "\"typ\" is missing";
    word = str_cut(&rest, ' ');
    if (!oracle_is_token(word))
        return "the candidate type is not a token";
    return oracle_check_extensions(rest, word, str_eq_nocase(transport, STR("tcp")));
}

#endif
