/* A page of a list (docs/api.md, "GET /history"): {"<name>":[…],"total":…,"hasMore":…}. */
#ifndef FLOWS_REST_PAGE_JSON_H
#define FLOWS_REST_PAGE_JSON_H

#include "conversation/edge/reply.h"

/* The entries, `count` of them, are written between the two calls; the second sends the answer. */
struct jsonw *reply_page_begin(struct flow *f, const char *name);
void reply_page_send(struct flow *f, struct jsonw *w, int offset, size_t count, int64_t total);

#endif
