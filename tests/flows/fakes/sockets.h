/* Fake of ports/sockets.h: sockets that are there or not, and a record of everything they were sent. */
#ifndef TESTS_FLOWS_FAKES_SOCKETS_H
#define TESTS_FLOWS_FAKES_SOCKETS_H

#include "conversation/ports/sockets.h"

/* A user's socket comes, and goes (telling the live session when it was in one, as the hub does). */
void socket_opens(uint64_t socket_id, const char *user_id);
void socket_goes(uint64_t socket_id);
bool socket_is_open(uint64_t socket_id);
bool socket_is_in(uint64_t socket_id, const char *session_id); /* has entered this session */
bool socket_is_in_any(uint64_t socket_id);

/* What a socket was sent, oldest first, one taken at a time: the event's name and payload. */
void assert_told(uint64_t socket_id, const char *event, const char *payload);
#define assert_told_nothing(socket_id) assert_told((socket_id), NULL, NULL)
/* Takes and returns the payload of the next event, which must be `event`; valid until sockets_reset. */
const char *next_told(uint64_t socket_id, const char *event);
/* The `n`th of everything that anybody was sent since the last forget, taken or not, from 0; false: there are
 * not so many. */
struct told {
    int64_t at_ms;
    uint64_t socket_id;
    const char *event, *payload; /* valid until sockets_reset */
};
bool told_nth(int n, struct told *out);
/* Drops what was sent so far, to whomever. */
void sockets_forget(void);
/* How often anyone was sent this event since the last forget, taken or not. */
int times_told(const char *event);
void sockets_reset(void);

#endif
