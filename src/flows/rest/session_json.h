/* A session as GET /sessions/:id, leave and end show it. */
#ifndef FLOWS_REST_SESSION_JSON_H
#define FLOWS_REST_SESSION_JSON_H

#include "conversation/domain/session.h"
#include "conversation/rt/flow.h"

/* Answers 200 {"session":{…}}. The recording's URL is for moderators and admins only. */
void reply_session(struct flow *f, const struct session *s);

#endif
