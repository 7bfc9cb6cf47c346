/* The port: the auth-service's profile where there is one, else the token's (docs/api.md, "Profiles"). */
#include "conversation/ports/profile.h"

#include "adapters/profile/claims.h"
#include "adapters/profile/fetch.h"
#include "conversation/base/metrics.h"

/* In the flow's arena. */
struct asked {
    struct fetch_waiter waiter;
    struct flow_op *op;
    struct identity who;
    char language[LANG_MAX];
    struct profile *out;
};

bool profile_start(void)
{
    return fetch_start();
}

void profile_stop(void)
{
    fetch_stop();
}

/* OK, or why the flow fails. */
static enum err take_claims(struct flow *f, const struct asked *a, bool is_away)
{
    if (claims_profile(&a->who, a->language, a->out)) {
        metric_inc(M_PROFILE_ANSWERS, "claims");
        return OK;
    }
    metric_inc(M_PROFILE_ANSWERS, "none");
    if (is_away)
        return ERR_PROFILE_UNAVAILABLE;
    struct buf details = {0};
    claims_missing(&a->who, a->language, &details);
    flow_set_error_details(f, ERR_INVALID_REQUEST, buf_str(&details));
    buf_done(&details);
    return ERR_INVALID_REQUEST;
}

static void on_answered(struct fetch_waiter *w, enum fetch_result result, const struct profile *profile)
{
    struct asked *a = container_of(w, struct asked, waiter);
    enum err err = OK;
    if (!flow_op_is_wanted(a->op)) { /* the flow has an error of its own by now */
        flow_op_done(a->op, ERR_CANCELLED);
        return;
    }
    if (profile) {
        *a->out = *profile;
        metric_inc(M_PROFILE_ANSWERS, result == FETCH_FROM_CACHE ? "cache" : "service");
    } else {
        err = take_claims(flow_op_flow(a->op), a, result == FETCH_FAILED);
    }
    flow_op_done(a->op, err);
}

void profile_get(struct flow *f, const struct identity *who, const char *language, struct profile *out)
{
    struct asked *a = ARENA_NEW(flow_arena(f), struct asked);
    *a = (struct asked){.waiter.answered = on_answered, .op = flow_op_begin(f), .who = *who, .out = out};
    (void)str_copy(str_of(language), a->language, sizeof a->language); /* a language code: it fits */
    if (fetch_is_on())
        fetch_profile(&a->waiter, &who->user_id, a->language, flow_correlation_id(f));
    else
        flow_op_done_later(a->op, take_claims(f, a, false));
}
