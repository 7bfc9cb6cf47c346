/* Recovered sockets in the hub: whose they are, and their way back into the session. */
#include "ws_fixture.h"

static int joins, gone;
static bool joins_fail;
static char pid[32], sid[32];
static uint64_t last_socket;

static void socket_gone(uint64_t socket_id, const struct uuid *session_id, const struct uuid *user_id)
{
    (void)socket_id;
    (void)session_id;
    (void)user_id;
    gone++;
}

struct input {
    struct uuid user_id, session_id;
};

static const struct field join_fields[] = {
    {.name = "userId", .type = FIELD_UUID, .is_required = true, .offset = offsetof(struct input, user_id)},
    {.name = "sessionId",
     .type = FIELD_UUID,
     .is_required = true,
     .offset = offsetof(struct input, session_id)},
    FIELDS_END,
};

static void run_join(struct flow *f)
{
    struct input *in = flow_ctx(f);
    FLOW_BEGIN(f);
    if (joins_fail)
        FLOW_FAIL(f, ERR_SESSION_ENDED);
    assert_true(uuid_eq(&in->user_id, caller_user_id(f)));
    last_socket = event_socket(f);
    assert_true(sockets_enter_session(last_socket, &in->session_id, 1));
    joins++;
    event_ack_begin(f);
    event_ack_send(f);
    FLOW_END(f);
fail:
    reply_error(f);
}

static const struct handler join = {{"join", run_join, sizeof(struct input), 0}, join_fields};
static const struct handler leave = {{"leave", run_leave, sizeof(struct input), 0}, NULL};
static const struct event_row events[] = {
    {"leave", NEEDS_USER, .handler = &leave},
    {"join", NEEDS_USER, .handler = &join, .is_rejoin = true},
    {.name = NULL},
};
static const struct hub_setup hub = {.events = events, .socket_gone = socket_gone};

static struct peer peer;

static int set_up(void **state)
{
    (void)state;
    joins = gone = 0;
    joins_fail = false;
    peer = (struct peer){.fd = -1};
    recovery_seconds = 20;
    hub_set_up(&hub);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hub_tear_down();
    assert_int_equal(flow_active_count(), 0);
    peer_done(&peer);
    return 0;
}

/* --- the client --- */

#define SAME_PATH        "/socket.io/" QUERY
#define JOIN(user, room) "421[\"join\",{\"userId\":\"" user "\",\"sessionId\":\"" room "\"}]"

static void take_ids(const char *text)
{
    assert_int_equal(sscanf(text, "40{\"sid\":\"%31[^\"]\",\"pid\":\"%31[^\"]\"}", sid, pid), 2);
}

/* A connected socket that has got one event, the first, and knows the offset of it. */
static void connect_as(const char *token)
{
    char connect[128] = "40";
    ws_open(&peer);
    if (token)
        snprintf(connect, sizeof connect, "40{\"token\":\"%s\"}", token);
    ws_send(&peer, connect);
    take_ids(ws_next(&peer)->bytes);
    ws_send(&peer, "42[\"nothing\",{}]");
    ws_expect_start(&peer, "42[\"exception\"");
}

static void drop(void)
{
    peer_done(&peer);
    for (int i = 0; i < 1000 && hub_socket_count(); i++)
        loop_turn_for_test();
    assert_int_equal(hub_socket_count(), 0);
}

/* Asks for recovery; whether it was granted. */
static bool come_back(const char *path, const char *token, int offset)
{
    char connect[256], old_sid[32];
    memcpy(old_sid, sid, sizeof sid);
    peer_done(&peer);
    ws_open_tcp(&peer);
    ws_handshake(&peer, path);
    int n = snprintf(connect, sizeof connect, "40{\"pid\":\"%s\",\"offset\":\"%d\"", pid, offset);
    if (token)
        n += snprintf(connect + n, sizeof connect - (size_t)n, ",\"token\":\"%s\"", token);
    snprintf(connect + n, sizeof connect - (size_t)n, "}");
    ws_send(&peer, connect);
    take_ids(ws_next(&peer)->bytes);
    return strcmp(old_sid, sid) == 0;
}

