/* A learner of the plan, and its Socket.IO socket: Engine.IO 4 over WebSocket, namespace "/", token in the
 * handshake, as the stock client does it with transports: ["websocket"]. */
#pragma once

#include "link.h"

#define ID_LENGTH 36

struct learner {
    struct link link; /* first: a link is cast to its learner */
    char *token;      /* "-": of a server that knows none; the socket is ready once it is upgraded */
    char user_id[ID_LENGTH + 1], session_id[ID_LENGTH + 1]; /* session_id is "-" without a session */
    struct learner *partner;                                /* the plan's neighbour */
    bool is_upgraded, is_ready;
    /* An event has come; `json` is its array, [name,argument]. */
    void (*on_event)(struct learner *l, const char *json, size_t n);
    void *user_data;
};

struct plan {
    struct learner *learners;
    size_t count;
};

/* Lines of "userId token sessionId"; the two of a pair one after the other. */
struct plan plan_read(const char *path);

/* Opens the sockets of the first `count` learners and waits until all are connected and have joined their
 * sessions. The second one of each pair connects to `other_port`, unless that is 0. */
void learners_connect(struct plan *plan, size_t count, int port, int other_port);

/* Appends a masked text frame. */
void frame_add(struct bytes *out, const char *text, size_t n);
