/* Trace lines: what is written is read back as the same, and what is no line is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "conversation/codec/match_trace.h"

#define AT INT64_C(1736935200123)

static struct arena arena;
static struct buf line;

static int setup(void **state)
{
    (void)state;
    line.n = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_done(&arena);
    buf_done(&line);
    return 0;
}

static struct uuid id_of(unsigned char n)
{
    struct uuid u = {{n}};
    u.b[15] = n;
    return u;
}

static void read_line(struct match_trace_event *out)
{
    const char *why = "";
    if (!match_trace_read(buf_str(&line), &arena, out, &why))
        fail_msg("%s in %.*s", why, (int)line.n, line.p);
    assert_int_equal(out->at_ms, AT);
}

static void expect_line(const char *expected)
{
    buf_addc(&line, '\0');
    assert_string_equal(line.p, expected);
    line.n--;
}

static void a_start_has_the_rules(void **state)
{
    (void)state;
    static const struct topic_pair pairs[] = {{"travel", "free_talk"}, {"a", "b"}};
    static const int64_t phases[PHASE_COUNT] = {0, 10, 20, 30};
    const struct pairing_rules rules = {.min_score = 42,
                                        .last_pass_ms = 1000,
                                        .compatible = pairs,
                                        .compatible_count = 2,
                                        .phase_start_ms = phases};
    struct match_trace_event e;
    match_trace_write_start(&line, AT, &rules);
    expect_line("{\"event\":\"start\",\"at\":1736935200123,\"version\":1,\"minScore\":42,\"lastPassMs\":1000,"
                "\"phaseStartMs\":[0,10,20,30],\"compatible\":[[\"travel\",\"free_talk\"],[\"a\",\"b\"]]}\n");
    read_line(&e);
    assert_int_equal(e.kind, TRACE_START);
    assert_int_equal(e.rules.min_score, 42);
    assert_int_equal(e.rules.last_pass_ms, 1000);
    assert_int_equal(e.rules.compatible_count, 2);
    assert_string_equal(e.rules.compatible[1].b, "b");
    assert_int_equal(pairing_phase_start_ms(&e.rules, PHASE_ANY_LEVEL), 30);
}

static struct match_request full_request(const struct match_past_partner *past, const struct uuid *excluded)
{
    struct match_request r = {.id = id_of(1),
                              .user_id = id_of(2),
                              .target_language = "es",
                              .native_language = "pt-BR",
                              .wanted_native_language = "es",
                              .topic_code = "travel.airport",
                              .preferred_accent = "es-AR",
                              .display_name = "Ana",
                              .topic_category = CATEGORY_TRAVEL,
                              .level = LEVEL_B2,
                              .preferred_partner_level = PARTNER_LOWER,
                              .tier = TIER_PREMIUM,
                              .mode = MATCH_SCHEDULED,
                              .max_wait_seconds = 120,
                              .created_at_ms = AT - 5,
                              .scheduled_for_ms = AT + 10,
                              .expires_at_ms = AT + 120010,
                              .history_is_known = true,
                              .history = past,
                              .history_count = 2,
                              .excluded = excluded,
                              .excluded_count = 1};
    return r;
}

static void a_request_comes_back_whole_but_for_the_name(void **state)
{
    (void)state;
    const struct match_past_partner past[] = {{id_of(3), AT - 1000}, {id_of(4), AT - 2000}};
    const struct uuid excluded = id_of(5);
    const struct match_request r = full_request(past, &excluded);
    struct match_trace_event e;
    match_trace_write_added(&line, AT, &r);
    read_line(&e);
    const struct match_request *q = &e.request;
    assert_int_equal(e.kind, TRACE_ADDED);
    assert_true(uuid_eq(&q->id, &r.id) && uuid_eq(&q->user_id, &r.user_id));
    assert_string_equal(q->target_language, "es");
    assert_string_equal(q->native_language, "pt-BR");
    assert_string_equal(q->wanted_native_language, "es");
    assert_string_equal(q->topic_code, "travel.airport");
    assert_string_equal(q->preferred_accent, "es-AR");
    assert_string_equal(q->display_name, "");
    assert_true(q->topic_category == r.topic_category && q->level == r.level);
    assert_true(q->preferred_partner_level == r.preferred_partner_level && q->tier == r.tier);
    assert_true(q->mode == r.mode && q->max_wait_seconds == r.max_wait_seconds);
    assert_true(q->created_at_ms == r.created_at_ms && q->scheduled_for_ms == r.scheduled_for_ms);
    assert_int_equal(q->expires_at_ms, r.expires_at_ms);
    assert_true(q->history_is_known);
    assert_int_equal(q->history_count, 2);
    assert_true(uuid_eq(&q->history[1].user_id, &past[1].user_id));
    assert_int_equal(q->history[1].last_spoke_at_ms, AT - 2000);
    assert_int_equal(q->excluded_count, 1);
    assert_true(uuid_eq(&q->excluded[0], &excluded));
    assert_null(memmem(line.p, line.n, "Ana", 3));
}

static void an_unknown_history_is_not_an_empty_one(void **state)
{
    (void)state;
    struct match_request r = full_request(NULL, NULL);
    struct match_trace_event e;
    r.history_count = r.excluded_count = 0;
    match_trace_write_added(&line, AT, &r);
    read_line(&e);
    assert_true(e.request.history_is_known);
    line.n = 0;
    r.history_is_known = false;
    match_trace_write_added(&line, AT, &r);
    read_line(&e);
    assert_false(e.request.history_is_known);
}

static void what_became_of_requests_comes_back(void **state)
{
    (void)state;
    struct match_trace_event e;
    const struct uuid id = id_of(9);
    const struct pairing_pair pair = {.first.request_id = id_of(1),
                                      .second.request_id = id_of(2),
                                      .score = 150,
                                      .level_difference = 2,
                                      .is_any_level = true,
                                      .phase = PHASE_ANY_LEVEL};
    match_trace_write_decision(&line, AT, &pair);
    read_line(&e);
    assert_int_equal(e.kind, TRACE_DECISION);
    assert_true(uuid_eq(&e.pair.first.request_id, &pair.first.request_id));
    assert_true(uuid_eq(&e.pair.second.request_id, &pair.second.request_id));
    assert_true(e.pair.score == 150 && e.pair.level_difference == 2 && e.pair.phase == PHASE_ANY_LEVEL);
    assert_true(e.pair.is_any_level && !e.pair.is_tandem);

    line.n = 0;
    match_trace_write_removed(&line, AT, &id, REMOVED_ELSEWHERE);
    read_line(&e);
    assert_true(e.kind == TRACE_REMOVED && e.reason == REMOVED_ELSEWHERE && uuid_eq(&e.id, &id));

    line.n = 0;
    match_trace_write_expired(&line, AT, &id);
    read_line(&e);
    assert_true(e.kind == TRACE_EXPIRED && uuid_eq(&e.id, &id));

    line.n = 0;
    match_trace_write_none(&line, AT);
    read_line(&e);
    assert_int_equal(e.kind, TRACE_NONE);

    line.n = 0;
    match_trace_write_behaviour(&line, AT, &id, &(struct match_trace_behaviour){AT + 7, true});
    read_line(&e);
    assert_true(e.kind == TRACE_BEHAVIOUR && e.behaviour.cancels_at_ms == AT + 7 && e.behaviour.is_no_show);

    line.n = 0;
    match_trace_write_compatible(&line, AT, NULL, 0);
    read_line(&e);
    assert_true(e.kind == TRACE_COMPATIBLE && e.rules.compatible_count == 0);
}

static void refuse(const char *text, const char *reason)
{
    struct match_trace_event e;
    const char *why = NULL;
    if (match_trace_read(str_of(text), &arena, &e, &why))
        fail_msg("accepted: %s", text);
    assert_string_equal(why, reason);
}

static void what_is_no_line_is_refused(void **state)
{
    (void)state;
    refuse("", "not a JSON object");
    refuse("[]", "not a JSON object");
    refuse("{\"event\":\"none\"", "not a JSON object");
    refuse("{\"event\":\"none\"}", "a number is missing");
    refuse("{\"at\":1}", "a text is missing");
    refuse("{\"event\":\"other\",\"at\":1}", "a text is none of those allowed");
    refuse("{\"event\":\"none\",\"at\":1.5}", "a number is not an integer, or out of range");
    refuse("{\"event\":\"none\",\"at\":\"1\"}", "a number is missing");
    refuse("{\"event\":\"expired\",\"at\":1}", "an id is missing");
    refuse("{\"event\":\"expired\",\"at\":1,\"id\":\"x\"}", "an id is not a UUID");
    refuse("{\"event\":\"start\",\"at\":1,\"version\":2,\"minScore\":1,\"lastPassMs\":1,"
           "\"phaseStartMs\":[0,1,2,3],\"compatible\":[]}",
           "a trace of another version");
    refuse("{\"event\":\"start\",\"at\":1,\"version\":1,\"minScore\":1,\"lastPassMs\":1,"
           "\"phaseStartMs\":[0,1,2],\"compatible\":[]}",
           "the begins of the phases are missing");
    refuse("{\"event\":\"compatible\",\"at\":1,\"compatible\":[[\"a\"]]}",
           "a pair of topics is not two texts");
    refuse("{\"event\":\"compatible\",\"at\":1}", "the table of compatible topics is missing");
}

/* Every line that is cut short, or has one byte changed, is refused or read; nothing else happens
 * (sanitizers). */
static void damaged_lines_do_no_harm(void **state)
{
    (void)state;
    const struct match_past_partner past[] = {{id_of(3), AT - 1000}, {id_of(4), AT - 2000}};
    const struct uuid excluded = id_of(5);
    const struct match_request r = full_request(past, &excluded);
    struct match_trace_event e;
    const char *why;
    match_trace_write_added(&line, AT, &r);
    for (size_t n = 0; n < line.n - 1; n++)
        assert_false(match_trace_read((struct str){line.p, n}, &arena, &e, &why));
    for (size_t i = 0; i < line.n; i++) {
        char kept = line.p[i];
        static const char bytes[] = "\"[]{},:0x\\ \xff";
        for (size_t j = 0; j < sizeof bytes; j++) {
            line.p[i] = bytes[j];
            (void)match_trace_read(buf_str(&line), &arena, &e, &why);
        }
        line.p[i] = kept;
        arena_done(&arena);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_start_has_the_rules),
        TEST(a_request_comes_back_whole_but_for_the_name),
        TEST(an_unknown_history_is_not_an_empty_one),
        TEST(what_became_of_requests_comes_back),
        TEST(what_is_no_line_is_refused),
        TEST(damaged_lines_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
