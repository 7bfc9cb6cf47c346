/* The profile from a token's claims: which level counts, and what is said when something is missing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "conversation/base/clock.h"
#include "conversation/base/log.h"
#include "conversation/base/metrics.h"
#include "conversation/ports/profile.h"
#include "conversation/rt/loop.h"

/* --- one call as a flow --- */

struct call {
    struct identity who;
    char language[LANG_MAX];
    struct profile profile;
    bool was_done_in_call;
};

static enum err err;
static char details[512];
static struct profile profile;
static bool is_done;

static void submit(struct flow *f, struct call *c)
{
    profile_get(f, &c->who, c->language, &c->profile);
    c->was_done_in_call = is_done;
    memset(&c->who, 0xee, sizeof c->who); /* the arguments were the caller's only during the call */
    memset(c->language, 0xee, sizeof c->language);
}

static void run(struct flow *f)
{
    struct call *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT(f, submit(f, c));
    FLOW_END(f);
fail:
    return;
}

static void done(struct flow *f)
{
    struct call *c = flow_ctx(f);
    is_done = true;
    err = flow_error(f);
    profile = c->profile;
    assert_false(c->was_done_in_call);
    assert_true(str_copy(flow_error_details(f), details, sizeof details));
}

static const struct flow_spec spec = {"test.profile", run, sizeof(struct call), 0};

static enum err profile_for(const struct identity *who, const char *language)
{
    is_done = false;
    struct flow *f = flow_start(&(struct flow_start){.spec = &spec, .done = done});
    struct call *c = flow_ctx(f);
    c->who = *who;
    strcpy(c->language, language);
    c->profile.level = LEVEL_C2; /* recognisably not written */
    for (int i = 0; i < 100 && !is_done; i++)
        loop_turn_for_test();
    assert_true(is_done);
    return err;
}

static struct identity ana(void)
{
    return (struct identity){
        .user_id = {{1}},
        .tier = TIER_PREMIUM,
        .display_name = "Ana",
        .avatar_url = "https://cdn.example/ana.png",
        .native_language = "es",
        .accent = "british",
        .levels = {{"en", LEVEL_B1}, {"fr", LEVEL_A2}, {"pt-BR", LEVEL_C1}},
        .level_count = 3,
    };
}

/* --- tests --- */

static void test_every_claim_is_taken_over(void **state)
{
    (void)state;
    struct identity who = ana();
    assert_int_equal(profile_for(&who, "en"), OK);
    assert_int_equal(profile.level, LEVEL_B1);
    assert_int_equal(profile.tier, TIER_PREMIUM);
    assert_string_equal(profile.native_language, "es");
    assert_string_equal(profile.display_name, "Ana");
    assert_string_equal(profile.avatar_url, "https://cdn.example/ana.png");
    assert_string_equal(profile.accent, "british");
    assert_true(uuid_is_nil(&profile.learning_profile_id));
}

static void test_the_language_asked_for_decides(void **state)
{
    (void)state;
    struct identity who = ana();
    assert_int_equal(profile_for(&who, "fr"), OK);
    assert_int_equal(profile.level, LEVEL_A2);
}

static void test_a_regional_target_falls_back_to_its_language(void **state)
{
    (void)state;
    struct identity who = ana();
    assert_int_equal(profile_for(&who, "en-GB"), OK);
    assert_int_equal(profile.level, LEVEL_B1);
}

static void test_the_exact_language_wins_over_the_fallback(void **state)
{
    (void)state;
    struct identity who = ana();
    who.levels[1] = (struct identity_level){"en-GB", LEVEL_C2};
    assert_int_equal(profile_for(&who, "en-GB"), OK);
    assert_int_equal(profile.level, LEVEL_C2);
}

static void test_there_is_no_fallback_to_a_region(void **state)
{
    (void)state;
    struct identity who = ana();
    assert_int_equal(profile_for(&who, "pt"), ERR_INVALID_REQUEST);
    assert_int_equal(profile_for(&who, "e"), ERR_INVALID_REQUEST);
}

static void test_a_missing_level_names_the_claim(void **state)
{
    (void)state;
    struct identity who = ana();
    assert_int_equal(profile_for(&who, "de"), ERR_INVALID_REQUEST);
    assert_string_equal(details, "[{\"field\":\"levels.de\",\"reason\":\"claim missing from the token\"}]");
    assert_int_equal(profile.level, LEVEL_C2);
}

static void test_a_missing_native_language_names_the_claim(void **state)
{
    (void)state;
    struct identity who = ana();
    who.native_language[0] = '\0';
    assert_int_equal(profile_for(&who, "en"), ERR_INVALID_REQUEST);
    assert_string_equal(details,
                        "[{\"field\":\"nativeLanguageCode\",\"reason\":\"claim missing from the token\"}]");
}

static void test_all_that_is_missing_is_named(void **state)
{
    (void)state;
    struct identity who = {.user_id = {{1}}};
    assert_int_equal(profile_for(&who, "en"), ERR_INVALID_REQUEST);
    assert_string_equal(details,
                        "[{\"field\":\"levels.en\",\"reason\":\"claim missing from the token\"},"
                        "{\"field\":\"nativeLanguageCode\",\"reason\":\"claim missing from the token\"}]");
}

static int open_loop(void **state)
{
    (void)state;
    log_init("test", LOG_ERROR);
    loop_init();
    clock_update();
    return 0;
}

static int close_loop(void **state)
{
    (void)state;
    loop_stop();
    loop_run();
    loop_done();
    metrics_reset();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_claim_is_taken_over),
        cmocka_unit_test(test_the_language_asked_for_decides),
        cmocka_unit_test(test_a_regional_target_falls_back_to_its_language),
        cmocka_unit_test(test_the_exact_language_wins_over_the_fallback),
        cmocka_unit_test(test_there_is_no_fallback_to_a_region),
        cmocka_unit_test(test_a_missing_level_names_the_claim),
        cmocka_unit_test(test_a_missing_native_language_names_the_claim),
        cmocka_unit_test(test_all_that_is_missing_is_named),
    };
    return cmocka_run_group_tests(tests, open_loop, close_loop);
}
