/* Connections over real sockets: buffers, pauses, the order of closing, peers that vanish. */
#include "unit/net/net_fixture.h"

#include <sys/resource.h>

/* A protocol that logs what it is given and does what the test asks for. */
static struct {
    struct buf got;
    int offered, sent, stuck, closed;
    size_t takes; /* of each offer at most, 0: all */
    bool takes_nothing, pauses;
    void (*in_received)(struct conn *c);
    void (*in_closed)(struct conn *c);
} user;

static size_t received(struct conn *c, char *p, size_t n)
{
    user.offered++;
    if (user.takes_nothing)
        return 0;
    size_t taken = user.takes && user.takes < n ? user.takes : n;
    buf_add(&user.got, p, taken);
    if (user.pauses)
        conn_pause(c);
    if (user.in_received)
        user.in_received(c);
    return taken;
}

static void sent(struct conn *c)
{
    (void)c;
    user.sent++;
}

static void stuck(struct conn *c)
{
    (void)c;
    user.stuck++;
}

static void closed(struct conn *c)
{
    user.closed++;
    if (user.in_closed)
        user.in_closed(c);
}

static const struct conn_protocol protocol = {received, sent, stuck, closed};

static struct peer peer;
static struct conn *conn;

static int set_up(void **state)
{
    int fd;
    (void)state;
    memset(&user, 0, sizeof user);
    edge_set_up();
    peer = (struct peer){0};
    connect_pair(&peer.fd, &fd);
    conn = conn_new(fd, &protocol, NULL);
    assert_non_null(conn);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    edge_tear_down();
    assert_int_equal(conn_count(), 0);
    assert_int_equal(user.closed, 1); /* exactly once, whatever happened */
    peer_done(&peer);
    buf_done(&user.got);
    return 0;
}

static void write_text(struct conn *c, const char *text)
{
    struct str part = str_of(text);
    assert_true(conn_write(c, &part, 1, SIZE_MAX));
}

static void expect_got(const char *text)
{
    double until = real_seconds() + WAIT_S;
    while (user.got.n < strlen(text) && real_seconds() < until)
        peer_pump(&peer);
    assert_int_equal(user.got.n, strlen(text));
    assert_memory_equal(user.got.p, text, user.got.n);
}

/* --- writing --- */

static void what_is_written_in_a_turn_is_sent_at_its_end(void **state)
{
    (void)state;
    char byte;
    write_text(conn, "a");
    write_text(conn, "b");
    assert_int_equal(conn_unsent(conn), 2);
    assert_int_equal(recv(peer.fd, &byte, 1, 0), -1);
    peer_expect(&peer, "ab");
    assert_int_equal(conn_unsent(conn), 0);
    assert_int_equal(user.sent, 1);
    assert_null(conn->out.p); /* an idle connection keeps no buffer */
}

/* So that a connection that is busy does not allocate for each message. */
static void a_small_buffer_serves_whoever_writes_next(void **state)
{
    (void)state;
    write_text(conn, "first");
    const char *buffer = conn->out.p;
    peer_expect(&peer, "first");
    assert_null(conn->out.p);
    write_text(conn, "second");
    assert_ptr_equal(conn->out.p, buffer);
    peer_expect(&peer, "second");
    user.takes_nothing = true;
    peer_send(&peer, "part of a message");
    while (user.offered < 1)
        turns(1);
    assert_ptr_equal(conn->in.p, buffer);
}

static void a_large_buffer_is_not_kept(void **state)
{
    (void)state;
    static char large[8192];
    struct str part = {large, sizeof large};
    write_text(conn, "small");
    assert_true(conn_write(conn, &part, 1, SIZE_MAX));
    turns(2);
    assert_int_equal(conn_unsent(conn), 0);
    write_text(conn, "small");
    assert_true(conn->out.cap < sizeof large);
}

static void a_write_above_the_limit_adds_nothing(void **state)
{
    (void)state;
    struct str ten = STR("0123456789");
    assert_true(conn_write(conn, &ten, 1, 10));
    assert_false(conn_write(conn, &ten, 1, 19));
    assert_int_equal(conn_unsent(conn), 10);
    assert_true(conn_write(conn, &ten, 1, 20));
}

