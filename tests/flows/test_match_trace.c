/* MATCH_TRACE_FILE as the matchmaker writes it: when lines reach the file, and what ends a trace. */
#include <stdlib.h>
#include <unistd.h>

#include "conversation/config.h"
#include "flows/fakes/waiting.h"
#include "flows/match_trace.h"
#include "flows/matchmaker.h"

static char path[64];

static void given_trace(void)
{
    strcpy(path, "/tmp/match-trace-XXXXXX");
    int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    free((void *)config.match_trace_file);
    config.match_trace_file = strdup(path); /* the configuration's to free */
    config.match_trace_max_bytes = 1000000;
    given_matchmaker();
}

static void trace_is_over(void)
{
    matchmaker_stop();
    unlink(path);
}

/* The number of lines that say `text`. */
static int lines_with(const char *text)
{
    char line[4096];
    int n = 0;
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        n += strstr(line, text) != NULL;
    fclose(file);
    return n;
}

static void what_happens_is_in_the_file_within_a_second(void **state)
{
    (void)state;
    given_trace();
    arrives(REQUEST_A, ANA);
    pass_ms(10);
    arrives(REQUEST_B, BEN);
    pass_ms(10);
    arrives(REQUEST_C, CAROL);
    pass_ms(10);
    matchmaker_remove(&row(REQUEST_C)->id, WAIT_CANCELLED);
    pass_ms(1000);
    assert_int_equal(lines_with("\"event\":\"start\""), 1);
    assert_int_equal(lines_with("\"event\":\"added\""), 3);
    assert_int_equal(lines_with("\"first\":\"" REQUEST_A "\",\"second\":\"" REQUEST_B "\""), 1);
    assert_int_equal(lines_with("\"why\":\"cancelled\""), 1);
    trace_is_over();
}

static void a_stop_writes_the_rest(void **state)
{
    (void)state;
    given_trace();
    arrives(REQUEST_A, ANA);
    assert_int_equal(lines_with(REQUEST_A), 0);
    matchmaker_stop();
    assert_int_equal(lines_with(REQUEST_A), 1);
    trace_is_over();
}

static void the_greatest_size_ends_it(void **state)
{
    (void)state;
    given_trace();
    pass_ms(1000);
    int before = lines_with("event");
    assert_true(before > 0);
    config.match_trace_max_bytes = 100;
    arrives(REQUEST_A, ANA);
    pass_ms(2000);
    assert_int_equal(lines_with("event"), before);
    config.match_trace_max_bytes = 1000000;
    arrives(REQUEST_B, BEN); /* no line behind a gap, and pairs are made all the same */
    pass_ms(2000);
    assert_int_equal(lines_with("event"), before);
    assert_status(REQUEST_A, MATCH_MATCHED);
    trace_is_over();
}

static void a_clock_that_steps_back_stands_still(void **state)
{
    (void)state;
    const struct pairing_pair pair = {.score = 100};
    given_trace();
    match_trace_none(T0 + 9000);
    match_trace_decision(T0 + 5000, &pair);
    match_trace_none(T0 + 6000);
    matchmaker_stop();
    char at[32];
    snprintf(at, sizeof at, "\"at\":%lld", (long long)(T0 + 9000));
    assert_int_equal(lines_with(at), 3);
    trace_is_over();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(what_happens_is_in_the_file_within_a_second),
        WORLD_TEST(a_stop_writes_the_rest),
        WORLD_TEST(the_greatest_size_ends_it),
        WORLD_TEST(a_clock_that_steps_back_stands_still),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
