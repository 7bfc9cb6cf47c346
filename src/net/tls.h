/* TLS 1.2 and 1.3 on an accepted non-blocking socket, by OpenSSL. Used as the socket is: tls_read and
 * tls_write answer as recv and send do, and set errno. The handshake is part of reading. */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "conversation/net/tls.h"

/* Room that a whole record needs, and what one reading may bring: two records and their remains. */
#define TLS_READ_BYTES (48 * 1024)

struct tls;

struct tls *tls_new(int fd); /* with the certificate that is loaded; the socket stays the caller's */
/* Frees it, with a close_notify when one can be sent. NULL is harmless. */
void tls_end(struct tls *t);

/* At least TLS_READ_BYTES of room. Receives once from the socket, and gives all that this makes readable. 0:
 * the peer has ended. EAGAIN: more must be received, or sent (tls_wants_write). EPROTOTYPE: the peer speaks
 * plain text, and nothing has been sent to it. Anything else is the end. */
ssize_t tls_read(struct tls *t, char *p, size_t n);
/* As send; after EAGAIN it must be called again with the same bytes, of which there may then be more. */
ssize_t tls_write(struct tls *t, const char *p, size_t n);

bool tls_wants_write(const struct tls *t); /* to go on with reading, the socket must be writable */
bool tls_is_over(const struct tls *t);     /* the next tls_read says how, without the socket */

#endif
