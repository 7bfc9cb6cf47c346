/* HTTP long-polling: GET waits for packets, POST brings them
 * (https://socket.io/docs/v4/engine-io-protocol/, "HTTP long-polling"). */
#ifndef SIO_POLLING_H
#define SIO_POLLING_H

#include "conversation/net/http.h"
#include "conversation/sio/eio.h"

/* For both: `headers` are complete lines for the answer, copied. */

/* Answers with the OPEN packet of a new session, with a copy of `context`. False, and nothing answered: the
 * server is full or refuses it. */
bool polling_open(struct conn *c, struct eio_server *server, struct str headers, const void *context);
/* Answers as soon as there are packets, with all of the loop turn. The session has no poll yet. The request
 * is freed (http_forget_request). */
void polling_wait(struct conn *c, struct eio_server *server, struct eio_session *s, struct str headers);

/* The body of a POST begins to arrive: one at a time, and whole. `server` outlives the connection. */
void polling_expect(struct conn *c, struct eio_server *server, struct eio_session *s);
/* Hands the packets of a POST's body to the session. False: the session has ended because of them. */
bool polling_take(struct eio_session *s, struct str body);

#endif
