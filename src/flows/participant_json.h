/* A participant as its partner may see it. */
#ifndef FLOWS_PARTICIPANT_JSON_H
#define FLOWS_PARTICIPANT_JSON_H

#include "conversation/base/jsonw.h"
#include "conversation/domain/session.h"

void participant_write(struct jsonw *w, const struct participant *p); /* an object */

#endif
