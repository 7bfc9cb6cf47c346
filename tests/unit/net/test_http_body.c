/* Whoever hosts HTTP may follow a request's body while it arrives, and let a request go before it is
 * answered. */
#include "http_fixture.h"

static struct {
    bool forgets; /* requests; else they are answered at once */
    struct conn *waiting;
} user;

static void on_received(void *arg, bool is_complete)
{
    assert_ptr_equal(arg, &user);
    buf_addz(&told, is_complete ? "arrived|" : "broken off|");
}

static void on_body_follows(struct conn *c, const struct http_request *r)
{
    buf_addf(&told, "body of " STR_FMT " follows|", STR_ARG(r->path));
    http_set_receiving(c, on_received, &user);
}

static void on_gone(void *arg)
{
    assert_ptr_equal(arg, &user);
    buf_addz(&told, "gone|");
}

static void on_request(struct conn *c, const struct http_request *r)
{
    log_request(r);
    if (!user.forgets) {
        respond(c, "ok");
        return;
    }
    user.waiting = c;
    http_set_answering(c, on_gone, &user);
    http_forget_request(c);
}

static int set_up(void **state)
{
    static const struct http_user http_user = {
        .body_follows = on_body_follows, .request = on_request, .refuse = on_refuse};
    (void)state;
    memset(&user, 0, sizeof user);
    http_set_up(&http_user);
    return 0;
}

#define WATCHED "POST /watched HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"

static void a_body_that_arrives(void **state)
{
    (void)state;
    peer_send(&peer, WATCHED "Expect: 100-continue\r\n\r\n");
    peer_expect(&peer, "100 Continue");
    expect_log("body of /watched follows|");
    peer_send(&peer, "ab");
    peer_expect(&peer, "ok");
    peer_done(&peer);
    turns(5);
    expect_log("body of /watched follows|arrived|POST /watched ab|"); /* told once */
}

static void a_body_that_is_there_at_once(void **state)
{
    (void)state;
    peer_send(&peer, WATCHED "\r\nab");
    peer_expect(&peer, "ok");
    expect_log("POST /watched ab|");
}

static void a_body_that_is_broken_off(void **state)
{
    (void)state;
    peer_send(&peer, WATCHED "\r\na");
    turns(5);
    peer_done(&peer);
    turns(5);
    expect_log("body of /watched follows|broken off|");
}

static void a_body_that_takes_too_long(void **state)
{
    (void)state;
    peer_send(&peer, WATCHED "\r\na");
    turns(5);
    advance(net_settings.body_timeout_ms + 8);
    peer_expect(&peer, "HTTP/1.1 408 ");
    expect_log("body of /watched follows|broken off|refuse 408 the request did not arrive in time|");
}

static void a_request_may_be_forgotten(void **state)
{
    (void)state;
    user.forgets = true;
    peer_send(&peer, "GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n");
    turns(5);
    expect_log("GET /a |");
    respond(user.waiting, "first");
    peer_expect(&peer, "first");
    turns(5);
    expect_log("GET /a |GET /b |");
    peer_done(&peer);
    turns(5);
    expect_log("GET /a |GET /b |gone|");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_body_that_arrives),        TEST(a_body_that_is_there_at_once), TEST(a_body_that_is_broken_off),
        TEST(a_body_that_takes_too_long), TEST(a_request_may_be_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