/* Fills the kernel's buffers until bytes stay here. */
static size_t write_until_unsent(size_t least)
{
    static char chunk[65536];
    size_t total = 0;
    struct str part = {chunk, sizeof chunk};
    while (conn_unsent(conn) < least) {
        assert_true(conn_write(conn, &part, 1, SIZE_MAX));
        total += sizeof chunk;
        turns(1);
    }
    return total;
}

static void a_slow_peer_gets_everything(void **state)
{
    (void)state;
    size_t total = write_until_unsent(1000000);
    while (peer.got.n < total)
        peer_pump(&peer);
    turns(2);
    assert_int_equal(user.sent >= 1, 1);
    assert_int_equal(conn_unsent(conn), 0);
    advance(1000000);
    assert_int_equal(user.closed, 0); /* nothing waits: the progress timer is off */
}

static void the_buffer_of_a_peer_that_never_catches_up_stays_bounded(void **state)
{
    (void)state;
    static char chunk[32768];
    struct str part = {chunk, sizeof chunk};
    write_until_unsent(262144);
    size_t most = 0;
    for (int i = 0; i < 2000; i++) {
        ssize_t n = recv(peer.fd, chunk, sizeof chunk, 0); /* as fast as it is written, never faster */
        turns(1);
        if (n > 0)
            (void)conn_write(conn, &part, 1, 524288);
        if (conn->out.cap > most)
            most = conn->out.cap;
    }
    assert_true(conn_unsent(conn) > 0);
    assert_in_range(most, 1, 2 * 1024 * 1024);
}

static void a_peer_that_takes_nothing_is_stuck_and_closed(void **state)
{
    (void)state;
    write_until_unsent(1);
    advance(net_settings.body_timeout_ms - 100);
    assert_int_equal(user.stuck, 0);
    advance(200);
    assert_int_equal(user.stuck, 1);
    assert_int_equal(user.closed, 1);
}

static void so_is_one_that_takes_no_last_words(void **state)
{
    (void)state;
    write_until_unsent(1);
    conn_finish(conn);
    assert_int_equal(user.closed, 1);
    advance(net_settings.body_timeout_ms + 100);
    assert_int_equal(user.stuck, 1);
    assert_int_equal(conn_count(), 0);
}

static void progress_starts_the_time_anew(void **state)
{
    (void)state;
    static char bytes[65536];
    write_until_unsent(8000000);
    for (int i = 0; i < 3; i++) {
        advance(net_settings.body_timeout_ms - 100);
        size_t before = conn_unsent(conn);
        while (conn_unsent(conn) == before) {
            (void)recv(peer.fd, bytes, sizeof bytes, 0);
            turns(1);
        }
    }
    assert_int_equal(user.stuck, 0);
}

/* --- reading --- */

static void what_is_not_taken_comes_again_longer(void **state)
{
    (void)state;
    user.takes_nothing = true;
    peer_send(&peer, "abc");
    while (user.offered < 1)
        turns(1);
    user.takes_nothing = false;
    peer_send(&peer, "def");
    expect_got("abcdef");
    assert_null(conn->in.p);
}

static void a_protocol_may_take_piece_by_piece(void **state)
{
    (void)state;
    user.takes = 2;
    peer_send(&peer, "abcde");
    expect_got("abcde");
    assert_int_equal(user.offered, 3);
}

static void paused_it_offers_nothing_until_resumed(void **state)
{
    (void)state;
    user.takes = 1;
    user.pauses = true;
    peer_send(&peer, "ab");
    expect_got("a");
    turns(5);
    assert_int_equal(user.got.n, 1);
    conn_resume(conn);
    assert_int_equal(user.got.n, 1); /* not inside the call */
    expect_got("ab");
    conn_resume(conn);
    conn_pause(conn); /* takes the resume back */
    peer_send(&peer, "c");
    turns(5);
    expect_got("ab");
    conn_resume(conn);
    expect_got("abc");
}

