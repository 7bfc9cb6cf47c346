/* Whoever hosts HTTP may follow a request's body while it arrives, and let a request go before it is
 * answered. */
#include "net_fixture.h"

#include "conversation/net/http.h"

static struct {
    struct buf log;
    bool forgets; /* requests; else they are answered at once */
    struct conn *waiting;
} user;

static struct peer peer;

static void respond(struct conn *c, int status, const char *text)
{
    http_respond(
        c, &(struct http_response){.status = status, .content_type = "text/plain", .body = str_of(text)});
}

static void on_received(void *arg, bool is_complete)
{
    assert_ptr_equal(arg, &user.log);
    buf_addz(&user.log, is_complete ? "arrived|" : "broken off|");
}

static void on_body_follows(struct conn *c, const struct http_request *r)
{
    buf_addf(&user.log, "body of " STR_FMT " follows|", STR_ARG(r->path));
    http_set_receiving(c, on_received, &user.log);
}

static void on_gone(void *arg)
{
    assert_ptr_equal(arg, &user);
    buf_addz(&user.log, "gone|");
}

static void on_request(struct conn *c, const struct http_request *r)
{
    buf_addf(&user.log, "%s " STR_FMT " " STR_FMT "|", http_method_name(r->method), STR_ARG(r->path),
             STR_ARG(r->body));
    if (!user.forgets) {
        respond(c, 200, "ok");
        return;
    }
    user.waiting = c;
    http_set_answering(c, on_gone, &user);
    http_forget_request(c);
}

static void on_refuse(struct conn *c, const struct http_request *r, enum err err, const char *reason)
{
    (void)r;
    buf_addf(&user.log, "refuse %d|", err_info(err)->http_status);
    respond(c, err_info(err)->http_status, reason);
}

static int set_up(void **state)
{
    static const struct http_user http_user = {
        .body_follows = on_body_follows, .request = on_request, .refuse = on_refuse};
    int fd;
    (void)state;
    memset(&user, 0, sizeof user);
    edge_set_up();
    http_init(&http_user);
    peer = (struct peer){0};
    connect_pair(&peer.fd, &fd);
    assert_non_null(http_accept(fd));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    edge_tear_down();
    peer_done(&peer);
    buf_done(&user.log);
    return 0;
}

/* Everything since the start. */
static void expect_log(const char *log)
{
    buf_addc(&user.log, '\0');
    assert_string_equal(user.log.p, log);
    user.log.n--;
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
    expect_log("body of /watched follows|broken off|refuse 408|");
}

static void a_request_may_be_forgotten(void **state)
{
    (void)state;
    user.forgets = true;
    peer_send(&peer, "GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n");
    turns(5);
    expect_log("GET /a |");
    respond(user.waiting, 200, "first");
    peer_expect(&peer, "first");
    turns(5);
    expect_log("GET /a |GET /b |");
    peer_done(&peer);
    turns(5);
    expect_log("GET /a |GET /b |gone|");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_body_that_arrives),        TEST(a_body_that_is_there_at_once), TEST(a_body_that_is_broken_off),
        TEST(a_body_that_takes_too_long), TEST(a_request_may_be_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
