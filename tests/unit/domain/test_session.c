/* Endings and prompts by table; the running session on a virtual clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "conversation/domain/session.h"
#include "requests.h"

#define SECOND 1000
#define MINUTE 60000

/* --- endings --- */

#define NOT SESSION_STATUS_COUNT

static void every_ending(void **state)
{
    (void)state;
    static const struct {
        enum session_event event;
        enum session_status waiting, early, late;
        enum session_end_reason reason_waiting, reason_active;
    } rows[] = {
        {SESSION_EVENT_END, SESSION_CANCELLED, SESSION_COMPLETED, SESSION_COMPLETED, END_LEFT, END_COMPLETED},
        {SESSION_EVENT_LEAVE, SESSION_CANCELLED, SESSION_ABORTED, SESSION_COMPLETED, END_LEFT, END_LEFT},
        {SESSION_EVENT_DROP, NOT, SESSION_ABORTED, SESSION_COMPLETED, END_NONE, END_DROPPED},
        {SESSION_EVENT_LIMIT, NOT, SESSION_COMPLETED, SESSION_COMPLETED, END_NONE, END_TIMEOUT},
        {SESSION_EVENT_NO_SHOW, SESSION_EXPIRED, NOT, NOT, END_NO_SHOW, END_NONE},
        {SESSION_EVENT_REPORT, SESSION_CANCELLED, SESSION_COMPLETED, SESSION_COMPLETED, END_REPORTED,
         END_REPORTED},
    };
    assert_int_equal(sizeof rows / sizeof rows[0], SESSION_EVENT_COUNT);
    for (size_t i = 0; i < SESSION_EVENT_COUNT; i++) {
        const struct {
            enum session_status from;
            int64_t active_ms;
            enum session_status expected;
            enum session_end_reason reason;
        } cases[] = {
            {SESSION_WAITING, 0, rows[i].waiting, rows[i].reason_waiting},
            {SESSION_ACTIVE, 0, rows[i].early, rows[i].reason_active},
            {SESSION_ACTIVE, 59999, rows[i].early, rows[i].reason_active},
            {SESSION_ACTIVE, 60000, rows[i].late, rows[i].reason_active},
            {SESSION_ACTIVE, 3600000, rows[i].late, rows[i].reason_active},
            {SESSION_COMPLETED, 60000, NOT, END_NONE},
            {SESSION_ABORTED, 60000, NOT, END_NONE},
            {SESSION_EXPIRED, 0, NOT, END_NONE},
            {SESSION_CANCELLED, 0, NOT, END_NONE},
        };
        for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
            struct session_ending out = {NOT, END_REASON_COUNT};
            bool can = session_ending_of(cases[c].from, rows[i].event, cases[c].active_ms, &out);
            assert_int_equal(can, cases[c].expected != NOT);
            assert_int_equal(out.status, cases[c].expected);
            assert_int_equal(out.reason, can ? cases[c].reason : END_REASON_COUNT);
        }
    }
}

static void what_the_clients_are_told(void **state)
{
    (void)state;
    static const char *const wire[END_REASON_COUNT] = {"error", "completed",    "partner_left", "timeout",
                                                       "error", "partner_left", "partner_left"};
    for (int i = 0; i < END_REASON_COUNT; i++)
        assert_string_equal(session_end_wire_reason((enum session_end_reason)i), wire[i]);
}

static void names_end_with_null(void **state)
{
    (void)state;
    assert_string_equal(session_status_names[SESSION_CANCELLED], "cancelled");
    assert_null(session_status_names[SESSION_STATUS_COUNT]);
    assert_string_equal(session_end_reason_names[END_NONE], "");
    assert_string_equal(session_end_reason_names[END_NO_SHOW], "no_show");
    assert_null(session_end_reason_names[END_REASON_COUNT]);
    assert_string_equal(session_type_names[SESSION_TANDEM], "tandem");
}

