/* Socket events for a user, on whatever instance the sockets are. */
#ifndef FLOWS_USER_EVENTS_H
#define FLOWS_USER_EVENTS_H

#include "conversation/base/str.h"
#include "conversation/base/uuid.h"

void user_events_start(void);
/* To every socket of the user, here and elsewhere. What is sent while Redis is away reaches those here. */
void user_events_send(const struct uuid *user_id, const char *event, struct str json);

#endif
