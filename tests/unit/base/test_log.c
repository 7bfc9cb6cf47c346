#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "conversation/base/clock.h"
#include "conversation/base/log.h"
#include "stdout_pipe.h"

static int set_up(void **state)
{
    (void)state;
    if (stdout_take() != 0)
        return -1;
    clock_set_for_test(1736937000123, 0);
    log_init("conversation-service", LOG_INFO);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    stdout_give_back();
    log_done();
    return 0;
}

static void writes_one_object_a_line(void **state)
{
    (void)state;
    struct uuid u, nil = {0}, two[2] = {{{1}}, {{2}}};
    uuid_parse(STR("0123abcd-ef01-2345-6789-abcdefabcdef"), &u);
    LOG(LOG_INFO, "conversation.matched", LOG_UUID("sessionId", &u), LOG_INT("score", -5),
        LOG_BOOL("isTandem", true), LOG_Z("reason", "a \"quoted\"\nline\xFF"), LOG_Z("absent", NULL),
        LOG_UUID("absent", NULL), LOG_UUID("absent", &nil), LOG_UUID_PAIR("participants", two));
    assert_string_equal(
        stdout_read().p,
        "{\"timestamp\":\"2025-01-15T10:30:00.123Z\",\"level\":\"INFO\",\"service\":\"conversation-service\","
        "\"event\":\"conversation.matched\",\"sessionId\":\"0123abcd-ef01-2345-6789-abcdefabcdef\",\"score\":"
        "-5,"
        "\"isTandem\":true,\"reason\":\"a \\\"quoted\\\"\\nline\xEF\xBF\xBD\",\"participants\":["
        "\"01000000-0000-0000-0000-000000000000\",\"02000000-0000-0000-0000-000000000000\"]}\n");
}

static void keeps_below_the_threshold_quiet(void **state)
{
    (void)state;
    static const char *const names[] = {"DEBUG", "INFO", "WARN", "ERROR"};
    for (enum log_level threshold = LOG_DEBUG; threshold <= LOG_ERROR; threshold++) {
        log_set_threshold(threshold);
        assert_int_equal(log_threshold(), threshold);
        for (enum log_level level = LOG_DEBUG; level <= LOG_ERROR; level++) {
            LOG(level, "x", LOG_INT("i", 1));
            struct str line = stdout_read();
            assert_int_equal(line.n > 0, level >= threshold);
            if (line.n) {
                json_t *json = json_loadb(line.p, line.n, 0, NULL);
                assert_string_equal(json_string_value(json_object_get(json, "level")), names[level]);
                json_decref(json);
            }
        }
    }
}

static void parses_level_names(void **state)
{
    (void)state;
    enum log_level level = LOG_INFO;
    assert_true(log_level_parse("WARN", &level));
    assert_int_equal(level, LOG_WARN);
    assert_true(log_level_parse("debug", &level));
    assert_int_equal(level, LOG_DEBUG);
    assert_false(log_level_parse("verbose", &level));
    assert_false(log_level_parse("", &level));
    assert_int_equal(level, LOG_DEBUG);
}

static void what_repeats_is_told_once_in_a_while(void **state)
{
    (void)state;
    int64_t one_ms = 0, other_ms = 0;
    clock_set_for_test(1736937000000, 5000);
    assert_true(log_is_time(&one_ms));
    assert_false(log_is_time(&one_ms));
    assert_true(log_is_time(&other_ms));
    clock_set_for_test(1736937000000, 14999);
    assert_false(log_is_time(&one_ms));
    clock_set_for_test(1736937000000, 15000);
    assert_true(log_is_time(&one_ms));
    assert_false(log_is_time(&one_ms));
}

static void full_output_neither_blocks_nor_mixes_lines(void **state)
{
    (void)state;
    enum { COUNT = 5000 }; /* far above what a pipe takes */
    for (int i = 0; i < COUNT; i++)
        LOG(LOG_INFO, "filling", LOG_INT("i", i));
    struct str text = stdout_read();
    int lines = 0;
    for (struct str line = str_cut(&text, '\n'); line.n; line = str_cut(&text, '\n')) {
        json_t *json = json_loadb(line.p, line.n, 0, NULL);
        assert_non_null(json);
        assert_int_equal(json_integer_value(json_object_get(json, "i")), lines++);
        json_decref(json);
    }
    assert_in_range(lines, 100, COUNT - 1);
    LOG(LOG_INFO, "after", LOG_INT("i", 0));
    text = stdout_read();
    json_t *json = json_loadb(text.p, text.n, 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(json, "lostLines")), COUNT - lines);
    json_decref(json);
    LOG(LOG_INFO, "after", LOG_INT("i", 0));
    assert_null(strstr(stdout_read().p, "lostLines"));
}

static void survives_a_reader_that_is_gone(void **state)
{
    (void)state;
    close(pipe_out);
    pipe_out = -1;
    LOG(LOG_ERROR, "nobody.reads", LOG_INT("i", 1));
    LOG(LOG_ERROR, "nobody.reads", LOG_INT("i", 2));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(writes_one_object_a_line),
        TEST(keeps_below_the_threshold_quiet),
        TEST(parses_level_names),
        TEST(what_repeats_is_told_once_in_a_while),
        TEST(full_output_neither_blocks_nor_mixes_lines),
        TEST(survives_a_reader_that_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
