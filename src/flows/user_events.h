/* What a user is told of a match request: by socket events, and by calls that wait for it
 * (flows/match_watch.h), on whatever instance those are. */
#ifndef FLOWS_USER_EVENTS_H
#define FLOWS_USER_EVENTS_H

#include "conversation/base/str.h"
#include "conversation/base/uuid.h"

void user_events_start(void);
/* To every socket of the user, here and elsewhere. What is sent while Redis is away reaches those here. */
void user_events_send(const struct uuid *user_id, const char *event, struct str json);
/* The end of a session, for those of them that are not in it: each is told once (ports/sockets.h). */
void user_events_session_ended(const struct uuid *user_id, const struct uuid *session_id, struct str json);
/* To the waiting calls alone: the sockets' owner has cancelled it. */
void user_events_request_cancelled(const struct uuid *user_id);
/* All sockets of the user, here and elsewhere, are disconnected: nothing about the user is to be kept for
 * them. */
void user_events_erased(const struct uuid *user_id);

#endif