static void paused_it_keeps_a_bounded_number_of_bytes(void **state)
{
    (void)state;
    static char bytes[4096];
    conn_pause(conn);
    size_t total = 0;
    for (int i = 0; i < 20000; i++) {
        ssize_t n = send(peer.fd, bytes, sizeof bytes, MSG_NOSIGNAL);
        total += n > 0 ? (size_t)n : 0;
        turns(1);
    }
    assert_in_range(conn->in.n, 65536, 131072);
    conn_resume(conn);
    while (user.got.n < total)
        turns(1);
    assert_int_equal(user.got.n, total);
}

static void paused_it_notices_that_the_peer_leaves(void **state)
{
    (void)state;
    conn_pause(conn);
    peer_send(&peer, "abc");
    close(peer.fd);
    peer.fd = -1;
    turns(5);
    assert_int_equal(user.closed, 1);
}

static const struct conn_protocol other = {.received = received, .closed = closed};

static void change_protocol(struct conn *c)
{
    user.in_received = NULL;
    user.takes = 0;
    conn_set_protocol(c, &other, &user);
}

static void a_new_protocol_gets_the_bytes_in_hand(void **state)
{
    (void)state;
    user.takes = 3;
    user.in_received = change_protocol;
    peer_send(&peer, "oldnew");
    expect_got("oldnew");
    assert_int_equal(user.offered, 2);
    assert_ptr_equal(conn->data, &user);
}

/* --- closing --- */

static void finish_sends_what_is_written_then_ends(void **state)
{
    (void)state;
    write_text(conn, "goodbye");
    conn_finish(conn);
    assert_int_equal(user.closed, 1); /* the protocol is out at once */
    write_text(conn, "too late");
    peer_expect_end(&peer);
    assert_true(buf_str(&peer.got).n == 7);
    assert_false(peer.was_reset);
    assert_int_equal(conn_count(), 1); /* lingers for the peer */
    close(peer.fd);
    peer.fd = -1;
    turns(3);
    assert_int_equal(conn_count(), 0);
}

static void a_peer_that_still_sends_can_read_the_answer(void **state)
{
    (void)state;
    static char bytes[1000000];
    write_text(conn, "enough");
    conn_finish(conn);
    peer_send_bytes(&peer, bytes,
                    sizeof bytes); /* unread, it would cause a reset that takes the answer away */
    peer_expect(&peer, "enough");
    peer_expect_end(&peer);
    assert_false(peer.was_reset);
}

static void lingering_ends_by_itself(void **state)
{
    (void)state;
    conn_finish(conn);
    turns(2);
    advance(1900);
    assert_int_equal(conn_count(), 1);
    advance(200);
    assert_int_equal(conn_count(), 0);
    assert_int_equal(user.stuck, 0);
}

static void a_peer_that_ends_its_side_still_gets_what_is_written(void **state)
{
    (void)state;
    size_t total = write_until_unsent(500000);
    shutdown(peer.fd, SHUT_WR);
    turns(3);
    assert_int_equal(user.closed, 1);
    while (!peer.has_ended)
        peer_pump(&peer);
    assert_int_equal(peer.got.n, total);
    turns(2);
    assert_int_equal(conn_count(), 0);
}

static void a_peer_that_ends_its_side_ends_the_connection(void **state)
{
    (void)state;
    shutdown(peer.fd, SHUT_WR);
    peer_expect_end(&peer);
    assert_int_equal(user.closed, 1);
    assert_int_equal(conn_count(), 0);
}

static void reset(int fd)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(fd);
}

static void a_reset_is_the_end(void **state)
{
    (void)state;
    reset(peer.fd);
    peer.fd = -1;
    turns(5);
    assert_int_equal(user.closed, 1);
    assert_int_equal(conn_count(), 0);
}

static void a_reset_after_bytes_is_the_end_too(void **state)
{
    (void)state;
    conn_pause(conn);
    peer_send(&peer, "bytes that nobody reads");
    reset(peer.fd);
    peer.fd = -1;
    turns(10);
    assert_int_equal(user.closed, 1);
}

static void writing_to_a_peer_that_is_gone_closes(void **state)
{
    (void)state;
    write_until_unsent(1);
    reset(peer.fd);
    peer.fd = -1;
    turns(5);
    assert_int_equal(user.closed, 1);
    assert_int_equal(user.stuck, 0);
}

