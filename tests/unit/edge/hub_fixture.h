/* A hub with events of every kind, and a client of it. */
#ifndef TESTS_HUB_FIXTURE_H
#define TESTS_HUB_FIXTURE_H

#include "ws_fixture.h"

#include "conversation/base/json_scan.h"

#define SESSION_NUMBER 77

static struct buf gone_log; /* "<session> <user>|" */
static int flows_ended;
static uint64_t last_socket; /* the one that joined last */

UNUSED static void socket_gone(uint64_t socket_id, const struct uuid *session_id, const struct uuid *user_id)
{
    (void)socket_id;
    buf_addf(&gone_log, "%s %s|", UUIDZ(session_id), UUIDZ(user_id));
}

/* --- the events --- */

struct input {
    struct uuid session_id;
    int count;
};

static const struct field join_fields[] = {
    {.name = "sessionId",
     .type = FIELD_UUID,
     .is_required = true,
     .offset = offsetof(struct input, session_id)},
    {.name = "count", .type = FIELD_INT, .offset = offsetof(struct input, count), .min = 0, .max = 9},
    FIELDS_END,
};

UNUSED static void run_join(struct flow *f)
{
    struct input *in = flow_ctx(f);
    FLOW_BEGIN(f);
    last_socket = event_socket(f);
    if (!sockets_enter_session(last_socket, &in->session_id, SESSION_NUMBER))
        FLOW_FAIL(f, ERR_CANCELLED);
    struct jsonw *w = event_ack_begin(f);
    jsonw_m_uuid(w, "userId", caller_user_id(f));
    jsonw_m_int(w, "tokenExpiresMs", event_token_expires_ms(f));
    event_ack_send(f);
    FLOW_END(f);
fail:
    reply_error(f);
}

UNUSED static void run_slow(struct flow *f)
{
    FLOW_BEGIN(f);
    AWAIT(f, flow_sleep(f, 1000));
    flows_ended++;
    event_ack_begin(f);
    event_ack_send(f);
    FLOW_END(f);
fail:
    reply_error(f);
}

UNUSED static void run_fail(struct flow *f)
{
    FLOW_BEGIN(f);
    FLOW_FAIL_FIELD(f, ERR_SESSION_ENDED, "sessionId", "over");
    FLOW_END(f);
fail:
    reply_error(f);
}

UNUSED static enum err relay(struct relay_call *call)
{
    struct str part = STR("{\"said\":true}");
    assert_int_equal(call->session, SESSION_NUMBER);
    if (!memmem(call->index->text.p, call->index->text.n, "\"bad\"", 5)) {
        sockets_emit(call->socket_id, "said", &part, 1);
        return OK;
    }
    call->reason = "bad is not good";
    return ERR_INVALID_CANDIDATE;
}

static const struct handler join = {{"join", run_join, sizeof(struct input), 0}, join_fields};
static const struct handler leave = {{"leave", run_leave, sizeof(struct input), 0}, NULL};
static const struct handler slow = {{"slow", run_slow, sizeof(struct input), 0}, NULL};
static const struct handler fails = {{"fail", run_fail, sizeof(struct input), 0}, NULL};

static const struct rate_limit two_an_hour = {.what = "test", .limit = 2, .window_ms = 3600000};
static const struct rate_limit switched_off = {.what = "off", .limit = 0, .window_ms = 3600000};

static const struct event_row events[] = {
    {"join", NEEDS_USER, .handler = &join},
    {"leave", NEEDS_USER, .handler = &leave},
    {"slow", NEEDS_USER, .handler = &slow},
    {"fail", NEEDS_USER, .handler = &fails},
    {"say", NEEDS_SESSION, .relay = relay},
    {"do", NEEDS_SESSION, .handler = &leave},
    {"rare", NEEDS_USER, .handler = &fails, .limit = &two_an_hour},
    {"free", NEEDS_USER, .handler = &fails, .limit = &switched_off},
    {.name = NULL},
};
static const struct hub_setup hub = {.events = events, .socket_gone = socket_gone};

static struct peer peer;

UNUSED static int set_up(void **state)
{
    (void)state;
    flows_ended = 0;
    peer = (struct peer){.fd = -1};
    hub_set_up(&hub);
    return 0;
}

UNUSED static int tear_down(void **state)
{
    (void)state;
    hub_tear_down();
    assert_int_equal(flow_active_count(), 0);
    peer_done(&peer);
    buf_done(&gone_log);
    return 0;
}

#define ARG(session) "{\"sessionId\":\"" session "\"}"

UNUSED static void expect_ok(const char *event)
{
    ws_send(&peer, event);
    ws_expect_start(&peer, "431[{\"status\":\"ok\"");
}

UNUSED static void expect_error(const char *event, const char *code, const char *message)
{
    char start[160];
    ws_send(&peer, event);
    snprintf(start, sizeof start, "431[{\"status\":\"error\",\"code\":\"%s\",\"message\":\"%s", code,
             message);
    ws_expect_start(&peer, start);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
