/* The auth-service's word on a learner: from the cache in Redis, or by HTTP with a retry and a circuit
 * breaker. Those who ask for the same at the same time share one request. Private to the profile adapter. */
#ifndef CONVERSATION_PROFILE_FETCH_H
#define CONVERSATION_PROFILE_FETCH_H

#include "conversation/base/list.h"
#include "conversation/domain/identity.h"

bool fetch_start(void); /* false: AUTH_SERVICE_URL cannot be used */
void fetch_stop(void);
bool fetch_is_on(void); /* started, and there is a URL */

enum fetch_result {
    FETCH_FROM_CACHE,
    FETCH_FROM_SERVICE,
    FETCH_UNKNOWN, /* it does not know the learner */
    FETCH_FAILED   /* it was not asked, did not answer, or not in a way that can be used */
};

/* One who waits; embedded by its owner, who fills in `answered`. */
struct fetch_waiter {
    struct list link;
    /* Once, from the loop; `profile` is NULL unless there is one, and valid during the call. */
    void (*answered)(struct fetch_waiter *w, enum fetch_result result, const struct profile *profile);
};

void fetch_profile(struct fetch_waiter *w, const struct uuid *user_id, const char *language,
                   const char *correlation_id);

#endif
