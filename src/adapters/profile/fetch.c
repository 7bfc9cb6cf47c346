/* One fetch is one flow: cache -> breaker -> request, perhaps again -> the waiters are told -> cache. It goes
 * on when those who asked have left, for they will ask again.
 *
 * What counts for the breaker is whether the service serves at all: no answer, 5xx, 401 and 429 do not. What
 * it says about one learner, however useless, must not keep it from being asked about the others. */
#include "adapters/profile/fetch.h"

#include <stdio.h>
#include <stdlib.h>

#include "adapters/http/client.h"
#include "adapters/profile/breaker.h"
#include "conversation/base/clock.h"
#include "conversation/base/log.h"
#include "conversation/base/map.h"
#include "conversation/base/metrics.h"
#include "conversation/codec/learning_profile.h"
#include "conversation/config.h"
#include "conversation/ports/kv.h"

#define DEPENDENCY      "auth-service" /* in metrics */
#define CONNECTIONS_MAX 32 /* more requests wait, their time running: a slow service is not flooded */
#define BODY_MAX        16384
#define RETRY_PAUSE_MS  100 /* an instance of it that goes down is replaced by another meanwhile */

static struct {
    struct http_client *http; /* NULL: off */
    struct breaker breaker;
    struct map by_user; /* fetches that others may join: one a user */
} service;

/* How one request ended. */
enum verdict { VERDICT_FOUND, VERDICT_UNKNOWN, VERDICT_BAD, VERDICT_DENIED, VERDICT_AWAY, VERDICT_TIMEOUT };

static const struct {
    const char *label; /* in metrics */
    bool is_served;    /* for the breaker */
    bool retry_helps;
} verdicts[] = {
    /* clang-format off */
    [VERDICT_FOUND]   = {"found",      true,  false},
    [VERDICT_UNKNOWN] = {"unknown",    true,  false},
    [VERDICT_BAD]     = {"bad_answer", true,  false}, /* the same would come again */
    [VERDICT_DENIED]  = {"denied",     false, false}, /* our token, or too many requests */
    [VERDICT_AWAY]    = {"away",       false, true},
    [VERDICT_TIMEOUT] = {"timeout",    false, true},
    /* clang-format on */
};

struct fetch {
    struct map_node by_user;
    bool is_joinable;
    struct list waiters;
    struct uuid user_id;
    char language[LANG_MAX];
    char key[sizeof "profile::" + UUID_TEXT_LENGTH + LANG_MAX]; /* of the cache */
    struct str cached;
    enum err err; /* of the cache or a pause: it makes no difference */
    int tries;
    bool may_retry;
    bool is_asking; /* `pass` is to be handed back */
    struct breaker_pass pass;
    int64_t asked_ms;
    struct http_answer answer;
    const char *problem;
    enum fetch_result result;
    struct profile profile;
};

/* --- those who wait --- */

static void stop_joining(struct fetch *c)
{
    if (c->is_joinable)
        map_remove(&service.by_user, &c->user_id);
    c->is_joinable = false;
}

static void tell_waiters(struct fetch *c)
{
    bool has_profile = c->result == FETCH_FROM_CACHE || c->result == FETCH_FROM_SERVICE;
    stop_joining(c);
    while (!list_is_empty(&c->waiters)) {
        struct fetch_waiter *w = LIST_FIRST(&c->waiters, struct fetch_waiter, link);
        list_remove(&w->link);
        w->answered(w, c->result, has_profile ? &c->profile : NULL);
    }
}

/* --- the cache --- */

/* What an older release may have kept there is no answer. */
static bool take_cached(struct flow *f, struct fetch *c)
{
    struct str problems;
    if (c->err || !c->cached.p ||
        learning_profile_decode(c->cached, &c->user_id, &c->profile, flow_arena(f), &problems))
        return false;
    c->result = FETCH_FROM_CACHE;
    return true;
}

