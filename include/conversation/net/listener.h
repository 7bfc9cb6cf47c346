/* Listening sockets: accept, and what to do when descriptors or connections run out. */
#ifndef CONVERSATION_NET_LISTENER_H
#define CONVERSATION_NET_LISTENER_H

#include <stdbool.h>

/* Listens; port 0 lets the kernel choose. False: *problem is a static or strerror text. */
struct listener_setup {
    const char *address;
    int port;
    bool serves_api, serves_ops;
    bool uses_tls; /* with the certificate of conversation/net/tls.h, which must be loaded */
};
bool listener_open(const struct listener_setup *setup, const char **problem);
int listener_port(void);       /* of the first one that serves the API */
int listener_last_port(void);  /* of the one opened last */
void listener_close_all(void); /* stops accepting */

#endif