static void participants_are_found(void **state)
{
    (void)state;
    struct session s = {.participants = {{.user_id = id_of(1)}, {.user_id = id_of(2)}}};
    struct uuid first = id_of(1), second = id_of(2), other = id_of(3);
    assert_int_equal(session_participant_index(&s, &first), 0);
    assert_int_equal(session_participant_index(&s, &second), 1);
    assert_int_equal(session_participant_index(&s, &other), -1);
}

/* --- choice of prompts --- */

static const struct topic_prompt prompts[] = {
    {"main.2", PROMPT_MAIN, 2}, {"ice.2", PROMPT_ICEBREAKER, 2}, {"follow.1", PROMPT_FOLLOW_UP, 1},
    {"main.1", PROMPT_MAIN, 1}, {"ice.1", PROMPT_ICEBREAKER, 1}, {"follow.2", PROMPT_FOLLOW_UP, 2},
};
#define PROMPTS (sizeof prompts / sizeof prompts[0])

/* Shows `n` prompts in a row and writes their keys down. */
static void expect_choices(const struct topic_prompt *from, size_t count, int n, const char *expected)
{
    const char *shown[32];
    struct buf text = {0};
    for (int i = 0; i < n; i++) {
        const struct topic_prompt *p = session_choose_prompt(from, count, shown, i);
        shown[i] = p ? p->key : "nothing";
        buf_addf(&text, i ? " %s" : "%s", shown[i]);
    }
    buf_addc(&text, '\0');
    assert_string_equal(text.p, expected);
    buf_done(&text);
}

static void prompts_in_their_order(void **state)
{
    (void)state;
    expect_choices(prompts, PROMPTS, 10,
                   "ice.1 follow.1 follow.2 main.1 main.2 ice.2 main.1 main.2 main.1 main.2");
}

static void poor_topics_still_have_prompts(void **state)
{
    (void)state;
    expect_choices(prompts, 1, 3, "main.2 main.2 main.2");                    /* no icebreaker */
    expect_choices(prompts + 1, 2, 5, "ice.2 follow.1 ice.2 follow.1 ice.2"); /* no main to recycle */
    expect_choices(prompts + 2, 1, 2, "follow.1 follow.1");
    assert_null(session_choose_prompt(NULL, 0, NULL, 0));
}

static void a_shown_prompt_the_topic_has_lost_is_no_obstacle(void **state)
{
    (void)state;
    const char *shown[] = {"gone.1", ""};
    assert_string_equal(session_choose_prompt(prompts, PROMPTS, shown, 2)->key, "follow.1");
}

/* --- the run --- */

static const struct session_limits limits = {.join_window_ms = 60 * SECOND,
                                             .grace_ms = 20 * SECOND,
                                             .prompt_min_ms = 3 * MINUTE,
                                             .prompt_max_ms = 5 * MINUTE,
                                             .prompts_max = 5,
                                             .prompt_request_gap_ms = 10 * SECOND,
                                             .warn_before_ms = 60 * SECOND};

static struct session_run new_run(enum session_type type, uint64_t seed)
{
    struct session s = {.type = type, .status = SESSION_WAITING};
    struct session_run run;
    session_run_init(&run, &s, prompts, PROMPTS, seed);
    return run;
}

/* Both join at T0 and talk for up to `minutes`. */
static struct session_run active_run(enum session_type type, uint64_t seed, int minutes)
{
    struct session_run run = new_run(type, seed);
    session_run_present(&run, 0, T0);
    session_run_present(&run, 1, T0);
    session_run_activate(&run, T0, minutes * 60);
    return run;
}

static void expect_nothing(struct session_run *run, int64_t at_ms)
{
    assert_int_equal(session_run_due(run, &limits, at_ms).kind, ACTION_NONE);
}

static struct session_action expect_action(struct session_run *run, int64_t at_ms,
                                           enum session_action_kind kind)
{
    struct session_action a = session_run_due(run, &limits, at_ms);
    assert_int_equal(a.kind, kind);
    return a;
}