static void put_into_cache(struct flow *f, const struct fetch *c)
{
    struct buf text = {0};
    learning_profile_encode(&c->profile, &c->user_id, &text);
    kv_cache_put(f, c->key, buf_str(&text), config.auth_service_cache_seconds);
    buf_done(&text);
}

/* --- one request --- */

static bool may_ask(struct fetch *c)
{
    c->is_asking = fetch_is_on() && breaker_ask(&service.breaker, clock_mono_ms(), &c->pass);
    metric_set(M_PROFILE_BREAKER, service.breaker.state, NULL);
    if (!c->is_asking && c->tries == 0)
        metric_inc(M_PROFILE_REQUESTS, "refused");
    return c->is_asking;
}

static void ask(struct flow *f, struct fetch *c)
{
    struct arena *arena = flow_arena(f);
    struct http_get get = {
        .path = arena_fmt(arena, "/internal/users/%s/learning-profile?targetLanguageCode=%s",
                          UUIDZ(&c->user_id), c->language)
                    .p,
        .headers = {"Accept: application/json",
                    arena_fmt(arena, "X-Correlation-Id: %s", flow_correlation_id(f)).p},
        .timeout_ms = config.auth_service_timeout_ms,
        .body_max = BODY_MAX,
    };
    if (config.auth_service_token[0])
        get.headers[2] = arena_fmt(arena, "Authorization: Bearer %s", config.auth_service_token).p;
    c->tries++;
    c->asked_ms = clock_mono_ms();
    http_client_get(service.http, f, &get, &c->answer);
}

static enum verdict judge_status(struct flow *f, struct fetch *c)
{
    int status = c->answer.status;
    if (status == 404)
        return VERDICT_UNKNOWN;
    c->problem = arena_fmt(flow_arena(f), "status %d", status).p;
    if (status >= 500)
        return VERDICT_AWAY;
    return status == 401 || status == 429 ? VERDICT_DENIED : VERDICT_BAD;
}

static enum verdict judge(struct flow *f, struct fetch *c)
{
    struct str problems;
    c->problem = c->answer.problem;
    switch (c->answer.outcome) {
    case HTTP_ANSWERED: break;
    case HTTP_TIMED_OUT: return VERDICT_TIMEOUT;
    case HTTP_TOO_LARGE: return VERDICT_BAD;
    case HTTP_UNREACHABLE:
    case HTTP_STOPPED: return VERDICT_AWAY;
    }
    if (c->answer.status != 200)
        return judge_status(f, c);
    if (!learning_profile_decode(c->answer.body, &c->user_id, &c->profile, flow_arena(f), &problems))
        return VERDICT_FOUND;
    c->problem = arena_strz(flow_arena(f), problems);
    return VERDICT_BAD;
}

static void tell_breaker(struct fetch *c, bool is_served)
{
    c->is_asking = false;
    if (!breaker_tell(&service.breaker, c->pass, is_served, clock_mono_ms()))
        return;
    metric_set(M_PROFILE_BREAKER, service.breaker.state, NULL);
    metric_set(M_DEPENDENCY_UP, service.breaker.state == BREAKER_CLOSED, DEPENDENCY);
    if (service.breaker.state == BREAKER_CLOSED)
        LOG(LOG_INFO, "profile.breaker_closed", LOG_Z("service", config.auth_service_url));
    else
        LOG(LOG_ERROR, "profile.breaker_opened", LOG_Z("service", config.auth_service_url),
            LOG_INT("forSeconds", config.auth_service_breaker_seconds));
}

