/* A hub behind real connections, and a client that speaks Engine.IO and
 * Socket.IO text. A token is the text of the user's id. */
#ifndef TESTS_WS_FIXTURE_H
#define TESTS_WS_FIXTURE_H

#include "unit/sio/ws_client.h"

#include "conversation/domain/identity.h"
#include "conversation/edge/hub.h"
#include "conversation/edge/reply.h"
#include "conversation/edge/router.h"
#include "conversation/net/http.h"
#include "conversation/ports/sockets.h"
#include "conversation/rt/flow.h"
#include "edge/handshake.h"
#include "edge/rest.h"

#define ADA   "00000000-0000-4000-8000-00000000000a"
#define BOB   "00000000-0000-4000-8000-00000000000b"
#define ROOM  "11111111-0000-4000-8000-000000000001"
#define ROOM2 "11111111-0000-4000-8000-000000000002"

#define TOKEN_LIFE_MS 3600000

/* --- the server --- */

static int tokens_verified;
static int recovery_seconds; /* off: events have no offset */
UNUSED static int64_t token_life_ms = TOKEN_LIFE_MS;

UNUSED static enum err verify(struct str token, struct identity *out, const char **reason)
{
    tokens_verified++;
    *out = (struct identity){.expires_at_ms = clock_now_ms() + token_life_ms};
    *reason = "bad token";
    return uuid_parse(token, &out->user_id) ? OK : ERR_UNAUTHORIZED;
}

UNUSED static void on_http_request(struct conn *c, const struct http_request *r)
{
    struct socket_context context;
    if (handshake_is_for(r->path, &context))
        handshake_request(c, r, sio_server_eio(hub_sio()), &context);
    else
        rest_request(c, r);
}

UNUSED static void hub_set_up(const struct hub_setup *hub)
{
    static const struct http_user user = {.request = on_http_request, .refuse = rest_refuse};
    edge_set_up();
    tokens_verified = 0;
    http_init(&user);
    rest_init();
    router_init(NULL, 0);
    config.ws_recovery_seconds = recovery_seconds;
    hub_init(hub, verify);
}

UNUSED static void hub_tear_down(void)
{
    hub_close_all();
    assert_int_equal(hub_socket_count(), 0);
    conn_close_all();
    turns(5);
    hub_done();
    rest_done();
    edge_tear_down();
}

/* hub_setup.socket_gone */
UNUSED static void ignore_gone(uint64_t socket_id, const struct uuid *session_id, const struct uuid *user_id)
{
    (void)socket_id;
    (void)session_id;
    (void)user_id;
}

/* A flow that takes the socket out of its session. */
UNUSED static void run_leave(struct flow *f)
{
    sockets_leave_session(event_socket(f));
    event_ack_begin(f);
    event_ack_send(f);
}

/* --- the client --- */

UNUSED static void ws_open(struct peer *p)
{
    ws_open_tcp(p);
    ws_handshake(p, "/socket.io/" QUERY);
}

/* A connected Socket.IO socket; of `user` when not NULL. */
UNUSED static void sio_open(struct peer *p, const char *user)
{
    char connect[128] = "40";
    ws_open(p);
    if (user)
        snprintf(connect, sizeof connect, "40{\"token\":\"%s\"}", user);
    ws_send(p, connect);
    ws_expect_start(p, "40{\"sid\":\"");
}

#endif
