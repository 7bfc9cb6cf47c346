/* How many connections each peer has: an IPv4 address, or an IPv6 network of 64 bits, which is what one
 * subscriber gets and may take any address of. Only counted while net_settings.max_connections_per_address is
 * set. */
#ifndef NET_SOURCES_H
#define NET_SOURCES_H

#include <stdbool.h>
#include <sys/socket.h>

struct source;

/* One connection more; false: the peer has as many as it may. *out, NULL when nothing is counted, goes to
 * source_release when the connection closes. */
bool source_take(const struct sockaddr_storage *peer, struct source **out);
void source_release(struct source *s); /* NULL is harmless */

#define SOURCE_TEXT_MAX 64
void source_format(const struct sockaddr_storage *peer, char out[SOURCE_TEXT_MAX]); /* for the log */

#endif