static void expect_end(struct session_run *run, int64_t at_ms, enum session_event event, int who)
{
    assert_int_equal(session_run_next_ms(run, &limits), at_ms);
    expect_nothing(run, at_ms - 1);
    struct session_action a = expect_action(run, at_ms, ACTION_END);
    assert_int_equal(a.event, event);
    assert_int_equal(a.who, who);
    int64_t happened_at_ms = event == SESSION_EVENT_DROP    ? at_ms - limits.grace_ms
                             : event == SESSION_EVENT_LIMIT ? at_ms
                                                            : 0;
    assert_int_equal(a.at_ms, happened_at_ms);
    expect_nothing(run, INT64_MAX - 1);
    assert_int_equal(session_run_next_ms(run, &limits), INT64_MAX);
}

static void nobody_there_nothing_due(void **state)
{
    (void)state;
    struct session_run run = new_run(SESSION_PRACTICE, 1);
    assert_int_equal(session_run_next_ms(&run, &limits), INT64_MAX);
    expect_nothing(&run, T0 + DAY);
}

static void the_second_one_does_not_show_up(void **state)
{
    (void)state;
    struct session_run run = new_run(SESSION_PRACTICE, 1);
    session_run_present(&run, 1, T0);
    expect_end(&run, T0 + 60 * SECOND, SESSION_EVENT_NO_SHOW, 0);
    assert_int_equal(run.status, SESSION_EXPIRED);
}

static void the_window_counts_from_the_first_join_whoever_leaves(void **state)
{
    (void)state;
    struct session_run run = new_run(SESSION_PRACTICE, 1);
    session_run_present(&run, 0, T0);
    session_run_absent(&run, 0, T0 + 10 * SECOND);
    session_run_present(&run, 1, T0 + 30 * SECOND);
    session_run_absent(&run, 1, T0 + 40 * SECOND);
    expect_end(&run, T0 + 60 * SECOND, SESSION_EVENT_NO_SHOW, -1);
}

static void the_window_is_the_stored_one(void **state)
{
    (void)state;
    struct session s = {.status = SESSION_WAITING, .first_joined_at_ms = T0 - 50 * SECOND};
    struct session_run run;
    session_run_init(&run, &s, prompts, PROMPTS, 1);
    session_run_present(&run, 0, T0);
    expect_end(&run, T0 + 10 * SECOND, SESSION_EVENT_NO_SHOW, 1);
}

static void both_present_nobody_is_missing(void **state)
{
    (void)state;
    struct session_run run = new_run(SESSION_PRACTICE, 1);
    session_run_present(&run, 0, T0);
    session_run_present(&run, 1, T0 + 59 * SECOND);
    expect_nothing(&run, T0 + 61 * SECOND); /* the database is still activating it */
    session_run_activate(&run, T0 + 61 * SECOND, 900);
    assert_string_equal(expect_action(&run, T0 + 61 * SECOND, ACTION_SHOW_PROMPT).prompt->key, "ice.1");
}

static void who_drops_has_20_seconds(void **state)
{
    (void)state;
    struct session_run run = active_run(SESSION_PRACTICE, 1, 15);
    expect_action(&run, T0, ACTION_SHOW_PROMPT);
    session_run_absent(&run, 1, T0 + 100 * SECOND);
    session_run_absent(&run, 1, T0 + 110 * SECOND); /* told twice: counts once */
    expect_nothing(&run, T0 + 120 * SECOND - 1);
    session_run_present(&run, 1, T0 + 120 * SECOND - 1);
    expect_nothing(&run, T0 + 130 * SECOND);
    session_run_absent(&run, 1, T0 + 140 * SECOND);
    expect_end(&run, T0 + 160 * SECOND, SESSION_EVENT_DROP, 1);
    assert_int_equal(run.status, SESSION_COMPLETED);
}