static void closing_works_inside_received(void **state)
{
    (void)state;
    user.in_received = conn_close;
    user.takes = 1;
    peer_send(&peer, "abc");
    peer_expect_end(&peer);
    assert_int_equal(user.got.n, 1);
}

static void finishing_works_inside_received(void **state)
{
    (void)state;
    user.in_received = conn_finish;
    user.takes = 1;
    peer_send(&peer, "abc");
    peer_expect_end(&peer);
    assert_int_equal(user.got.n, 1);
}

static void closing_works_inside_closed(void **state)
{
    (void)state;
    user.in_closed = conn_close;
    conn_finish(conn);
    turns(2);
    assert_int_equal(user.closed, 1);
    assert_int_equal(conn_count(), 0);
}

static void finishing_twice_is_harmless(void **state)
{
    (void)state;
    user.in_closed = conn_finish;
    conn_finish(conn);
    conn_finish(conn);
    conn_close(conn);
    conn_close(conn);
    conn_resume(conn);
    turns(3);
    assert_int_equal(conn_count(), 0);
}

#define MANY 2000

/* Each connection takes two descriptors here. */
static void allow_many_descriptors(void)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void thousands_of_connections(void **state)
{
    (void)state;
    static struct peer peers[MANY];
    static struct conn *conns[MANY];
    allow_many_descriptors();
    for (int i = 0; i < MANY; i++) {
        int fd;
        peers[i] = (struct peer){0};
        connect_pair(&peers[i].fd, &fd);
        conns[i] = conn_new(fd, &protocol, NULL);
    }
    assert_int_equal(conn_count(), MANY + 1);
    for (int i = 0; i < MANY; i++)
        write_text(conns[i], "hello");
    for (int i = 0; i < MANY; i++)
        peer_expect(&peers[i], "hello");
    for (int i = 0; i < MANY; i += 2)
        close(peers[i].fd);
    double until = real_seconds() + WAIT_S;
    while (conn_count() > MANY / 2 + 1 && real_seconds() < until)
        turns(1);
    assert_int_equal(conn_count(), MANY / 2 + 1);
    conn_close_all();
    assert_int_equal(conn_count(), 0);
    assert_int_equal(user.closed, MANY + 1);
    for (int i = 0; i < MANY; i++) {
        if (i % 2 == 0)
            peers[i].fd = -1;
        peer_done(&peers[i]);
    }
    user.closed = 1; /* for tear_down: each one once */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_is_written_in_a_turn_is_sent_at_its_end),
        TEST(a_small_buffer_serves_whoever_writes_next),
        TEST(a_large_buffer_is_not_kept),
        TEST(a_write_above_the_limit_adds_nothing),
        TEST(a_slow_peer_gets_everything),
        TEST(the_buffer_of_a_peer_that_never_catches_up_stays_bounded),
        TEST(a_peer_that_takes_nothing_is_stuck_and_closed),
        TEST(so_is_one_that_takes_no_last_words),
        TEST(progress_starts_the_time_anew),
        TEST(what_is_not_taken_comes_again_longer),
        TEST(a_protocol_may_take_piece_by_piece),
        TEST(paused_it_offers_nothing_until_resumed),
        TEST(paused_it_keeps_a_bounded_number_of_bytes),
        TEST(paused_it_notices_that_the_peer_leaves),
        TEST(a_new_protocol_gets_the_bytes_in_hand),
        TEST(finish_sends_what_is_written_then_ends),
        TEST(a_peer_that_still_sends_can_read_the_answer),
        TEST(lingering_ends_by_itself),
        TEST(a_peer_that_ends_its_side_still_gets_what_is_written),
        TEST(a_peer_that_ends_its_side_ends_the_connection),
        TEST(a_reset_is_the_end),
        TEST(a_reset_after_bytes_is_the_end_too),
        TEST(writing_to_a_peer_that_is_gone_closes),
        TEST(closing_works_inside_received),
        TEST(finishing_works_inside_received),
        TEST(closing_works_inside_closed),
        TEST(finishing_twice_is_harmless),
        TEST(thousands_of_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
