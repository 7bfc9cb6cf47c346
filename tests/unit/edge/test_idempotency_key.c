/* The Idempotency-Key header field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "edge/idempotency_key.h"

#define LONGEST                                                        \
    "0123456789012345678901234567890123456789012345678901234567890123" \
    "0123456789012345678901234567890123456789012345678901234567890123" \
    "0123456789012345678901234567890123456789012345678901234567890123" \
    "012345678901234567890123456789012345678901234567890123456789012"
_Static_assert(sizeof LONGEST - 1 == IDEMPOTENCY_KEY_MAX, "as long as a key may be");

static char text[IDEMPOTENCY_KEY_MAX];
static struct str key;

/* Of a request with these Idempotency-Key fields; NULL: fewer. */
static bool take(const char *first, const char *second)
{
    static const char name[] = "idempotency-KEY";
    const char *values[] = {first, second};
    struct buf all = {0};
    struct http_field fields[2];
    struct http_request r = {.fields = fields};
    for (int i = 0; i < 2 && values[i]; i++) {
        fields[i].name_at = (uint32_t)all.n;
        fields[i].name_bytes = sizeof name - 1;
        buf_addz(&all, name);
        fields[i].value_at = (uint32_t)all.n;
        fields[i].value_bytes = (uint32_t)strlen(values[i]);
        buf_addz(&all, values[i]);
        r.field_count++;
    }
    r.text = all.p;
    bool is_good = idempotency_key_take(&r, text, &key);
    buf_done(&all);
    return is_good;
}

static void assert_key(const char *value, const char *expected)
{
    assert_true(take(value, NULL));
    assert_true(str_eqz(key, expected));
}

static void absent_is_no_key(void **state)
{
    (void)state;
    assert_true(take(NULL, NULL));
    assert_null(key.p);
}

static void a_string_of_structured_fields(void **state)
{
    (void)state;
    assert_key("\"8e03978e-40d5-43dd-bc93-6894a57f9324\"", "8e03978e-40d5-43dd-bc93-6894a57f9324");
    assert_key("\"a key, with; all = that\"", "a key, with; all = that");
    assert_key("\"\\\"quoted\\\" and \\\\\"", "\"quoted\" and \\");
    assert_key("\"" LONGEST "\"", LONGEST);
}

static void bare_text(void **state)
{
    (void)state;
    assert_key("8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324");
    assert_key("~", "~");
    assert_key(LONGEST, LONGEST);
}

static void anything_else_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "\"\"",
        "\"open",
        "\"a\"b",
        "\"a\";p=1",
        "\"a\", \"b\"",
        "\"a\\b\"",
        "\"a\\",
        "a b",
        "a,b",
        "a;b",
        "a\"b",
        "a\\b",
        "\x7f",
        "k\xc3\xa9y",
        "\"k\xc3\xa9y\"",
        "\"\t\"",
        LONGEST "x",
        "\"" LONGEST "x\"",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (take(bad[i], NULL))
            fail_msg("taken: %s", bad[i]);
    assert_false(take("one", "two"));
    assert_false(take("one", "one"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(absent_is_no_key),
        cmocka_unit_test(a_string_of_structured_fields),
        cmocka_unit_test(bare_text),
        cmocka_unit_test(anything_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
