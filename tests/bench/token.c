/* What verifying a bearer token costs, signature and claims: µs for RS256 (2048 bits) and ES256, with a right
 * signature, and for a token that is refused.
 *
 *   cmake --build build --target bench_token && build/bench_token */
#include <stdio.h>
#include <time.h>

#include "../unit/codec/token_signer.h"
#include "conversation/codec/token.h"

#define ROUNDS 20000
#define NOW_MS 1736937000000LL
#define CLAIMS                                                                                          \
    "{\"sub\":\"550e8400-e29b-41d4-a716-446655440000\",\"exp\":1736940600,\"iat\":1736937000,\"name\":" \
    "\"Ana\","                                                                                          \
    "\"tier\":\"premium\",\"nativeLanguageCode\":\"es\",\"levels\":{\"en\":\"B1\"}}"

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void measure(const char *what, const struct token_keys *keys, struct str token, enum err expected)
{
    const struct token_policy policy = {.leeway_ms = 30000};
    struct identity who;
    const char *reason;
    double start = now_us();
    for (int i = 0; i < ROUNDS; i++)
        MUST(token_verify(keys, &policy, token, NOW_MS, &who, &reason) == expected);
    printf("%-24s %6.1f us\n", what, (now_us() - start) / ROUNDS);
}

static void run(const char *alg, EVP_PKEY *key)
{
    char header[64], what[64];
    const char *problem;
    snprintf(header, sizeof header, "{\"alg\":\"%s\",\"typ\":\"JWT\"}", alg);
    struct buf pem = public_pem(key), token = sign_token(key, 256, header, CLAIMS);
    struct token_keys *keys = token_keys_new(buf_str(&pem), &problem);
    MUST(keys);
    measure(alg, keys, buf_str(&token), OK);
    token.p[token.n - 10] = token.p[token.n - 10] == 'A' ? 'B' : 'A';
    snprintf(what, sizeof what, "%s, bad signature", alg);
    measure(what, keys, buf_str(&token), ERR_UNAUTHORIZED);
    token_keys_free(keys);
    buf_done(&token);
    buf_done(&pem);
    EVP_PKEY_free(key);
}

int main(void)
{
    run("RS256", EVP_RSA_gen(2048));
    run("ES256", EVP_EC_gen("P-256"));
}
