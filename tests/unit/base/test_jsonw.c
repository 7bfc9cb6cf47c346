#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conversation/base/jsonw.h"

static struct buf out;

static struct jsonw start(void)
{
    out.n = 0;
    return jsonw_on(&out);
}

static void assert_wrote(const struct jsonw *w, const char *want)
{
    jsonw_finish(w);
    buf_addc(&out, '\0');
    assert_string_equal(out.p, want);
}

static void writes_nested_values_with_commas(void **state)
{
    (void)state;
    struct jsonw w = start();
    jsonw_object(&w);
    jsonw_key(&w, "a");
    jsonw_array(&w);
    jsonw_int(&w, 1);
    jsonw_object(&w);
    jsonw_end_object(&w);
    jsonw_array(&w);
    jsonw_end_array(&w);
    jsonw_bool(&w, true);
    jsonw_bool(&w, false);
    jsonw_null(&w);
    jsonw_raw(&w, STR("{\"raw\":[1,2]}"));
    jsonw_end_array(&w);
    jsonw_m_str(&w, "b", STR("x"));
    jsonw_m_z(&w, "c", NULL);
    jsonw_m_bool(&w, "d", true);
    jsonw_end_object(&w);
    assert_wrote(&w, "{\"a\":[1,{},[],true,false,null,{\"raw\":[1,2]}],\"b\":\"x\",\"c\":null,\"d\":true}");
}

static void writes_members_and_leaves_absent_ones_out(void **state)
{
    (void)state;
    struct uuid u, nil = {0};
    assert_true(uuid_parse(STR("0123abcd-ef01-2345-6789-abcdefabcdef"), &u));
    struct jsonw w = start();
    jsonw_object(&w);
    jsonw_m_z_opt(&w, "no", NULL);
    jsonw_m_z_opt(&w, "no", "");
    jsonw_m_uuid_opt(&w, "no", NULL);
    jsonw_m_uuid_opt(&w, "no", &nil);
    jsonw_m_time_opt(&w, "no", 0);
    jsonw_m_z_opt(&w, "z", "1");
    jsonw_m_uuid_opt(&w, "u", &u);
    jsonw_m_uuid(&w, "n", &nil);
    jsonw_m_time_opt(&w, "t", 1736937000123);
    jsonw_m_time(&w, "e", 0);
    jsonw_m_int(&w, "i", INT64_MIN);
    jsonw_m_double(&w, "f", 0.1);
    jsonw_end_object(&w);
    assert_wrote(&w, "{\"z\":\"1\",\"u\":\"0123abcd-ef01-2345-6789-abcdefabcdef\","
                     "\"n\":\"00000000-0000-0000-0000-000000000000\",\"t\":\"2025-01-15T10:30:00.123Z\","
                     "\"e\":\"1970-01-01T00:00:00.000Z\",\"i\":-9223372036854775808,\"f\":0.1}");
}

static void escapes_strings(void **state)
{
    (void)state;
    struct jsonw w = start();
    jsonw_str(&w, (struct str){"\"\\/\b\f\n\r\t\0\x01\x1F\x7F\xC3\xA9\xF0\x9F\x98\x80", 18});
    assert_wrote(&w, "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u0001\\u001f\x7F\xC3\xA9\xF0\x9F\x98\x80\"");
    w = start();
    jsonw_object(&w);
    jsonw_m_int(&w, "a\"b", 1);
    jsonw_end_object(&w);
    assert_wrote(&w, "{\"a\\\"b\":1}");
    w = start();
    jsonw_str(&w, (struct str){0});
    assert_wrote(&w, "\"\"");
}

static void replaces_invalid_bytes(void **state)
{
    (void)state;
    struct jsonw w = start();
    jsonw_z(&w, "a\xFF\xC3"
                "b\xED\xA0\x80\xE2\x82");
    assert_wrote(&w, "\"a\xEF\xBF\xBD\xEF\xBF\xBD"
                     "b\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

static void random_strings_read_back_the_same(void **state)
{
    (void)state;
    srandom(2);
    for (int round = 0; round < 20000; round++) {
        static const char *const pieces[] = {
            "\"",           "\\", "\n", "\x01", "\x7F", "\xC2\x80", "\xE2\x82\xAC", "\xF4\x8F\xBF\xBF",
            "\xEF\xBF\xBF", "a",  "/",  "\x1F"};
        struct buf text = {0};
        for (long n = random() % 20; n > 0; n--)
            buf_addz(&text, pieces[random() % (sizeof pieces / sizeof pieces[0])]);
        buf_reserve(&text, 1);
        struct jsonw w = start();
        jsonw_str(&w, buf_str(&text));
        json_t *back = json_loadb(out.p, out.n, JSON_DECODE_ANY, NULL);
        assert_non_null(back);
        assert_int_equal(json_string_length(back), text.n);
        assert_memory_equal(json_string_value(back), text.p, text.n);
        json_decref(back);
        buf_done(&text);
    }
}

static void random_bytes_give_valid_json(void **state)
{
    (void)state;
    srandom(3);
    for (int round = 0; round < 20000; round++) {
        char bytes[32];
        size_t n = (size_t)random() % sizeof bytes;
        for (size_t i = 0; i < n; i++)
            bytes[i] = (char)(random() % 3 ? 0x80 | random() : random());
        struct jsonw w = start();
        jsonw_str(&w, (struct str){bytes, n});
        json_t *back = json_loadb(out.p, out.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_non_null(back);
        json_decref(back);
    }
}

static void doubles_are_short_and_exact(void **state)
{
    (void)state;
    static const struct {
        double d;
        const char *text;
    } cases[] = {
        {0, "0"},
        {1, "1"},
        {-1.5, "-1.5"},
        {0.1, "0.1"},
        {0.30000000000000004, "0.30000000000000004"},
        {100, "100"},
        {4.5, "4.5"},
        {1e21, "1e+21"},
        {1.0 / 3, "0.3333333333333333"},
        {9007199254740993, "9007199254740992"},
        {NAN, "null"},
        {INFINITY, "null"},
        {-INFINITY, "null"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct jsonw w = start();
        jsonw_double(&w, cases[i].d);
        assert_wrote(&w, cases[i].text);
    }
    srandom(4);
    for (int round = 0; round < 100000; round++) {
        union {
            uint64_t bits;
            double d;
        } x = {.bits = (uint64_t)random() << 42 ^ (uint64_t)random() << 21 ^ (uint64_t)random()};
        struct jsonw w = start();
        if (!isfinite(x.d))
            continue;
        jsonw_double(&w, x.d);
        buf_addc(&out, '\0');
        assert_true(strtod(out.p, NULL) == x.d);
    }
}

static void unbalanced_nesting_stops_the_process(void **state)
{
    (void)state;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL); /* cmocka catches it */
        dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
        struct jsonw w = start();
        jsonw_object(&w);
        jsonw_finish(&w);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static int tear_down(void **state)
{
    (void)state;
    buf_done(&out);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_nested_values_with_commas),
        cmocka_unit_test(writes_members_and_leaves_absent_ones_out),
        cmocka_unit_test(escapes_strings),
        cmocka_unit_test(replaces_invalid_bytes),
        cmocka_unit_test(random_strings_read_back_the_same),
        cmocka_unit_test(random_bytes_give_valid_json),
        cmocka_unit_test(doubles_are_short_and_exact),
        cmocka_unit_test(unbalanced_nesting_stops_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
