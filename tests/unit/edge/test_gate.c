/* The token gate: what it remembers must never admit what the keys and the clock of this moment would not. */
#include "unit/net/net_fixture.h"

#include "edge/gate.h"
#include "unit/codec/token_signer.h"

#define ANA    "550e8400-e29b-41d4-a716-446655440000"
#define EXP_S  "1736940600" /* an hour from NOW_MS */
#define EXP_MS INT64_C(1736940600000)
#define CLAIMS "{\"sub\":\"" ANA "\",\"exp\":" EXP_S "}"

static EVP_PKEY *old_key, *new_key;
static struct buf old_pem, new_pem;

static int make_keys(void **state)
{
    (void)state;
    old_key = EVP_RSA_gen(2048);
    new_key = EVP_RSA_gen(2048);
    old_pem = public_pem(old_key);
    new_pem = public_pem(new_key);
    buf_addc(&old_pem, '\0');
    buf_addc(&new_pem, '\0');
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    EVP_PKEY_free(old_key);
    EVP_PKEY_free(new_key);
    buf_done(&old_pem);
    buf_done(&new_pem);
    return 0;
}

/* As on start and on SIGHUP. */
static bool configure(const char *pem, int cache_entries)
{
    const char *problem, *kept = config.jwt_public_key;
    config.jwt_public_key = pem;
    config.jwt_cache_entries = cache_entries;
    bool ok = gate_init(&problem);
    config.jwt_public_key = kept; /* the configuration's to free */
    return ok;
}

static int set_up(void **state)
{
    (void)state;
    edge_set_up();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    gate_done();
    edge_tear_down();
    return 0;
}

static struct identity who;
static const char *reason;

static bool admits(struct buf token)
{
    reason = NULL;
    return gate_verify(buf_str(&token), &who, &reason) == OK;
}

static void assert_lookups(int hits, int misses)
{
    double hit = metric_value("jwt_cache_lookups_total{result=\"hit\"}");
    double miss = metric_value("jwt_cache_lookups_total{result=\"miss\"}");
    assert_int_equal(hit < 0 ? 0 : (int)hit, hits);
    assert_int_equal(miss < 0 ? 0 : (int)miss, misses);
}

static void set_now(int64_t now_ms)
{
    clock_set_for_test(now_ms, clock_mono_ms());
}

static void a_token_is_verified_once(void **state)
{
    (void)state;
    struct buf token = sign_token(old_key, 256, "{\"alg\":\"RS256\"}", CLAIMS);
    struct identity first;
    assert_true(configure(old_pem.p, 100));
    assert_true(admits(token));
    first = who;
    assert_lookups(0, 1);
    for (int i = 0; i < 3; i++) {
        memset(&who, 0, sizeof who);
        assert_true(admits(token));
        assert_memory_equal(&who, &first, sizeof who);
    }
    assert_lookups(3, 1);
    buf_done(&token);
}

static void bad_tokens_are_never_remembered(void **state)
{
    (void)state;
    struct buf forged = sign_token(new_key, 256, "{\"alg\":\"RS256\"}", CLAIMS);
    struct buf hmac =
        hmac_token((struct str){old_pem.p, old_pem.n - 1}, "{\"alg\":\"HS256\",\"typ\":\"JWT\"}", CLAIMS);
    assert_true(configure(old_pem.p, 100));
    for (int i = 0; i < 3; i++) {
        assert_false(admits(forged));
        assert_string_equal(reason, "bad signature");
        assert_false(admits(hmac));
        assert_string_equal(reason, "algorithm not allowed");
    }
    assert_lookups(0, 6);
    buf_done(&forged);
    buf_done(&hmac);
}

static void a_remembered_token_expires(void **state)
{
    (void)state;
    struct buf token = sign_token(old_key, 256, "{\"alg\":\"RS256\"}", CLAIMS);
    int64_t leeway_ms = config.jwt_leeway_seconds * 1000LL;
    assert_true(configure(old_pem.p, 100));
    assert_true(admits(token));
    set_now(EXP_MS + leeway_ms - 1);
    assert_true(admits(token));
    set_now(EXP_MS + leeway_ms);
    assert_false(admits(token));
    assert_string_equal(reason, "token expired");
    buf_done(&token);
}

static void a_remembered_token_is_not_good_before_its_time(void **state)
{
    (void)state;
    struct buf token = sign_token(old_key, 256, "{\"alg\":\"RS256\"}",
                                  "{\"sub\":\"" ANA "\",\"exp\":" EXP_S ",\"nbf\":1736937000}");
    assert_true(configure(old_pem.p, 100));
    assert_true(admits(token));
    set_now(NOW_MS - config.jwt_leeway_seconds * 1000LL - 1); /* the clock is set right */
    assert_false(admits(token));
    assert_string_equal(reason, "token not valid yet");
    buf_done(&token);
}

static void a_revoked_key_takes_its_tokens_along(void **state)
{
    (void)state;
    struct buf token = sign_token(old_key, 256, "{\"alg\":\"RS256\"}", CLAIMS);
    assert_true(configure(old_pem.p, 100));
    assert_true(admits(token) && admits(token));
    assert_true(configure(new_pem.p, 100));
    assert_false(admits(token));
    assert_string_equal(reason, "bad signature");
    buf_done(&token);
}

static void keys_that_cannot_be_used_change_nothing(void **state)
{
    (void)state;
    struct buf token = sign_token(old_key, 256, "{\"alg\":\"RS256\"}", CLAIMS);
    assert_true(configure(old_pem.p, 100));
    assert_true(admits(token));
    assert_false(configure("no key", 100));
    assert_true(admits(token));
    assert_lookups(1, 1);
    buf_done(&token);
}

static void another_issuer_takes_effect_with_the_next_keys(void **state)
{
    (void)state;
    struct buf token = sign_token(old_key, 256, "{\"alg\":\"RS256\"}",
                                  "{\"sub\":\"" ANA "\",\"exp\":" EXP_S ",\"iss\":\"us\"}");
    const char *configured = config.jwt_issuer;
    assert_true(configure(old_pem.p, 100));
    assert_true(admits(token));
    config.jwt_issuer = "them";
    assert_true(configure(old_pem.p, 100));
    assert_false(admits(token));
    assert_string_equal(reason, "wrong issuer");
    config.jwt_issuer = configured;
    buf_done(&token);
}

static void without_a_cache_every_token_is_verified(void **state)
{
    (void)state;
    struct buf token = sign_token(old_key, 256, "{\"alg\":\"RS256\"}", CLAIMS);
    assert_true(configure(old_pem.p, 0));
    assert_true(admits(token) && admits(token));
    assert_lookups(0, 0);
    buf_done(&token);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_token_is_verified_once),
        TEST(bad_tokens_are_never_remembered),
        TEST(a_remembered_token_expires),
        TEST(a_remembered_token_is_not_good_before_its_time),
        TEST(a_revoked_key_takes_its_tokens_along),
        TEST(keys_that_cannot_be_used_change_nothing),
        TEST(another_issuer_takes_effect_with_the_next_keys),
        TEST(without_a_cache_every_token_is_verified),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