static void expect_user(const char *user)
{
    char event[128];
    snprintf(event, sizeof event, "421[\"join\",{\"userId\":\"%s\",\"sessionId\":\"" ROOM "\"}]", user);
    ws_send(&peer, event);
    ws_expect(&peer, "431[{\"status\":\"ok\"}]");
}

static void expect_nobody(void)
{
    ws_send(&peer, "421[\"leave\",{}]");
    ws_expect_start(&peer, "431[{\"status\":\"error\",\"code\":\"UNAUTHORIZED\"");
}

static void a_recovered_socket_is_in_its_session_again(void **state)
{
    (void)state;
    connect_as(ADA);
    ws_send(&peer, JOIN(ADA, ROOM));
    ws_expect(&peer, "431[{\"status\":\"ok\"}]");
    uint64_t before = last_socket;
    drop();
    assert_int_equal(gone, 1);
    assert_true(come_back(SAME_PATH, ADA, 1));
    ws_expect_nothing(&peer); /* of its joining, the session tells */
    assert_int_equal(joins, 2);
    assert_true(last_socket > before);
    drop();
    assert_int_equal(gone, 2);
    assert_true(metric_value("websocket_recoveries_total{result=\"recovered\"}") == 1);
}

static void a_session_that_is_over_is_told(void **state)
{
    (void)state;
    connect_as(ADA);
    ws_send(&peer, JOIN(ADA, ROOM));
    ws_expect(&peer, "431[{\"status\":\"ok\"}]");
    drop();
    joins_fail = true;
    assert_true(come_back(SAME_PATH, ADA, 1));
    ws_expect(&peer, "42[\"exception\",{\"status\":\"error\",\"code\":\"SESSION_ENDED\",\"message\":"
                     "\"SESSION_ENDED\",\"event\":\"join\"},\"2\"]");
}

static void who_was_in_no_session_is_in_none(void **state)
{
    (void)state;
    connect_as(ADA);
    drop();
    assert_true(come_back(SAME_PATH, ADA, 1));
    ws_send(&peer, JOIN(ADA, ROOM));
    ws_expect(&peer, "431[{\"status\":\"ok\"}]");
    ws_send(&peer, "421[\"leave\",{}]");
    ws_expect(&peer, "431[{\"status\":\"ok\"}]");
    drop();
    assert_true(come_back(SAME_PATH, ADA, 1));
    ws_expect_nothing(&peer);
    assert_int_equal(joins, 1);
    assert_int_equal(gone, 0);
}

static void the_token_decides_whose_it_is(void **state)
{
    (void)state;
    connect_as(ADA);
    drop();
    assert_false(come_back(SAME_PATH, BOB, 1));
    expect_user(BOB);
    assert_true(metric_value("websocket_recoveries_total{result=\"fresh\"}") == 1);
}

static void a_bad_token_is_refused_as_always(void **state)
{
    (void)state;
    char connect[160], right_pid[32];
    connect_as(ADA);
    memcpy(right_pid, pid, sizeof pid);
    drop();
    ws_open(&peer);
    snprintf(connect, sizeof connect, "40{\"pid\":\"%s\",\"offset\":\"1\",\"token\":\"x\"}", pid);
    ws_send(&peer, connect);
    ws_expect(&peer, "44{\"message\":\"Invalid token\"}");
    config.ws_require_handshake_auth = true;
    snprintf(connect, sizeof connect, "40{\"pid\":\"%s\",\"offset\":\"1\"}", pid);
    ws_send(&peer, connect);
    ws_expect(&peer, "44{\"message\":\"Authentication error\"}");
    assert_true(come_back(SAME_PATH, ADA, 1)); /* with a better one */
}

static void without_a_token_the_note_tells_whose_it_is(void **state)
{
    (void)state;
    connect_as(NULL);
    ws_send(&peer, "42[\"authenticate\",{\"token\":\"" ADA "\"}]");
    ws_expect_start(&peer, "42[\"authenticated\"");
    ws_send(&peer, JOIN(ADA, ROOM));
    ws_expect(&peer, "431[{\"status\":\"ok\"}]");
    drop();
    assert_true(come_back(SAME_PATH, NULL, 2));
    turns(3);
    assert_int_equal(joins, 2);
    expect_user(ADA);
    advance(config.ws_auth_timeout_ms + 1000);
    assert_int_equal(hub_socket_count(), 1);
}

