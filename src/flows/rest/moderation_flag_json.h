/* A flagged user as moderators see it. */
#ifndef FLOWS_REST_MODERATION_FLAG_JSON_H
#define FLOWS_REST_MODERATION_FLAG_JSON_H

#include "conversation/base/jsonw.h"
#include "conversation/ports/db_moderation.h"

/* The members that every flag has; the object is the caller's. */
void flag_write(struct jsonw *w, const struct db_flag *flag);

#endif
