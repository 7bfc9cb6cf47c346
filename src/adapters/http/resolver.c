/* Addresses are used for KNOWN_MS: getaddrinfo does not tell how long they are good for, and a service that
 * has moved is noticed earlier, when nobody can be reached any more. */
#include "adapters/http/resolver.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>

#include "conversation/base/clock.h"
#include "conversation/rt/loop.h"

#define KNOWN_MS 30000

/* Outlives the resolver that asked, when that is done with. */
struct http_lookup {
    struct loop_work work;
    struct http_resolver *resolver; /* NULL: nobody waits any more */
    char *host;
    int status; /* of getaddrinfo */
    struct addrinfo *found;
};

void http_resolver_init(struct http_resolver *r)
{
    unsigned char address[sizeof(struct in6_addr)];
    r->is_numeric = inet_pton(AF_INET, r->host, address) == 1 || inet_pton(AF_INET6, r->host, address) == 1;
}

void http_resolver_done(struct http_resolver *r)
{
    if (r->lookup)
        r->lookup->resolver = NULL;
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
    char address[NI_MAXHOST];
    int count = 0;
    r->line.n = 0;
    buf_addf(&r->line, "%s:%d:", r->host, r->port);
    for (const struct addrinfo *a = found; a; a = a->ai_next) {
        if (getnameinfo(a->ai_addr, a->ai_addrlen, address, sizeof address, NULL, 0, NI_NUMERICHOST) != 0)
            continue;
        buf_addf(&r->line, a->ai_family == AF_INET6 ? "%s[%s]" : "%s%s", count++ ? "," : "", address);
    }
    buf_addc(&r->line, '\0');
    if (count == 0)
        r->line.n = 0;
    return count > 0;
}

static void look_up(struct loop_work *w)
{
    struct http_lookup *l = container_of(w, struct http_lookup, work);
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    l->status = getaddrinfo(l->host, NULL, &hints, &l->found);
}

static void on_looked_up(struct loop_work *w)
{
    struct http_lookup *l = container_of(w, struct http_lookup, work);
    struct http_resolver *r = l->resolver;
    if (r) {
        r->lookup = NULL;
        r->known_until_ms = clock_mono_ms() + KNOWN_MS;
        const char *problem = l->status ? gai_strerror(l->status) : NULL;
        if (!problem && !write_line(r, l->found))
            problem = "the host has no address";
        if (problem)
            r->line.n = 0;
        r->ended(r, problem);
    }
    if (l->found)
        freeaddrinfo(l->found);
    free(l->host);
    free(l);
}

void http_resolver_start(struct http_resolver *r)
{
    if (r->lookup)
        return;
    struct http_lookup *l = calloc(1, sizeof *l);
    if (!l || !(l->host = strdup(r->host)))
        abort();
    l->resolver = r;
    l->work.work = look_up;
    l->work.done = on_looked_up;
    r->lookup = l;
    loop_work_start(&l->work);
}