static void but_only_while_its_token_lives(void **state)
{
    (void)state;
    config.ws_heartbeat_interval_ms = 86400000;
    connect_as(NULL);
    ws_send(&peer, "42[\"authenticate\",{\"token\":\"" ADA "\"}]");
    ws_expect_start(&peer, "42[\"authenticated\"");
    token_life_ms = 0; /* the note has what the token said */
    ws_send(&peer, "42[\"authenticate\",{\"token\":\"" ADA "\"}]");
    ws_expect_start(&peer, "42[\"authenticated\"");
    token_life_ms = TOKEN_LIFE_MS;
    drop();
    config.jwt_leeway_seconds = 5;
    advance(4999);
    assert_true(come_back(SAME_PATH, NULL, 3));
    drop();
    advance(1); /* the very millisecond from which on the token is refused */
    assert_false(come_back(SAME_PATH, NULL, 3));
    expect_nobody();
}

static void who_was_nobody_is_nobody(void **state)
{
    (void)state;
    connect_as(NULL);
    drop();
    assert_true(come_back(SAME_PATH, NULL, 1));
    expect_nobody();
    drop();
    assert_true(come_back(SAME_PATH, ADA, 1)); /* offset 2 is replayed */
    ws_send(&peer, "41");
}

static void another_binding_is_fresh(void **state)
{
    (void)state;
    connect_as(ADA);
    ws_send(&peer, JOIN(ADA, ROOM));
    ws_expect(&peer, "431[{\"status\":\"ok\"}]");
    drop();
    assert_false(come_back("/ws/conversations/" ROOM2 QUERY, ADA, 1));
    turns(3);
    assert_int_equal(joins, 1);
}

static void the_right_binding_is_recovered(void **state)
{
    (void)state;
    connect_as(ADA);
    ws_send(&peer, JOIN(ADA, ROOM));
    ws_expect(&peer, "431[{\"status\":\"ok\"}]");
    drop();
    assert_true(come_back("/ws/conversations/" ROOM QUERY, ADA, 1));
    turns(3);
    assert_int_equal(joins, 2);
}

static void users_who_are_away_miss_nothing(void **state)
{
    (void)state;
    struct uuid ada, bob;
    assert_true(uuid_parse(STR(ADA), &ada) && uuid_parse(STR(BOB), &bob));
    connect_as(ADA);
    drop();
    sockets_emit_user(&ada, "match_found", STR("{\"x\":1}"));
    sockets_emit_user(&bob, "match_found", STR("{\"x\":2}"));
    assert_true(come_back(SAME_PATH, ADA, 1));
    ws_expect(&peer, "42[\"match_found\",{\"x\":1},\"2\"]");
    sockets_emit_user(&ada, "match_expired", STR("{}"));
    ws_expect(&peer, "42[\"match_expired\",{},\"3\"]");
}

static void it_may_be_switched_off(void **state)
{
    (void)state;
    hub_tear_down();
    recovery_seconds = 0;
    hub_set_up(&hub);
    sio_open(&peer, ADA);
    ws_send(&peer, "42[\"nothing\",{}]");
    ws_expect(&peer, "42[\"exception\",{\"status\":\"error\",\"code\":\"UNKNOWN_EVENT\",\"message\":"
                     "\"UNKNOWN_EVENT\",\"event\":\"nothing\"}]");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_recovered_socket_is_in_its_session_again),
        TEST(a_session_that_is_over_is_told),
        TEST(who_was_in_no_session_is_in_none),
        TEST(the_token_decides_whose_it_is),
        TEST(a_bad_token_is_refused_as_always),
        TEST(without_a_token_the_note_tells_whose_it_is),
        TEST(but_only_while_its_token_lives),
        TEST(who_was_nobody_is_nobody),
        TEST(another_binding_is_fresh),
        TEST(the_right_binding_is_recovered),
        TEST(users_who_are_away_miss_nothing),
        TEST(it_may_be_switched_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
