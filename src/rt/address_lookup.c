#include "conversation/rt/address_lookup.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "conversation/rt/loop.h"

static_assert(ADDRESS_TEXT_MAX == NI_MAXHOST, "as getnameinfo wants it");

/* Outlives whoever has forgotten it: a thread of the pool works on it. */
struct address_lookup {
    struct loop_work work;
    address_lookup_fn *done; /* NULL: nobody waits any more */
    void *arg;
    char *host;
    int status; /* of getaddrinfo */
    struct addrinfo *found;
};

static void look_up(struct loop_work *w)
{
    struct address_lookup *l = container_of(w, struct address_lookup, work);
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    l->status = getaddrinfo(l->host, NULL, &hints, &l->found);
}

static void on_looked_up(struct loop_work *w)
{
    struct address_lookup *l = container_of(w, struct address_lookup, work);
    if (l->done)
        l->done(l->arg, l->status ? NULL : l->found, l->status ? gai_strerror(l->status) : NULL);
    if (l->found)
        freeaddrinfo(l->found);
    free(l->host);
    free(l);
}

struct address_lookup *address_lookup_start(const char *host, address_lookup_fn *done, void *arg)
{
    struct address_lookup *l = calloc(1, sizeof *l);
    if (!l || !(l->host = strdup(host)))
        abort();
    l->done = done;
    l->arg = arg;
    l->work.work = look_up;
    l->work.done = on_looked_up;
    loop_work_start(&l->work);
    return l;
}

void address_lookup_forget(struct address_lookup *l)
{
    if (l)
        l->done = NULL;
}

bool address_is_numeric(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

bool address_write(const struct addrinfo *a, char out[ADDRESS_TEXT_MAX])
{
    return getnameinfo(a->ai_addr, a->ai_addrlen, out, ADDRESS_TEXT_MAX, NULL, 0, NI_NUMERICHOST) == 0;
}
