/* The token gate. */
#include "gate.h"

#include "conversation/base/clock.h"
#include "conversation/codec/token.h"
#include "conversation/config.h"

static struct token_keys *keys;

bool gate_init(const char **problem)
{
    struct token_keys *fresh = token_keys_new(str_of(config.jwt_public_key), problem);
    if (!fresh)
        return false;
    token_keys_free(keys);
    keys = fresh;
    return true;
}

void gate_done(void)
{
    token_keys_free(keys);
    keys = NULL;
}

enum err gate_verify(struct str token, struct identity *out, const char **reason)
{
    const struct token_policy policy = {
        .issuer = config.jwt_issuer,
        .audience = config.jwt_audience,
        .leeway_ms = config.jwt_leeway_seconds * 1000LL,
    };
    return token_verify(keys, &policy, token, clock_now_ms(), out, reason);
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