static void settle(struct flow *f, struct fetch *c)
{
    enum verdict verdict = judge(f, c);
    int64_t took_ms = clock_mono_ms() - c->asked_ms;
    c->may_retry = verdicts[verdict].retry_helps && c->tries <= config.auth_service_retries;
    c->result = verdict == VERDICT_FOUND     ? FETCH_FROM_SERVICE
                : verdict == VERDICT_UNKNOWN ? FETCH_UNKNOWN
                                             : FETCH_FAILED;
    metric_inc(M_PROFILE_REQUESTS, verdicts[verdict].label);
    metric_observe(M_DEPENDENCY_LATENCY, (double)took_ms / 1e3, DEPENDENCY);
    if (c->result == FETCH_FAILED) {
        metric_inc(M_DEPENDENCY_ERRORS, DEPENDENCY);
        LOG(LOG_WARN, "profile.failed", LOG_Z("result", verdicts[verdict].label),
            LOG_Z("problem", c->problem), LOG_INT("try", c->tries), LOG_INT("durationMs", took_ms),
            LOG_UUID("userId", &c->user_id), LOG_Z("correlationId", flow_correlation_id(f)));
    }
    tell_breaker(c, verdicts[verdict].is_served);
}

/* --- the flow --- */

static void run(struct flow *f)
{
    struct fetch *c = flow_ctx(f);
    FLOW_BEGIN(f);
    if (config.auth_service_cache_seconds > 0)
        AWAIT_TRY(f, &c->err, kv_cache_get(f, c->key, &c->cached));
    c->may_retry = !take_cached(f, c);
    while (c->may_retry && may_ask(c)) {
        AWAIT_TRY(f, &c->err, ask(f, c));
        settle(f, c);
        if (c->may_retry)
            AWAIT_TRY(f, &c->err, flow_sleep(f, RETRY_PAUSE_MS));
    }
    tell_waiters(c);
    if (c->result == FETCH_FROM_SERVICE && config.auth_service_cache_seconds > 0)
        AWAIT_TRY(f, &c->err, put_into_cache(f, c));
    FLOW_END(f);
fail: /* the process stops */
    if (c->is_asking)
        tell_breaker(c, false);
    c->result = FETCH_FAILED;
    tell_waiters(c);
}

static const struct flow_spec fetch_flow = {
    .name = "profile.fetch", .run = run, .ctx_size = sizeof(struct fetch), .deadline_ms = 0};

static struct fetch *fetch_new(const struct uuid *user_id, const char *language, const char *correlation_id)
{
    struct fetch *c =
        flow_ctx(flow_start(&(struct flow_start){.spec = &fetch_flow, .correlation_id = correlation_id}));
    c->user_id = *user_id;
    (void)str_copy(str_of(language), c->language, sizeof c->language); /* a language code: it fits */
    snprintf(c->key, sizeof c->key, "profile:%s:%s", UUIDZ(user_id), c->language);
    list_init(&c->waiters);
    c->result = FETCH_FAILED; /* until something better comes */
    return c;
}

void fetch_profile(struct fetch_waiter *w, const struct uuid *user_id, const char *language,
                   const char *correlation_id)
{
    struct map_node *found = map_get(&service.by_user, user_id);
    struct fetch *c = found ? container_of(found, struct fetch, by_user) : NULL;
    if (!c || strcmp(c->language, language) != 0) {
        bool is_first = !c;
        c = fetch_new(user_id, language, correlation_id);
        c->is_joinable =
            is_first; /* of a user who asks for two languages at once, the second is not shared */
        if (is_first)
            map_put(&service.by_user, &c->user_id, &c->by_user);
    }
    list_add_tail(&c->waiters, &w->link);
}

/* --- life --- */

bool fetch_start(void)
{
    if (!config.auth_service_url[0])
        return true;
    service.breaker = (struct breaker){.failures_max = config.auth_service_breaker_failures,
                                       .open_ms = config.auth_service_breaker_seconds * 1000LL};
    service.http = http_client_new(config.auth_service_url, CONNECTIONS_MAX);
    metric_set(M_PROFILE_BREAKER, BREAKER_CLOSED, NULL);
    metric_set(M_DEPENDENCY_UP, service.http != NULL, DEPENDENCY);
    return service.http != NULL;
}

void fetch_stop(void)
{
    http_client_free(service.http);
    service.http = NULL;
    map_done(&service.by_user);
}

bool fetch_is_on(void)
{
    return service.http != NULL;
}