static void both_drop_the_first_is_named(void **state)
{
    (void)state;
    struct session_run run = active_run(SESSION_PRACTICE, 1, 15);
    expect_action(&run, T0, ACTION_SHOW_PROMPT);
    session_run_absent(&run, 1, T0 + 5 * SECOND);
    session_run_absent(&run, 0, T0 + 6 * SECOND);
    expect_end(&run, T0 + 25 * SECOND, SESSION_EVENT_DROP, 1);
    assert_int_equal(run.status, SESSION_ABORTED);
}

/* Dropping out in the first minute aborts, even when the grace ends after it. */
static void the_moment_of_the_drop_decides(void **state)
{
    (void)state;
    struct session_run run = active_run(SESSION_PRACTICE, 1, 15);
    expect_action(&run, T0, ACTION_SHOW_PROMPT);
    session_run_absent(&run, 0, T0 + 59 * SECOND);
    expect_end(&run, T0 + 79 * SECOND, SESSION_EVENT_DROP, 0);
    assert_int_equal(run.status, SESSION_ABORTED);
}

static void a_socket_lost_while_activating_has_its_grace(void **state)
{
    (void)state;
    struct session_run run = new_run(SESSION_PRACTICE, 1);
    session_run_present(&run, 0, T0);
    session_run_present(&run, 1, T0);
    session_run_absent(&run, 1, T0);
    session_run_activate(&run, T0 + 10, 900);
    expect_action(&run, T0 + 10, ACTION_SHOW_PROMPT);
    expect_end(&run, T0 + 10 + 20 * SECOND, SESSION_EVENT_DROP, 1);
}

/* --- prompts of the run --- */

static void a_request_brings_the_next_prompt_and_restarts_the_interval(void **state)
{
    (void)state;
    struct session_run run = active_run(SESSION_PRACTICE, 7, 60);
    expect_action(&run, T0, ACTION_SHOW_PROMPT);
    assert_int_equal(session_run_request_prompt(&run, &limits, T0 + 2 * SECOND),
                     OK); /* the icebreaker was not asked for */
    assert_int_equal(session_run_next_ms(&run, &limits), T0 + 2 * SECOND);
    assert_string_equal(expect_action(&run, T0 + 2 * SECOND, ACTION_SHOW_PROMPT).prompt->key, "follow.1");
    int64_t next = session_run_next_ms(&run, &limits);
    assert_true(next >= T0 + 2 * SECOND + 3 * MINUTE && next <= T0 + 2 * SECOND + 5 * MINUTE);

    assert_int_equal(session_run_request_prompt(&run, &limits, T0 + 12 * SECOND - 1), ERR_RATE_LIMITED);
    assert_int_equal(session_run_next_ms(&run, &limits), next); /* a refusal changes nothing */
    assert_int_equal(session_run_request_prompt(&run, &limits, T0 + 12 * SECOND), OK);
    expect_action(&run, T0 + 12 * SECOND, ACTION_SHOW_PROMPT);
}

static void five_prompts_and_no_more(void **state)
{
    (void)state;
    struct session_run run = active_run(SESSION_PRACTICE, 7, 60);
    expect_action(&run, T0, ACTION_SHOW_PROMPT);
    for (int i = 1; i < 5; i++) {
        assert_int_equal(session_run_request_prompt(&run, &limits, T0 + i * MINUTE), OK);
        expect_action(&run, T0 + i * MINUTE, ACTION_SHOW_PROMPT);
    }
    assert_int_equal(session_run_request_prompt(&run, &limits, T0 + 10 * MINUTE), ERR_CONFLICT);
    assert_int_equal(session_run_next_ms(&run, &limits), T0 + 59 * MINUTE);
}

