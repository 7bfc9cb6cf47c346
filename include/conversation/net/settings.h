/* What an operator may set of connections and HTTP (docs/configuration.md, "HTTP"). Filled in before the
 * first listener opens; whoever hosts the layer takes the values from its own configuration. */
#ifndef CONVERSATION_NET_SETTINGS_H
#define CONVERSATION_NET_SETTINGS_H

#include <stddef.h>
#include <stdint.h>

struct net_settings {
    size_t max_connections;             /* of all listeners */
    size_t max_connections_per_address; /* of those that serve the API; 0: as many as there are */
    size_t max_body_bytes, max_header_bytes, max_uri_bytes;
    size_t write_buffer_bytes;     /* unread answers that keep the next request waiting */
    int64_t header_timeout_ms;     /* from a request's first byte to the end of its header */
    int64_t body_timeout_ms;       /* for a whole body; for any progress of a peer that reads */
    int64_t keep_alive_timeout_ms; /* between requests */
};

extern struct net_settings net_settings; /* the defaults, until filled in */
extern const struct net_settings net_settings_default;

#endif
