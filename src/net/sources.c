/* A map from address to count. Peers choose their addresses to some degree, so the keys are mixed with a
 * secret. */
#include "sources.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "conversation/base/list.h"
#include "conversation/base/map.h"
#include "conversation/net/settings.h"

#define NETWORK_BYTES 8 /* of an IPv6 address */

struct source {
    struct map_node node;
    size_t connections;
};

static struct map sources;

/* The address as IPv6, IPv4 mapped into it. */
static struct in6_addr network_of(const struct sockaddr_storage *peer)
{
    struct in6_addr a = {0};
    if (peer->ss_family == AF_INET) {
        a.s6_addr[10] = a.s6_addr[11] = 0xff;
        memcpy(a.s6_addr + 12, &((const struct sockaddr_in *)peer)->sin_addr, 4);
    } else if (peer->ss_family == AF_INET6) {
        a = ((const struct sockaddr_in6 *)peer)->sin6_addr;
        if (!IN6_IS_ADDR_V4MAPPED(&a))
            memset(a.s6_addr + NETWORK_BYTES, 0, sizeof a.s6_addr - NETWORK_BYTES);
    }
    return a;
}

static struct uuid key_of(const struct sockaddr_storage *peer)
{
    static struct uuid secret;
    static bool has_secret;
    struct in6_addr a = network_of(peer);
    struct uuid key;
    if (!has_secret)
        secret = uuid_random();
    has_secret = true;
    for (size_t i = 0; i < sizeof key.b; i++)
        key.b[i] = a.s6_addr[i] ^ secret.b[i];
    return key;
}

bool source_take(const struct sockaddr_storage *peer, struct source **out)
{
    size_t limit = net_settings.max_connections_per_address;
    *out = NULL;
    if (limit == 0)
        return true;
    struct uuid key = key_of(peer);
    struct map_node *node = map_get(&sources, &key);
    struct source *s = node ? container_of(node, struct source, node) : NULL;
    if (s && s->connections >= limit)
        return false;
    if (!s) {
        s = calloc(1, sizeof *s);
        if (!s)
            abort();
        map_put(&sources, &key, &s->node);
    }
    s->connections++;
    *out = s;
    return true;
}

void source_release(struct source *s)
{
    if (!s || --s->connections > 0)
        return;
    map_remove(&sources, &s->node.key);
    free(s);
    if (sources.count == 0)
        map_done(&sources);
}

void source_format(const struct sockaddr_storage *peer, char out[SOURCE_TEXT_MAX])
{
    struct in6_addr a = network_of(peer);
    char text[INET6_ADDRSTRLEN] = "";
    bool is_v4 = IN6_IS_ADDR_V4MAPPED(&a);
    inet_ntop(is_v4 ? AF_INET : AF_INET6, is_v4 ? a.s6_addr + 12 : a.s6_addr, text, sizeof text);
    snprintf(out, SOURCE_TEXT_MAX, "%s%s", text, is_v4 ? "" : "/64");
}
