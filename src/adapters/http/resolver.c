/* Addresses are used for KNOWN_MS: getaddrinfo does not tell how long they are good for, and a service that
 * has moved is noticed earlier, when nobody can be reached any more. */
#include "adapters/http/resolver.h"

#include <netdb.h>

#include "conversation/base/clock.h"
#include "conversation/rt/address_lookup.h"

#define KNOWN_MS 30000

void http_resolver_init(struct http_resolver *r)
{
    r->is_numeric = address_is_numeric(r->host);
}

void http_resolver_done(struct http_resolver *r)
{
    address_lookup_forget(r->lookup);
    buf_done(&r->line);
}

bool http_resolver_knows(const struct http_resolver *r)
{
    return r->is_numeric || (r->line.n && clock_mono_ms() < r->known_until_ms);
}

const char *http_resolver_line(const struct http_resolver *r)
{
    return r->is_numeric ? NULL : r->line.p;
}

void http_resolver_forget(struct http_resolver *r)
{
    r->known_until_ms = 0;
}

/* False: the host has no address. */
static bool write_line(struct http_resolver *r, const struct addrinfo *found)
{
    char address[ADDRESS_TEXT_MAX];
    int count = 0;
    r->line.n = 0;
    buf_addf(&r->line, "%s:%d:", r->host, r->port);
    for (const struct addrinfo *a = found; a; a = a->ai_next) {
        if (!address_write(a, address))
            continue;
        buf_addf(&r->line, a->ai_family == AF_INET6 ? "%s[%s]" : "%s%s", count++ ? "," : "", address);
    }
    buf_addc(&r->line, '\0');
    if (count == 0)
        r->line.n = 0;
    return count > 0;
}

static void on_looked_up(void *arg, const struct addrinfo *found, const char *problem)
{
    struct http_resolver *r = arg;
    r->lookup = NULL;
    r->known_until_ms = clock_mono_ms() + KNOWN_MS;
    if (!problem && !write_line(r, found))
        problem = "the host has no address";
    if (problem)
        r->line.n = 0;
    r->ended(r, problem);
}

void http_resolver_start(struct http_resolver *r)
{
    if (!r->lookup)
        r->lookup = address_lookup_start(r->host, on_looked_up, r);
}
