/* The HTTP protocol of a connection, over real sockets and on the virtual clock. */
#include "http_fixture.h"

/* What is above HTTP: answers at once, or keeps the request for the test to answer. */
static struct {
    bool answers_later;
    struct conn *waiting;
    void (*on_request)(struct conn *c, const struct http_request *r);
} user;

static void on_gone(void *answering)
{
    assert_ptr_equal(answering, &user);
    buf_addz(&told, "gone|");
}

static void on_request(struct conn *c, const struct http_request *r)
{
    log_request(r);
    user.waiting = c;
    if (user.on_request)
        user.on_request(c, r);
    else if (user.answers_later)
        http_set_answering(c, on_gone, &user);
    else
        respond(c, "ok");
}

static int set_up(void **state)
{
    static const struct http_user http_user = {.request = on_request, .refuse = on_refuse};
    (void)state;
    memset(&user, 0, sizeof user);
    http_set_up(&http_user);
    return 0;
}

#define GET_1  "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n"
#define GET_2  "GET /2 HTTP/1.1\r\nHost: x\r\n\r\n"
#define POST_3 "POST /3 HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"

/* --- answers --- */

static void an_answer_has_its_headers(void **state)
{
    (void)state;
    peer_send(&peer, GET_1);
    peer_expect(&peer, "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nDate: Wed, 15 Jan 2025 10:30:00 GMT\r\n"
                       "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\nok");
}

static void respond_304(struct conn *c, const struct http_request *r)
{
    (void)r;
    http_respond(c, &(struct http_response){.status = 304, .extra_headers = STR("ETag: \"a\"\r\n")});
}

static void an_answer_without_a_body_has_no_body_headers(void **state)
{
    (void)state;
    user.on_request = respond_304;
    peer_send(&peer, GET_1);
    peer_expect(&peer, "HTTP/1.1 304 Not Modified\r\n");
    peer_expect(&peer, "GMT\r\nETag: \"a\"\r\n\r\n");
    assert_false(peer_has(&peer, "Content-"));
}

static void respond_to_head(struct conn *c, const struct http_request *r)
{
    (void)r;
    http_respond(c,
                 &(struct http_response){
                     .status = 200, .content_type = "text/plain", .body = STR("hidden"), .omit_body = true});
}

static void head_tells_the_length_without_the_body(void **state)
{
    (void)state;
    user.on_request = respond_to_head;
    peer_send(&peer, "HEAD /1 HTTP/1.1\r\nHost: x\r\n\r\n");
    peer_expect(&peer, "Content-Length: 6\r\n\r\n");
    turns(3);
    assert_false(peer_has(&peer, "hidden"));
}

static void the_date_moves_with_the_clock(void **state)
{
    (void)state;
    peer_send(&peer, GET_1);
    peer_expect(&peer, "10:30:00 GMT");
    advance(1000);
    peer_send(&peer, GET_1);
    peer_expect(&peer, "10:30:01 GMT");
}

static void pipelined_requests_are_answered_in_order_one_at_a_time(void **state)
{
    (void)state;
    user.answers_later = true;
    peer_send(&peer, GET_1 GET_2 POST_3);
    turns(5);
    expect_log("GET /1 |");
    respond(user.waiting, "one");
    turns(5);
    expect_log("GET /1 |GET /2 |");
    respond(user.waiting, "two");
    turns(5);
    respond(user.waiting, "three");
    peer_expect(&peer, "three");
    expect_log("GET /1 |GET /2 |POST /3 body|");
    assert_true(strstr(peer.got.p, "one") < strstr(peer.got.p, "two"));
    assert_int_equal(peer_times(&peer, "HTTP/1.1 200 OK"), 3);
}

static void requests_byte_by_byte_are_answered_once_each(void **state)
{
    (void)state;
    static const char text[] = GET_1 POST_3 GET_2;
    for (size_t i = 0; i < sizeof text - 1; i++)
        peer_send_bytes(&peer, text + i, 1);
    while (peer_times(&peer, "\r\n\r\nok") < 3)
        peer_pump(&peer);
    expect_log("GET /1 |POST /3 body|GET /2 |");
}

static void a_flood_of_requests_leaves_turns_to_others(void **state)
{
    (void)state;
    struct peer other;
    struct buf flood = {0};
    open_peer(&other);
    for (int i = 0; i < 1000; i++)
        buf_addz(&flood, GET_1);
    peer_send_bytes(&peer, flood.p, flood.n);
    buf_done(&flood);
    peer_send(&other, GET_2);
    peer_expect(&other, "ok");
    assert_true(peer_times(&peer, "\r\n\r\nok") < 500);
    while (peer_times(&peer, "\r\n\r\nok") < 1000)
        peer_pump(&peer);
    peer_done(&other);
}