static void no_prompts_when_not_active_or_none_exist(void **state)
{
    (void)state;
    struct session_run run = new_run(SESSION_PRACTICE, 1);
    assert_int_equal(session_run_request_prompt(&run, &limits, T0), ERR_CONFLICT);
    struct session s = {.status = SESSION_WAITING};
    session_run_init(&run, &s, NULL, 0, 1);
    session_run_present(&run, 0, T0);
    session_run_present(&run, 1, T0);
    session_run_activate(&run, T0, 900);
    assert_int_equal(session_run_request_prompt(&run, &limits, T0), ERR_CONFLICT);
    assert_int_equal(session_run_next_ms(&run, &limits), T0 + 14 * MINUTE);
}

static void a_request_while_the_icebreaker_is_due_changes_nothing(void **state)
{
    (void)state;
    struct session_run run = active_run(SESSION_PRACTICE, 7, 60);
    assert_int_equal(session_run_request_prompt(&run, &limits, T0 + 5), OK);
    assert_string_equal(expect_action(&run, T0 + 5, ACTION_SHOW_PROMPT).prompt->key, "ice.1");
    expect_nothing(&run, T0 + 5);
}

/* --- taken over after a crash --- */

static void a_session_goes_on_where_it_was(void **state)
{
    (void)state;
    struct session s = {
        .type = SESSION_TANDEM, .status = SESSION_ACTIVE, .started_at_ms = T0, .max_duration_seconds = 3600};
    struct session_run run;
    session_run_init(&run, &s, prompts, PROMPTS, 3);
    session_run_was_shown(&run, "ice.1", T0);
    session_run_was_shown(&run, "follow.1", T0 + 20 * MINUTE);
    session_run_was_shown(&run, SESSION_SWITCH_KEY, T0 + 30 * MINUTE);
    session_run_was_shown(&run, "gone", T0 + 31 * MINUTE);
    assert_int_equal(run.prompts_shown, 3);
    int64_t next = session_run_next_ms(&run, &limits);
    assert_true(next >= T0 + 34 * MINUTE && next <= T0 + 36 * MINUTE);

    int64_t back = T0 + 32 * MINUTE;
    session_run_present(&run, 0, back); /* the other one has the grace from here */
    assert_int_equal(session_run_next_ms(&run, &limits), back + 20 * SECOND);
    session_run_present(&run, 1, back + 19 * SECOND);
    assert_int_equal(session_run_next_ms(&run, &limits), next);
    assert_string_equal(expect_action(&run, next, ACTION_SHOW_PROMPT).prompt->key, "follow.2");
}

static void more_shown_than_fits_is_harmless(void **state)
{
    (void)state;
    struct session s = {.status = SESSION_ACTIVE, .started_at_ms = T0, .max_duration_seconds = 900};
    struct session_run run;
    session_run_init(&run, &s, prompts, PROMPTS, 3);
    for (int i = 0; i < 40; i++)
        session_run_was_shown(&run, "main.1", T0);
    assert_int_equal(run.prompts_shown, SESSION_PROMPTS_MAX);
    assert_int_equal(session_run_next_ms(&run, &limits), T0 + 14 * MINUTE);
}

/* --- whole conversations on a virtual clock --- */

/* Jumps from due time to due time until the end; writes down what happened as "minute:what". */
static void play(struct session_run *run, struct buf *log)
{
    while (session_run_next_ms(run, &limits) != INT64_MAX) {
        int64_t now = session_run_next_ms(run, &limits);
        expect_nothing(run, now - 1);
        struct session_action a = session_run_due(run, &limits, now);
        static const char *const names[] = {"none", "end", "", "warn", "switch"};
        buf_addf(log, "%lld:%s%s ", (long long)((now - T0) / MINUTE), names[a.kind],
                 a.prompt ? a.prompt->key : "");
    }
    buf_addc(log, '\0');
}

