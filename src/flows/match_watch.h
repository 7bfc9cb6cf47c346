/* Calls that wait for news of their user's match request (GET /match-request/status?wait=…). Whoever changes
 * a request in this process, or hears from another instance that it was changed, tells it here; a waiting
 * call costs the database nothing. News that got lost is found by one look at all watched requests together,
 * every CHECK_MS. */
#ifndef FLOWS_MATCH_WATCH_H
#define FLOWS_MATCH_WATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "conversation/base/list.h"
#include "conversation/base/uuid.h"
#include "conversation/rt/flow.h"
#include "conversation/rt/timer.h"

/* One waiting call, embedded in its flow's context. All zero is none. */
struct match_watch {
    struct list link; /* in the bucket of its user */
    struct uuid user_id, request_id;
    struct flow_op *op; /* NULL: not waiting at the moment */
    struct timer timer;
    bool has_news; /* since the last wait began */
};

/* Begins before the request is read, so that no news between the read and the wait is missed. False: there
 * are MATCH_STATUS_MAX_WAITING already. */
bool match_watch_begin(struct match_watch *w, const struct uuid *user_id) MUST_CHECK;
void match_watch_end(
    struct match_watch *w); /* before its flow ends, however it ends; harmless without begin */

/* One operation of the flow, OK: there may be news of the request, or `ms` are over. */
void match_watch_wait(struct flow *f, struct match_watch *w, const struct uuid *request_id, int64_t ms);

/* A request of this user has been matched, expired or cancelled. */
void match_watch_news(const struct uuid *user_id);

void match_watch_release(void); /* at shutdown: all who wait go on at once */
size_t match_watch_count(void);

#endif