static char large[100000];

static void respond_large(struct conn *c, const struct http_request *r)
{
    (void)r;
    http_respond(c, &(struct http_response){
                        .status = 200, .content_type = "text/plain", .body = {large, sizeof large}});
}

/* A client that asks on and on and reads nothing. */
static void unread_answers_keep_the_next_request_waiting(void **state)
{
    (void)state;
    net_settings.write_buffer_bytes = 200000;
    memset(large, 'x', sizeof large);
    user.on_request = respond_large;
    for (int i = 0; i < 1000; i++) {
        (void)!send(peer.fd, GET_1, strlen(GET_1), MSG_NOSIGNAL);
        turns(1);
        assert_true(conn_unsent(user.waiting) < 300000 + 1000);
    }
    size_t answered = 0;
    for (size_t i = 0; i < told.n; i++)
        answered += told.p[i] == '|';
    assert_true(answered < 500);
    while (told.n < 1000 * strlen("GET /1 |"))
        peer_pump(&peer); /* reading again, it gets all of them */
    advance(net_settings.body_timeout_ms * 2);
    assert_false(peer.has_ended);
}

static void a_client_that_reads_nothing_is_cut(void **state)
{
    (void)state;
    user.on_request = respond_large;
    for (int i = 0; i < 1000; i++) { /* more than the kernel's buffers hold */
        (void)!send(peer.fd, GET_1, strlen(GET_1), MSG_NOSIGNAL);
        turns(1);
    }
    assert_true(conn_unsent(user.waiting) > 0);
    advance(net_settings.body_timeout_ms + 100);
    assert_int_equal(conn_count(), 0);
    assert_true(metric_value("http_slow_readers_total") == 1);
    assert_true(metric_value("websocket_slow_consumers_total") == 0);
}

static void a_client_that_does_not_read_the_last_answer_is_cut(void **state)
{
    (void)state;
    char close[] = "GET /1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    user.on_request = respond_large;
    while (!user.waiting || conn_unsent(user.waiting) < 500000) { /* more than the kernel still takes */
        (void)!send(peer.fd, GET_1, strlen(GET_1), MSG_NOSIGNAL);
        turns(1);
    }
    (void)!send(peer.fd, close, strlen(close), MSG_NOSIGNAL);
    turns(3);
    assert_int_equal(user.waiting->state, CONN_FLUSHING);
    advance(net_settings.body_timeout_ms + 100);
    assert_int_equal(conn_count(), 0);
    assert_true(metric_value("http_slow_readers_total") == 1);
}

/* --- the end of a connection --- */

static void close_is_honoured(void **state)
{
    (void)state;
    peer_send(&peer, "GET /1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" GET_2);
    peer_expect_end(&peer);
    assert_true(peer_has(&peer, "Connection: close\r\n"));
    assert_false(peer.was_reset);
    expect_log("GET /1 |");
}

static void http_1_0_ends_after_the_answer(void **state)
{
    (void)state;
    peer_send(&peer, "GET /1 HTTP/1.0\r\n\r\n");
    peer_expect_end(&peer);
    assert_true(peer_has(&peer, "\r\n\r\nok"));
}

static void a_client_that_leaves_while_it_is_answered_is_told_of(void **state)
{
    (void)state;
    user.answers_later = true;
    peer_send(&peer, GET_1);
    turns(3);
    close(peer.fd);
    peer.fd = -1;
    turns(3);
    expect_log("GET /1 |gone|");
    assert_int_equal(conn_count(), 0);
}

/* As Node's server: a client that ends its side wants no answer any more. */
static void a_half_closed_client_has_left(void **state)
{
    (void)state;
    user.answers_later = true;
    peer_send(&peer, GET_1);
    turns(3);
    shutdown(peer.fd, SHUT_WR);
    peer_expect_end(&peer);
    expect_log("GET /1 |gone|");
}

static void gone_is_for_unanswered_requests_only(void **state)
{
    (void)state;
    user.answers_later = true;
    peer_send(&peer, GET_1);
    turns(3);
    respond(user.waiting, "ok");
    peer_expect(&peer, "ok");
    close(peer.fd);
    peer.fd = -1;
    turns(3);
    expect_log("GET /1 |");
}

/* --- refusals --- */