static void a_quarter_of_an_hour_of_practice(void **state)
{
    (void)state;
    unsigned prompts_seen[6] = {0};
    for (uint64_t seed = 0; seed < 2000; seed++) {
        struct session_run run = active_run(SESSION_PRACTICE, seed, 15);
        struct buf log = {0};
        play(&run, &log);
        assert_true(str_starts_with(str_of(log.p), STR("0:ice.1 ")));
        assert_non_null(strstr(log.p, "14:warn "));
        assert_non_null(strstr(log.p, "15:end "));
        assert_null(strstr(log.p, "switch"));
        assert_int_equal(run.status, SESSION_COMPLETED);
        assert_true(run.prompts_shown >= 3 && run.prompts_shown <= 5);
        prompts_seen[run.prompts_shown]++;
        buf_done(&log);
    }
    /* the intervals are random: mostly four fit into 15 minutes, now and then five */
    assert_true(prompts_seen[4] > 1000 && prompts_seen[5] > 10);
}

static void an_hour_of_tandem(void **state)
{
    (void)state;
    struct session_run run = active_run(SESSION_TANDEM, 11, 60);
    int64_t shown_at[5], told_at = 0, warned_at = 0;
    int n = 0;
    for (int64_t now = T0; run.status == SESSION_ACTIVE; now += 250) { /* a coarse timer: up to 250 ms late */
        struct session_action a;
        while ((a = session_run_due(&run, &limits, now)).kind != ACTION_NONE) {
            if (a.kind == ACTION_SHOW_PROMPT)
                shown_at[n++] = now;
            else if (a.kind == ACTION_SWITCH_LANGUAGE)
                told_at = told_at ? -1 : now;
            else if (a.kind == ACTION_WARN_LIMIT)
                warned_at = warned_at ? -1 : now;
            else
                assert_true(a.event == SESSION_EVENT_LIMIT && a.who == -1 && now == T0 + 60 * MINUTE);
        }
    }
    assert_int_equal(n, 5);
    assert_int_equal(shown_at[0], T0);
    for (int i = 1; i < 5; i++) {
        int64_t gap = shown_at[i] - shown_at[i - 1];
        assert_true(gap >= 3 * MINUTE && gap <= 5 * MINUTE + 250);
    }
    assert_int_equal(told_at, T0 + 30 * MINUTE);
    assert_int_equal(warned_at, T0 + 59 * MINUTE);
    assert_int_equal(run.status, SESSION_COMPLETED);
}

static void a_session_shorter_than_the_warning_is_warned_at_once(void **state)
{
    (void)state;
    struct session_run run = active_run(SESSION_PRACTICE, 1, 0);
    run.limit_at_ms = T0 + 30 * SECOND;
    expect_action(&run, T0, ACTION_WARN_LIMIT);
    expect_action(&run, T0, ACTION_SHOW_PROMPT);
    expect_end(&run, T0 + 30 * SECOND, SESSION_EVENT_LIMIT, -1);
}

/* A late timer acts in the order of the due times. */
static void late_is_in_order(void **state)
{
    (void)state;
    struct session_run run = active_run(SESSION_TANDEM, 1, 15);
    session_run_absent(&run, 0, T0 + 13 * MINUTE);
    static const enum session_action_kind expected[] = {ACTION_SHOW_PROMPT, ACTION_SWITCH_LANGUAGE,
                                                        ACTION_END};
    int n = 0;
    int64_t now = T0 + 14 * MINUTE - 1;
    struct session_action a;
    while ((a = session_run_due(&run, &limits, now)).kind != ACTION_NONE)
        assert_int_equal(a.kind, expected[n++]);
    assert_int_equal(n, 3);
}

/* A process that comes after the limit shows nothing any more, and the session lasted no longer than its
 * limit. */
static void later_than_the_limit_it_only_ends(void **state)
{
    (void)state;
    struct session_run run = active_run(SESSION_TANDEM, 1, 15);
    struct session_action a = session_run_due(&run, &limits, T0 + 120 * MINUTE);
    assert_int_equal(a.kind, ACTION_END);
    assert_int_equal(a.event, SESSION_EVENT_LIMIT);
    assert_int_equal(a.at_ms, T0 + 15 * MINUTE);
    expect_nothing(&run, INT64_MAX - 1);
}

