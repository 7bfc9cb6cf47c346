/* Whole conversations over virtual time, as a transcript of everything that either learner is told, to the
 * millisecond. All times are multiples of the timer wheel's 8 ms. When the prompts come is random, by a seed
 * of the session's id: three to five minutes after the one before. */
#include "conversation/base/json_scan.h"
#include "flows/event/relay.h"
#include "flows/fakes/world.h"
#include "flows/job.h"
#include "flows/live_parts.h"
#include "tables.h"

#define SECOND INT64_C(1000)

/* --- the transcript --- */

static struct buf transcript;

static const char *socket_name(uint64_t id)
{
    return id == ANAS          ? "Ana"
           : id == BENS        ? "Ben"
           : id == ANAS_SECOND ? "Ana'"
           : id == BENS_SECOND ? "Ben'"
                               : "?";
}

/* The member's text without quotes; "" when there is none. */
static struct str member(const char *payload, const char *name)
{
    struct str value;
    enum json_type type;
    if (!json_member(str_of(payload), name, &value, &type))
        return STR("");
    if (type == SCAN_STRING)
        value = (struct str){value.p + 1, value.n - 2};
    return value;
}

/* What matters of an event's payload; of the partner there is only one. */
static void write_told(const struct told *t)
{
    static const char *const names[] = {"promptKey", "reason",           "speaking",    "durationSeconds",
                                        "endsAt",    "partnerConnected", "promptsShown"};
    int64_t ms = t->at_ms - T0;
    buf_addf(&transcript, "%02d:%02d.%03d %s %s", (int)(ms / MINUTE), (int)(ms / SECOND % 60),
             (int)(ms % SECOND), socket_name(t->socket_id), t->event);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct str value = member(t->payload, names[i]);
        if (value.n)
            buf_addf(&transcript, " %.*s", (int)value.n, value.p);
    }
    buf_addc(&transcript, '\n');
}

static void assert_transcript(const char *expected)
{
    struct told t;
    transcript.n = 0;
    for (int n = 0; told_nth(n, &t); n++)
        write_told(&t);
    buf_addc(&transcript, '\0');
    assert_string_equal(transcript.p, expected);
    buf_done(&transcript);
}

/* --- what the learners do --- */

static void at_ms(int64_t ms)
{
    int64_t wait = T0 + ms - clock_now_ms();
    assert_true(wait >= 0);
    pass_ms(wait);
}

static void given_begun(enum session_type type, int seconds)
{
    given_session()->max_duration_seconds = seconds;
    session_row()->type = type;
    jobs_start();
    socket_opens(ANAS, ANA);
    socket_opens(BENS, BEN);
    joins(ANA, ANAS);
    joins(BEN, BENS);
}

static void then_over(enum session_status status, enum session_end_reason reason, int seconds)
{
    assert_row(status, reason);
    assert_int_equal(session_row()->duration_seconds, seconds);
    assert_null(live_one());
    assert_false(socket_is_in_any(ANAS) || socket_is_in_any(BENS));
    assert_false(fake_kv_has_session(&session_row()->id));
    jobs_stop();
    pass_ms(0);
}

static void says_speaking(const char *user_id, bool is_speaking)
{
    struct json_wanted value = {.value = is_speaking ? STR("true") : STR("false"),
                                .type = is_speaking ? SCAN_TRUE : SCAN_FALSE};
    struct relay_call call = {.value = &value, .session = live_one()->number, .user_id = id_of(user_id)};
    assert_int_equal(relay_speaking_state(&call), OK);
}

static enum err asks_for_prompt(const char *user_id, uint64_t socket_id)
{
    struct caller *c =
        event_call(user_id, socket_id, &event_request_next_prompt, "{'sessionId':'" SESSION "'}");
    pass_ms(0);
    return c->err;
}

static void assert_spoken(int who, int seconds, int turns)
{
    assert_int_equal(session_row()->participants[who].spoken_seconds, seconds);
    assert_int_equal(session_row()->participants[who].turn_count, turns);
}

