/* The edge: listeners, REST and Socket.IO as one subsystem, for app.c. */
#ifndef CONVERSATION_EDGE_EDGE_H
#define CONVERSATION_EDGE_EDGE_H

#include <stdbool.h>

#include "conversation/edge/hub.h"

/* Before edge_listen. False: the configured keys cannot be used, *problem says why. */
bool edge_init(const struct hub_setup *hub, const char **problem);
/* The keys again, from the configuration; false: the old ones stay. */
bool edge_reload(const char **problem);

/* A variable whose value cannot be used, and why. */
struct edge_refusal {
    const char *variable;
    char why[400];
};
/* The certificate that the configuration names, if it names one. Before edge_listen; later again, for new
 * connections. False: what was there before stays. */
bool edge_load_certificate(struct edge_refusal *refusal);

struct edge_problem {
    int port;
    const char *why;
};
bool edge_listen(struct edge_problem *problem);
int edge_port(void); /* that the API is served on */

/* Shutting down: no new connections or sockets, REST answers 503, sockets are told; what runs goes on. */
void edge_drain(void);
/* Every connection and socket is closed when it returns (their handles close in the next turn). */
void edge_close(void);
void edge_done(void);

#endif
