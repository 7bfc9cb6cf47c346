/* The token gate. */
#include "gate.h"

#include "conversation/base/clock.h"
#include "conversation/base/metrics.h"
#include "conversation/codec/token.h"
#include "conversation/codec/token_cache.h"
#include "conversation/config.h"

static struct token_keys *keys;
static struct token_cache *cache; /* of tokens that `keys` verified; NULL: off */

/* The cache goes with the keys: a token whose key is no longer trusted must not live on in it. */
bool gate_init(const char **problem)
{
    struct token_keys *fresh = token_keys_new(str_of(config.jwt_public_key), problem);
    if (!fresh)
        return false;
    gate_done();
    keys = fresh;
    if (config.jwt_cache_entries > 0)
        cache = token_cache_new((size_t)config.jwt_cache_entries);
    return true;
}

void gate_done(void)
{
    token_keys_free(keys);
    token_cache_free(cache);
    keys = NULL;
    cache = NULL;
}

static bool is_known(struct str token, const struct token_policy *policy, int64_t now_ms,
                     struct identity *out)
{
    if (!cache)
        return false;
    bool is_hit = token_cache_find(cache, token, policy->leeway_ms, now_ms, out);
    metric_inc(M_JWT_CACHE, is_hit ? "hit" : "miss");
    return is_hit;
}

enum err gate_verify(struct str token, struct identity *out, const char **reason)
{
    const struct token_policy policy = {
        .issuer = config.jwt_issuer,
        .audience = config.jwt_audience,
        .leeway_ms = config.jwt_leeway_seconds * 1000LL,
    };
    int64_t now_ms = clock_now_ms();
    if (is_known(token, &policy, now_ms, out))
        return OK;
    enum err err = token_verify(keys, &policy, token, now_ms, out, reason);
    if (!err && cache)
        token_cache_add(cache, token, out);
    return err;
}

bool gate_origin_is_allowed(struct str origin)
{
    struct str rest = str_of(config.cors_allowed_origins);
    if (!origin.n)
        return false;
    while (rest.p) {
        struct str allowed = str_trim(str_cut(&rest, ','), " ");
        if (str_eqz(allowed, "*") || str_eq_nocase(allowed, origin))
            return true;
    }
    return false;
}

bool gate_websocket_origin_is_allowed(struct str origin)
{
    return !origin.n || !config.cors_allowed_origins[0] || gate_origin_is_allowed(origin);
}