static void a_bad_request_is_answered_once_and_closed(void **state)
{
    (void)state;
    peer_send(&peer, "garbage\r\n\r\n" GET_1 GET_2);
    peer_expect_end(&peer);
    assert_int_equal(peer_times(&peer, "HTTP/1.1 "), 1);
    assert_true(peer_has(&peer, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"));
    expect_log("refuse 400 malformed HTTP request|");
}

static void a_bad_request_after_good_ones_is_answered_in_its_turn(void **state)
{
    (void)state;
    peer_send(&peer, GET_1 "garbage\r\n\r\n");
    peer_expect_end(&peer);
    expect_log("GET /1 |refuse 400 malformed HTTP request|");
}

static void limits_have_their_status(void **state)
{
    (void)state;
    net_settings.max_body_bytes = 1024;
    peer_send(&peer, "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1025\r\n\r\n");
    peer_expect_end(&peer);
    assert_false(peer_has(&peer, "100 Continue"));
    expect_log("refuse 413 body too large|");
}

static void an_upload_above_the_limit_can_read_why(void **state)
{
    (void)state;
    static char bytes[500000];
    peer_send(&peer, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n");
    peer_send_bytes(&peer, bytes, sizeof bytes);
    peer_expect_end(&peer);
    assert_true(peer_has(&peer, "413 "));
    assert_false(peer.was_reset);
}

/* --- 100 (Continue) --- */

static void a_client_that_asks_is_told_to_go_on(void **state)
{
    (void)state;
    peer_send(&peer, "POST /3 HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 4\r\n\r\n");
    peer_expect(&peer, "HTTP/1.1 100 Continue\r\n\r\n");
    peer_send(&peer, "bo");
    peer_send(&peer, "dy");
    peer_expect(&peer, "HTTP/1.1 200 OK");
    assert_int_equal(peer_times(&peer, "100 Continue"), 1);
    expect_log("POST /3 body|");
}

static void a_client_that_sends_the_body_along_needs_no_word(void **state)
{
    (void)state;
    peer_send(&peer, "POST /3 HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nbody");
    peer_expect(&peer, "HTTP/1.1 200 OK");
    assert_false(peer_has(&peer, "100 Continue"));
}

/* --- timeouts --- */

static void a_connection_without_a_request_is_closed(void **state)
{
    (void)state;
    advance(net_settings.header_timeout_ms - 100);
    assert_int_equal(conn_count(), 1);
    advance(200);
    peer_expect_end(&peer);
    expect_log("");
}

static void headers_must_arrive_in_time(void **state)
{
    (void)state;
    peer_send(&peer, "GET / HT");
    turns(3);
    advance(net_settings.header_timeout_ms - 100);
    peer_send(&peer, "TP/1.1\r\n"); /* a trickle does not help */
    turns(3);
    advance(200);
    peer_expect_end(&peer);
    assert_true(peer_has(&peer, "HTTP/1.1 408 "));
    expect_log("refuse 408 the request did not arrive in time|");
}

static void a_body_must_arrive_in_time(void **state)
{
    (void)state;
    peer_send(&peer, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbo");
    turns(3);
    advance(net_settings.body_timeout_ms - 100);
    peer_send(&peer, "d");
    turns(3);
    assert_false(peer_has(&peer, "408"));
    advance(200);
    peer_expect(&peer, "HTTP/1.1 408 ");
}

static void an_answer_may_take_its_time(void **state)
{
    (void)state;
    user.answers_later = true;
    peer_send(&peer, GET_1);
    turns(3);
    advance(3600000);
    respond(user.waiting, "at last");
    peer_expect(&peer, "at last");
}

static void an_idle_connection_is_closed_silently(void **state)
{
    (void)state;
    peer_send(&peer, GET_1);
    peer_expect(&peer, "ok");
    peer_forget(&peer);
    advance(net_settings.keep_alive_timeout_ms - 100);
    peer_send(&peer, GET_1);
    peer_expect(&peer, "ok");
    peer_forget(&peer);
    advance(net_settings.keep_alive_timeout_ms - 100);
    assert_false(peer.has_ended);
    advance(200);
    peer_expect_end(&peer);
    assert_int_equal(peer.got.n, 0);
}

static void an_answer_that_is_being_read_keeps_the_connection(void **state)
{
    (void)state;
    static char bytes[65536];
    net_settings.keep_alive_timeout_ms = 1000;
    net_settings.body_timeout_ms = 5000;
    user.on_request = respond_large;
    for (int i = 0; i < 1000; i++) {
        (void)!send(peer.fd, GET_1, strlen(GET_1), MSG_NOSIGNAL);
        turns(1);
    }
    for (int i = 0; i < 20; i++) { /* slowly, but on and on */
        size_t unsent = conn_unsent(user.waiting);
        assert_true(unsent > 0);
        while (conn_unsent(user.waiting) == unsent) {
            (void)recv(peer.fd, bytes, sizeof bytes, 0);
            turns(1);
        }
        advance(900);
    }
    assert_int_equal(conn_count(), 1);
    advance(5100);
    assert_int_equal(conn_count(), 0);
    assert_true(metric_value("http_slow_readers_total") == 1);
}

/* --- draining --- */

static void draining_closes_idle_connections_and_finishes_the_others(void **state)
{
    (void)state;
    struct peer answered, reading;
    open_peer(&answered);
    open_peer(&reading);
    user.answers_later = true;
    peer_send(&answered, GET_1);
    turns(3);
    struct conn *waiting = user.waiting;
    peer_send(&reading, "GET /2 HTTP/1.1\r\n");
    turns(3);
    http_drain();
    peer_expect_end(&peer);
    assert_int_equal(peer.got.n, 0);
    respond(waiting, "last");
    peer_expect_end(&answered);
    assert_true(peer_has(&answered, "Connection: close"));
    assert_true(peer_has(&answered, "last"));
    peer_send(&reading, "Host: x\r\n\r\n");
    turns(3);
    respond(user.waiting, "last");
    peer_expect_end(&reading);
    assert_true(peer_has(&reading, "Connection: close"));
    peer_done(&answered);
    peer_done(&reading);
}

/* --- leaving HTTP --- */

static struct buf after_upgrade;

static size_t other_received(struct conn *c, char *p, size_t n)
{
    (void)c;
    buf_add(&after_upgrade, p, n);
    return n;
}

static void other_closed(struct conn *c)
{
    (void)c;
}

static void leave(struct conn *c, const struct http_request *r)
{
    static const struct conn_protocol other = {.received = other_received, .closed = other_closed};
    assert_true(r->wants_upgrade);
    http_leave(c, &other, NULL);
}

static void what_follows_an_upgrade_goes_to_the_new_protocol(void **state)
{
    (void)state;
    user.on_request = leave;
    peer_send(&peer, "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfr");
    turns(5);
    peer_send(&peer, "ames");
    while (after_upgrade.n < 6)
        turns(1);
    assert_memory_equal(after_upgrade.p, "frames", 6);
    advance(3600000); /* HTTP's timers are off */
    assert_int_equal(conn_count(), 1);
    buf_done(&after_upgrade);
}

static void an_idle_connection_keeps_little_memory(void **state)
{
    (void)state;
    struct buf text = {0};
    buf_addz(&text, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n");
    for (int i = 0; i < 60000; i++)
        buf_addc(&text, 'a');
    peer_send_bytes(&peer, text.p, text.n);
    peer_expect(&peer, "ok");
    turns(3);
    assert_null(user.waiting->in.p);
    assert_null(user.waiting->out.p);
    buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_answer_has_its_headers),
        TEST(an_answer_without_a_body_has_no_body_headers),
        TEST(head_tells_the_length_without_the_body),
        TEST(the_date_moves_with_the_clock),
        TEST(pipelined_requests_are_answered_in_order_one_at_a_time),
        TEST(requests_byte_by_byte_are_answered_once_each),
        TEST(a_flood_of_requests_leaves_turns_to_others),
        TEST(unread_answers_keep_the_next_request_waiting),
        TEST(a_client_that_reads_nothing_is_cut),
        TEST(a_client_that_does_not_read_the_last_answer_is_cut),
        TEST(close_is_honoured),
        TEST(http_1_0_ends_after_the_answer),
        TEST(a_client_that_leaves_while_it_is_answered_is_told_of),
        TEST(a_half_closed_client_has_left),
        TEST(gone_is_for_unanswered_requests_only),
        TEST(a_bad_request_is_answered_once_and_closed),
        TEST(a_bad_request_after_good_ones_is_answered_in_its_turn),
        TEST(limits_have_their_status),
        TEST(an_upload_above_the_limit_can_read_why),
        TEST(a_client_that_asks_is_told_to_go_on),
        TEST(a_client_that_sends_the_body_along_needs_no_word),
        TEST(a_connection_without_a_request_is_closed),
        TEST(headers_must_arrive_in_time),
        TEST(a_body_must_arrive_in_time),
        TEST(an_answer_may_take_its_time),
        TEST(an_idle_connection_is_closed_silently),
        TEST(an_answer_that_is_being_read_keeps_the_connection),
        TEST(draining_closes_idle_connections_and_finishes_the_others),
        TEST(what_follows_an_upgrade_goes_to_the_new_protocol),
        TEST(an_idle_connection_keeps_little_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
