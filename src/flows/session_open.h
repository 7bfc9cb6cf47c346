/* When a session that was arranged ahead can be joined. */
#ifndef FLOWS_SESSION_OPEN_H
#define FLOWS_SESSION_OPEN_H

#include "conversation/domain/session.h"
#include "conversation/rt/flow.h"

/* Fails the flow with ERR_SESSION_NOT_OPEN and the time from which on it is open, when that has not come. */
void check_session_is_open(struct flow *f, const struct session *s);

#endif
