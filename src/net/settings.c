#include "conversation/net/settings.h"

/* The defaults of docs/configuration.md. */
#define DEFAULTS                                                                                             \
    {                                                                                                        \
        .max_connections = 25000, .max_body_bytes = 65536, .max_header_bytes = 16384, .max_uri_bytes = 8192, \
        .write_buffer_bytes = 1048576, .header_timeout_ms = 10000, .body_timeout_ms = 20000,                 \
        .keep_alive_timeout_ms = 75000,                                                                      \
    }

const struct net_settings net_settings_default = DEFAULTS;
struct net_settings net_settings = DEFAULTS;