static void assert_shown(const char *const *keys, size_t count)
{
    assert_int_equal(fake_db.shown_count, count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(fake_db.shown[i].key, keys[i]);
}

/* --- a tandem of an hour --- */

static void drop_and_return(void)
{
    at_ms(20 * MINUTE);
    says_speaking(BEN, true);
    at_ms(20 * MINUTE + 2 * SECOND);
    socket_goes(ANAS);
    at_ms(20 * MINUTE + 2 * SECOND + 19992); /* the last tick of the grace */
    socket_opens(ANAS_SECOND, ANA);
    joins(ANA, ANAS_SECOND);
    at_ms(20 * MINUTE + 30 * SECOND);
    says_speaking(BEN, false);
}

static void a_tandem_of_an_hour(void **state)
{
    static const char *const shown[] = {"p.ice",   "p.follow1", "p.follow2",
                                        "p.main1", "p.main2",   "tandem.switch_language"};
    (void)state;
    given_begun(SESSION_TANDEM, 3600);
    at_ms(5 * SECOND);
    says_speaking(ANA, true);
    at_ms(65 * SECOND);
    says_speaking(ANA, false);
    drop_and_return();
    at_ms(45 * MINUTE);
    assert_int_equal(asks_for_prompt(BEN, BENS), ERR_NO_PROMPT_LEFT);
    at_ms(60 * MINUTE - 8);
    assert_row(SESSION_ACTIVE, END_NONE);
    at_ms(60 * MINUTE);
    assert_transcript("00:00.000 Ben partner_joined\n"
                      "00:00.000 Ana partner_joined\n"
                      "00:00.000 Ana new_prompt p.ice\n"
                      "00:00.000 Ben new_prompt p.ice\n"
                      "00:05.000 Ben partner_speaking true\n"
                      "01:05.000 Ben partner_speaking false\n"
                      "04:36.344 Ana new_prompt p.follow1\n"
                      "04:36.344 Ben new_prompt p.follow1\n"
                      "09:00.368 Ana new_prompt p.follow2\n"
                      "09:00.368 Ben new_prompt p.follow2\n"
                      "13:11.504 Ana new_prompt p.main1\n"
                      "13:11.504 Ben new_prompt p.main1\n"
                      "17:35.888 Ana new_prompt p.main2\n"
                      "17:35.888 Ben new_prompt p.main2\n"
                      "20:00.000 Ana partner_speaking true\n"
                      "20:02.000 Ben partner_left disconnect\n"
                      "20:21.992 Ana' session_state p.main2 2025-01-15T11:00:00.000Z true 5\n"
                      "20:21.992 Ana' partner_joined\n"
                      "20:21.992 Ana' partner_speaking true\n"
                      "20:21.992 Ben partner_joined\n"
                      "20:30.000 Ana' partner_speaking false\n"
                      "30:00.000 Ana' new_prompt tandem.switch_language\n"
                      "30:00.000 Ben new_prompt tandem.switch_language\n"
                      "59:00.000 Ana' new_prompt session.one_minute_left\n"
                      "59:00.000 Ben new_prompt session.one_minute_left\n"
                      "60:00.000 Ana' session_ended timeout 3600\n"
                      "60:00.000 Ben session_ended timeout 3600\n");
    assert_shown(shown, 6);
    assert_spoken(0, 60, 1);
    assert_spoken(1, 30, 1);
    then_over(SESSION_COMPLETED, END_TIMEOUT, 3600);
}

/* --- a quarter of an hour with a topic of two prompts: asked for, and shown again --- */

static const struct topic_prompt two_prompts[] = {{"q.ice", PROMPT_ICEBREAKER, 1},
                                                  {"q.main", PROMPT_MAIN, 1}};

static void a_quarter_of_an_hour_with_two_prompts(void **state)
{
    static const char *const shown[] = {"q.ice", "q.main", "q.main", "q.main", "q.main"};
    (void)state;
    struct topic *topic = given_topic(); /* found before the other one of its code */
    topic->prompts = two_prompts;
    topic->prompt_count = 2;
    given_begun(SESSION_PRACTICE, 900);
    at_ms(10 * SECOND);
    assert_int_equal(asks_for_prompt(ANA, ANAS), OK);
    at_ms(20 * SECOND - 8);
    assert_int_equal(asks_for_prompt(BEN, BENS), ERR_RATE_LIMITED);
    at_ms(20 * SECOND);
    assert_int_equal(asks_for_prompt(BEN, BENS), OK);
    at_ms(15 * MINUTE);
    assert_transcript("00:00.000 Ben partner_joined\n"
                      "00:00.000 Ana partner_joined\n"
                      "00:00.000 Ana new_prompt q.ice\n"
                      "00:00.000 Ben new_prompt q.ice\n"
                      "00:10.000 Ana new_prompt q.main\n"
                      "00:10.000 Ben new_prompt q.main\n"
                      "00:20.000 Ana new_prompt q.main\n"
                      "00:20.000 Ben new_prompt q.main\n"
                      "04:31.136 Ana new_prompt q.main\n"
                      "04:31.136 Ben new_prompt q.main\n"
                      "08:55.520 Ana new_prompt q.main\n"
                      "08:55.520 Ben new_prompt q.main\n"
                      "14:00.000 Ana new_prompt session.one_minute_left\n"
                      "14:00.000 Ben new_prompt session.one_minute_left\n"
                      "15:00.000 Ana session_ended timeout 900\n"
                      "15:00.000 Ben session_ended timeout 900\n");
    assert_shown(shown, 5);
    then_over(SESSION_COMPLETED, END_TIMEOUT, 900);
}

/* --- drops that nobody comes back from --- */

static void a_drop_just_within_the_first_minute(void **state)
{
    (void)state;
    given_begun(SESSION_PRACTICE, 900);
    at_ms(60 * SECOND - 8);
    socket_goes(BENS);
    at_ms(80 * SECOND - 16);
    assert_row(SESSION_ACTIVE, END_NONE);
    at_ms(80 * SECOND - 8);
    assert_transcript("00:00.000 Ben partner_joined\n"
                      "00:00.000 Ana partner_joined\n"
                      "00:00.000 Ana new_prompt p.ice\n"
                      "00:00.000 Ben new_prompt p.ice\n"
                      "00:59.992 Ana partner_left disconnect\n"
                      "01:19.992 Ana partner_left timeout\n"
                      "01:19.992 Ana session_ended partner_left 59\n");
    then_over(SESSION_ABORTED, END_DROPPED, 59);
}

static void a_drop_at_the_first_minute(void **state)
{
    (void)state;
    given_begun(SESSION_PRACTICE, 900);
    at_ms(60 * SECOND);
    socket_goes(BENS);
    at_ms(80 * SECOND);
    then_over(SESSION_COMPLETED, END_DROPPED, 60);
}

/* The grace would end after the limit: the limit comes first. */
static void a_drop_shortly_before_the_limit(void **state)
{
    (void)state;
    given_begun(SESSION_PRACTICE, 900);
    at_ms(900 * SECOND - 16 * SECOND);
    sockets_forget();
    socket_goes(BENS);
    at_ms(900 * SECOND);
    assert_transcript("14:44.000 Ana partner_left disconnect\n"
                      "15:00.000 Ana session_ended timeout 900\n");
    then_over(SESSION_COMPLETED, END_TIMEOUT, 900);
}

/* --- nobody else comes --- */

static void a_minute_for_the_second(void **state)
{
    (void)state;
    given_session();
    jobs_start();
    socket_opens(ANAS, ANA);
    joins(ANA, ANAS);
    at_ms(60 * SECOND - 8);
    assert_row(SESSION_WAITING, END_NONE);
    at_ms(60 * SECOND);
    assert_transcript("01:00.000 Ana partner_left timeout\n"
                      "01:00.000 Ana session_ended partner_left 0\n");
    then_over(SESSION_EXPIRED, END_NO_SHOW, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(a_tandem_of_an_hour),
        WORLD_TEST(a_quarter_of_an_hour_with_two_prompts),
        WORLD_TEST(a_drop_just_within_the_first_minute),
        WORLD_TEST(a_drop_at_the_first_minute),
        WORLD_TEST(a_drop_shortly_before_the_limit),
        WORLD_TEST(a_minute_for_the_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