/* Whatever happens: nothing is due before session_run_next_ms says so, and something is at that moment. */
static void next_ms_never_lies(void **state)
{
    (void)state;
    unsigned ended = 0;
    for (uint64_t seed = 1; seed <= 20000; seed++) {
        uint64_t random = seed;
        struct session_run run = new_run((enum session_type)random_below(&random, 2), seed);
        int64_t now = T0;
        for (int steps = 0; steps < 60; steps++) {
            int64_t next = session_run_next_ms(&run, &limits);
            unsigned what = random_below(&random, 8), who = random_below(&random, 2);
            if (what < 2) {
                session_run_present(&run, (int)who, now);
            } else if (what < 3) {
                session_run_absent(&run, (int)who, now);
            } else if (what < 4 && run.status == SESSION_WAITING && run.is_present[0] && run.is_present[1]) {
                session_run_activate(&run, now, 60 + (int)random_below(&random, 3600));
            } else if (what < 5) {
                (void)!session_run_request_prompt(&run, &limits, now);
            } else if (next != INT64_MAX) {
                if (next > now) { /* an asked-for prompt may be due since before */
                    expect_nothing(&run, next - 1);
                    now = next;
                }
                struct session_action a = session_run_due(&run, &limits, now);
                if (a.kind == ACTION_NONE)
                    fail_msg("nothing due at the promised time, seed %llu", (unsigned long long)seed);
                assert_int_equal(a.kind == ACTION_SHOW_PROMPT, a.prompt != NULL);
                ended += a.kind == ACTION_END;
            } else {
                expect_nothing(&run, INT64_MAX - 1);
                now += random_below(&random, 30000);
            }
            assert_true(run.prompts_shown <= limits.prompts_max);
        }
    }
    assert_true(ended > 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_ending),
        cmocka_unit_test(what_the_clients_are_told),
        cmocka_unit_test(names_end_with_null),
        cmocka_unit_test(participants_are_found),
        cmocka_unit_test(prompts_in_their_order),
        cmocka_unit_test(poor_topics_still_have_prompts),
        cmocka_unit_test(a_shown_prompt_the_topic_has_lost_is_no_obstacle),
        cmocka_unit_test(nobody_there_nothing_due),
        cmocka_unit_test(the_second_one_does_not_show_up),
        cmocka_unit_test(the_window_counts_from_the_first_join_whoever_leaves),
        cmocka_unit_test(the_window_is_the_stored_one),
        cmocka_unit_test(both_present_nobody_is_missing),
        cmocka_unit_test(who_drops_has_20_seconds),
        cmocka_unit_test(both_drop_the_first_is_named),
        cmocka_unit_test(the_moment_of_the_drop_decides),
        cmocka_unit_test(a_socket_lost_while_activating_has_its_grace),
        cmocka_unit_test(a_request_brings_the_next_prompt_and_restarts_the_interval),
        cmocka_unit_test(five_prompts_and_no_more),
        cmocka_unit_test(no_prompts_when_not_active_or_none_exist),
        cmocka_unit_test(a_request_while_the_icebreaker_is_due_changes_nothing),
        cmocka_unit_test(a_session_goes_on_where_it_was),
        cmocka_unit_test(more_shown_than_fits_is_harmless),
        cmocka_unit_test(a_quarter_of_an_hour_of_practice),
        cmocka_unit_test(an_hour_of_tandem),
        cmocka_unit_test(a_session_shorter_than_the_warning_is_warned_at_once),
        cmocka_unit_test(late_is_in_order),
        cmocka_unit_test(later_than_the_limit_it_only_ends),
        cmocka_unit_test(next_ms_never_lies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
