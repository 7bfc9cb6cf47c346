/* Routes for moderators, and the audit log: who did what, to whom, and what came of it. */

#include "conversation/base/log.h"
#include "edge/audit.h"
#include "rest_fixture.h"
#include "unit/base/stdout_pipe.h"

#define OTHER "b1c7e7a4-52a9-4d53-9b6b-7d8e1f2a3b02"

static int begin(void **state)
{
    assert_int_equal(set_up(state), 0);
    if (stdout_take() != 0)
        return -1;
    log_set_threshold(LOG_ERROR); /* audit lines come all the same */
    return 0;
}

static int end(void **state)
{
    stdout_give_back();
    log_set_threshold(LOG_INFO);
    return tear_down(state);
}

/* One line, and of it everything behind the event's name. */
static void assert_audited(const char *members)
{
    char expected[512];
    const char *line = stdout_read().p, *event = strstr(line, "\"event\":\"audit\",");
    snprintf(expected, sizeof expected, "\"event\":\"audit\",%s}\n", members);
    assert_string_equal(event ? event : line, expected);
    assert_non_null(strstr(line, "\"level\":\"INFO\""));
}

/* Calls as Ada, with these roles. */
static void ask_as(const char *roles, const char *method, const char *path)
{
    char claims[256], headers[2048];
    snprintf(claims, sizeof claims, "{\"sub\":\"" USER_ID "\",\"exp\":1736940600%s}", roles);
    struct buf signed_token = sign_token(key, 256, "{\"alg\":\"ES256\"}", claims);
    snprintf(headers, sizeof headers, "X-Correlation-Id: c1\r\nAuthorization: Bearer %.*s\r\n",
             (int)signed_token.n, signed_token.p);
    send_request(method, path, headers, NULL);
    buf_done(&signed_token);
}

static void a_moderator_may_and_is_noted(void **state)
{
    static const struct {
        const char *claim, *role;
    } cases[] = {{",\"role\":\"moderator\"", "moderator"},
                 {",\"role\":\"admin\"", "admin"},
                 {",\"roles\":[\"learner\",\"moderator\",\"admin\"]", "admin"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char expected[256];
        ask_as(cases[i].claim, "POST", API("/review/" OTHER));
        expect_answer(200, "reviewed");
        snprintf(expected, sizeof expected,
                 "\"action\":\"review\",\"outcome\":\"granted\",\"status\":200,\"actorId\":\"" USER_ID
                 "\",\"role\":\"%s\",\"userId\":\"" OTHER "\",\"correlationId\":\"c1\"",
                 cases[i].role);
        assert_audited(expected);
    }
}

static void who_is_none_may_not_and_is_noted(void **state)
{
    static const char *const claims[] = {"", ",\"role\":\"teacher\"", ",\"roles\":[]", ",\"role\":\"Admin\""};
    (void)state;
    for (size_t i = 0; i < sizeof claims / sizeof claims[0]; i++) {
        ask_as(claims[i], "POST", API("/review/" OTHER));
        expect_answer(403, "\"message\":\"FORBIDDEN\",\"details\":[{\"field\":\"Authorization\","
                           "\"reason\":\"the role moderator or admin is required\"}]");
        assert_audited("\"action\":\"review\",\"outcome\":\"denied\",\"status\":403,\"actorId\":\"" USER_ID
                       "\",\"role\":\"none\",\"userId\":\"" OTHER "\",\"correlationId\":\"c1\"");
    }
}

static void bad_input_is_noted_too(void **state)
{
    (void)state;
    ask_as(",\"role\":\"admin\"", "POST", API("/review/me"));
    expect_status(400);
    assert_audited("\"action\":\"review\",\"outcome\":\"failed\",\"status\":400,\"actorId\":\"" USER_ID
                   "\",\"role\":\"admin\",\"correlationId\":\"c1\"");
}

static void nobody_is_noted_without_a_token(void **state)
{
    (void)state;
    send_request("POST", API("/review/" OTHER), "", NULL);
    expect_status(401);
    send_request("POST", API("/review/" OTHER), authorization("Bearer nonsense"), NULL);
    expect_status(401);
    assert_string_equal(stdout_read().p, "");
}

static void a_flow_may_ask_for_it(void **state)
{
    static const struct {
        enum err err;
        const char *outcome;
        int status;
    } cases[] = {{ERR_SESSION_NOT_FOUND, "denied", 404},
                 {ERR_FORBIDDEN, "denied", 403},
                 {ERR_DB_UNAVAILABLE, "failed", 503}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char expected[256];
        failure = cases[i].err;
        ask_as(",\"role\":\"moderator\"", "GET", API("/looked/" OTHER));
        expect_status(cases[i].status);
        snprintf(expected, sizeof expected,
                 "\"action\":\"look\",\"outcome\":\"%s\",\"status\":%d,\"actorId\":\"" USER_ID
                 "\",\"role\":\"moderator\",\"sessionId\":\"" OTHER "\",\"correlationId\":\"c1\"",
                 cases[i].outcome, cases[i].status);
        assert_audited(expected);
    }
}

static void other_calls_are_not_noted(void **state)
{
    (void)state;
    ask_as(",\"role\":\"admin\"", "GET", API("/mine"));
    expect_status(200);
    ask_as("", "GET", API("/nowhere"));
    expect_status(404);
    assert_string_equal(stdout_read().p, "");
}

int main(void)
{
#define AUDIT_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    static const struct CMUnitTest tests[] = {
        AUDIT_TEST(a_moderator_may_and_is_noted), AUDIT_TEST(who_is_none_may_not_and_is_noted),
        AUDIT_TEST(bad_input_is_noted_too),       AUDIT_TEST(nobody_is_noted_without_a_token),
        AUDIT_TEST(a_flow_may_ask_for_it),        AUDIT_TEST(other_calls_are_not_noted),
    };
    return cmocka_run_group_tests(tests, make_key, free_key);
}
