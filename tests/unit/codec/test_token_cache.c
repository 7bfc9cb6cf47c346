/* Remembered tokens: what is found, for how long, and what makes room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conversation/codec/token.h"
#include "conversation/codec/token_cache.h"

#define NOW_MS    1736937000000LL
#define LEEWAY_MS 30000

static struct token_cache *cache;
static struct identity found;

static int tear_down(void **state)
{
    (void)state;
    token_cache_free(cache);
    cache = NULL;
    return 0;
}

static struct identity somebody(int n)
{
    struct identity who = {.expires_at_ms = NOW_MS + 60000};
    memset(who.user_id.b, n + 1, sizeof who.user_id.b);
    snprintf(who.display_name, sizeof who.display_name, "Learner %d", n);
    return who;
}

static struct str token_of(int n)
{
    static char text[64];
    snprintf(text, sizeof text, "header.payload.signature%d", n);
    return str_of(text);
}

static bool is_found_at(struct str token, int64_t now_ms)
{
    struct identity before;
    memset(&found, 0x5A, sizeof found);
    before = found;
    char *exact = malloc(token.n + 1); /* so that reading past its end is seen */
    memcpy(exact, token.p, token.n);
    bool is_found = token_cache_find(cache, (struct str){exact, token.n}, LEEWAY_MS, now_ms, &found);
    free(exact);
    if (!is_found)
        assert_memory_equal(&found, &before, sizeof found);
    return is_found;
}

static bool is_kept(int n)
{
    return is_found_at(token_of(n), NOW_MS);
}

static void keep(int n)
{
    struct identity who = somebody(n);
    token_cache_add(cache, token_of(n), &who);
}

static void fill_text(char *text, size_t cap, char c)
{
    memset(text, c, cap - 1);
    text[cap - 1] = '\0';
}

static void says_all_that_the_token_says(void **state)
{
    (void)state;
    struct identity largest = somebody(1), smallest = {.expires_at_ms = NOW_MS + 1};
    largest.roles = ROLE_ADMIN | ROLE_MODERATOR;
    largest.tier = TIER_PREMIUM;
    largest.not_before_ms = NOW_MS - 5;
    fill_text(largest.display_name, sizeof largest.display_name, 'n');
    fill_text(largest.avatar_url, sizeof largest.avatar_url, 'u');
    fill_text(largest.native_language, sizeof largest.native_language, 'l');
    fill_text(largest.accent, sizeof largest.accent, 'a');
    largest.level_count = IDENTITY_LEVELS_MAX;
    for (int i = 0; i < IDENTITY_LEVELS_MAX; i++) {
        largest.levels[i].level = (enum level)(i % LEVEL_COUNT);
        fill_text(largest.levels[i].language, LANG_MAX, (char)('a' + i));
    }
    cache = token_cache_new(100);
    token_cache_add(cache, STR("large"), &largest);
    token_cache_add(cache, STR("small"), &smallest);
    assert_true(is_found_at(STR("large"), NOW_MS));
    assert_memory_equal(&found, &largest, sizeof found);
    assert_true(is_found_at(STR("small"), NOW_MS));
    assert_memory_equal(&found, &smallest, sizeof found);
}

static void another_spelling_is_another_token(void **state)
{
    (void)state;
    static const char good[] = "eyJhbGciOiJSUzI1NiJ9.e30.c2lnbmF0dXJl";
    struct identity who = somebody(1);
    cache = token_cache_new(100);
    token_cache_add(cache, str_of(good), &who);
    for (size_t n = 0; n < strlen(good); n++)
        assert_false(is_found_at((struct str){good, n}, NOW_MS));
    for (size_t bit = 0; bit < 8 * strlen(good); bit++) {
        char bent[sizeof good];
        memcpy(bent, good, sizeof good);
        bent[bit / 8] = (char)(bent[bit / 8] ^ 1 << bit % 8);
        assert_false(is_found_at((struct str){bent, strlen(good)}, NOW_MS));
    }
    static const char *const more[] = {"=", "==", ".", "A", " ", "\n"};
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
        char longer[64];
        snprintf(longer, sizeof longer, "%s%s", good, more[i]);
        assert_false(is_found_at(str_of(longer), NOW_MS));
    }
    assert_false(is_found_at(STR(""), NOW_MS));
    assert_true(is_found_at(str_of(good), NOW_MS));
}

static void the_times_are_judged_at_each_use(void **state)
{
    (void)state;
    struct identity who = somebody(1);
    who.not_before_ms = NOW_MS + 1000;
    who.expires_at_ms = NOW_MS + 5000;
    cache = token_cache_new(100);
    token_cache_add(cache, STR("t"), &who);
    assert_true(is_found_at(STR("t"), NOW_MS + 1000 - LEEWAY_MS));
    assert_false(is_found_at(STR("t"), NOW_MS + 1000 - LEEWAY_MS - 1)); /* a clock that was set back */
    assert_true(is_found_at(STR("t"), NOW_MS + 5000 + LEEWAY_MS - 1));
    assert_false(is_found_at(STR("t"), NOW_MS + 5000 + LEEWAY_MS));
    assert_true(is_found_at(STR("t"), NOW_MS));
}

static void what_was_not_used_for_longest_makes_room(void **state)
{
    (void)state;
    cache = token_cache_new(4); /* one set */
    for (int i = 0; i < 4; i++)
        keep(i);
    assert_true(is_kept(0)); /* used */
    keep(4);
    assert_false(is_kept(1));
    assert_true(is_kept(0));
    assert_string_equal(found.display_name, "Learner 0");
    assert_true(is_kept(2) && is_kept(3) && is_kept(4));
    keep(2); /* again: makes no room for itself */
    assert_true(is_kept(0) && is_kept(2) && is_kept(3) && is_kept(4));
}

static void never_holds_more_than_its_entries(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 7, 8, 9, 100, 1000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t kept = 0;
        cache = token_cache_new(sizes[i]);
        for (int n = 0; n < 3000; n++) {
            keep(n);
            assert_true(is_kept(n));
        }
        for (int n = 0; n < 3000; n++)
            kept += is_kept(n);
        assert_in_range(kept, sizes[i] * 3 / 4, sizes[i]);
        tear_down(NULL);
    }
}

static void a_token_that_is_too_long_is_not_looked_for(void **state)
{
    (void)state;
    char *huge = calloc(1, TOKEN_MAX_BYTES + 1);
    struct identity who = somebody(1);
    cache = token_cache_new(100);
    token_cache_add(cache, (struct str){huge, TOKEN_MAX_BYTES}, &who);
    assert_true(is_found_at((struct str){huge, TOKEN_MAX_BYTES}, NOW_MS));
    assert_false(is_found_at((struct str){huge, TOKEN_MAX_BYTES + 1}, NOW_MS));
    free(huge);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(says_all_that_the_token_says, tear_down),
        cmocka_unit_test_teardown(another_spelling_is_another_token, tear_down),
        cmocka_unit_test_teardown(the_times_are_judged_at_each_use, tear_down),
        cmocka_unit_test_teardown(what_was_not_used_for_longest_makes_room, tear_down),
        cmocka_unit_test_teardown(never_holds_more_than_its_entries, tear_down),
        cmocka_unit_test_teardown(a_token_that_is_too_long_is_not_looked_for, tear_down),
    };
    token_cache_free(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
