/* Listening sockets: ports, addresses, the cap, and running out of descriptors. */
#include "unit/net/net_fixture.h"

#include <sys/resource.h>
#include <sys/syscall.h>

#include "conversation/net/http.h"
#include "conversation/net/listener.h"

static struct conn *last;

static void on_request(struct conn *c, const struct http_request *r)
{
    (void)r;
    last = c;
    http_respond(c, &(struct http_response){.status = 200, .content_type = "text/plain", .body = STR("ok")});
}

static void on_refuse(struct conn *c, const struct http_request *r, enum err err, const char *reason)
{
    (void)err;
    (void)reason;
    on_request(c, r);
}

static int set_up(void **state)
{
    static const struct http_user user = {.request = on_request, .refuse = on_refuse};
    (void)state;
    edge_set_up();
    http_init(&user);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    listener_close_all();
    edge_tear_down();
    return 0;
}

static int listen_on(struct listener_setup setup)
{
    const char *problem = NULL;
    if (!listener_open(&setup, &problem))
        fail_msg("cannot listen: %s", problem);
    return listener_last_port();
}

static int listen_for_api(void)
{
    return listen_on((struct listener_setup){.address = "127.0.0.1", .serves_api = true});
}

static struct peer connect_to(int port)
{
    struct peer p;
    assert_true(try_connect(&p, port));
    return p;
}

static void ask(struct peer *p)
{
    peer_send(p, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    peer_expect(p, "\r\n\r\nok");
}

static void connections_know_what_their_port_serves(void **state)
{
    (void)state;
    int api = listen_for_api();
    int ops = listen_on((struct listener_setup){.address = "127.0.0.1", .serves_ops = true});
    assert_int_equal(listener_port(), api);
    struct peer a = connect_to(api), o = connect_to(ops);
    ask(&a);
    assert_true(last->on_api_port && !last->on_ops_port);
    ask(&o);
    assert_true(last->on_ops_port && !last->on_api_port);
    peer_done(&a);
    peer_done(&o);
}

static void ipv6_any_takes_ipv4_too(void **state)
{
    (void)state;
    struct peer p = connect_to(listen_on((struct listener_setup){.address = "::", .serves_api = true}));
    ask(&p);
    peer_done(&p);
}

static void what_cannot_be_listened_on_is_explained(void **state)
{
    (void)state;
    const char *problem = NULL;
    int port = listen_for_api();
    struct listener_setup taken = {.address = "127.0.0.1", .port = port, .serves_api = true};
    assert_false(listener_open(&taken, &problem));
    assert_string_equal(problem, strerror(EADDRINUSE));
    struct listener_setup bad = {.address = "no address", .serves_api = true};
    assert_false(listener_open(&bad, &problem));
    assert_string_equal(problem, strerror(EINVAL));
    assert_int_equal(listener_port(), port);
}

static void above_the_cap_connections_are_closed_and_counted(void **state)
{
    (void)state;
    struct peer in[3], out[2];
    net_settings.max_connections = 3;
    int port = listen_for_api();
    int ops = listen_on((struct listener_setup){.address = "127.0.0.1", .serves_ops = true});
    for (int i = 0; i < 3; i++) {
        in[i] = connect_to(port);
        ask(&in[i]);
    }
    for (int i = 0; i < 2; i++) {
        out[i] = connect_to(port);
        peer_expect_end(&out[i]);
        assert_true(peer_has(&out[i], "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n"));
        assert_false(out[i].was_reset);
        peer_done(&out[i]);
    }
    assert_true(metric_value("http_connections_refused_total{reason=\"limit\"}") == 2);
    assert_int_equal(conn_count(), 3);
    struct peer probe = connect_to(ops); /* health can be asked for all the same */
    ask(&probe);
    peer_done(&probe);
    peer_done(&in[0]);
    turns(3);
    struct peer again = connect_to(port);
    ask(&again);
    peer_done(&again);
    peer_done(&in[1]);
    peer_done(&in[2]);
}

static struct rlimit descriptors;

static void allow_descriptors(rlim_t count)
{
    struct rlimit limit = {.rlim_cur = count, .rlim_max = descriptors.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static int accepts;

/* In the place of libc's. */
int accept4(int fd, struct sockaddr *restrict peer, socklen_t *restrict n, int flags)
{
    accepts++;
    return (int)syscall(SYS_accept4, fd, peer, n, flags);
}

static void without_descriptors_clients_are_told(void **state)
{
    (void)state;
    int port = listen_for_api();
    struct peer old = connect_to(port), refused, late;
    ask(&old);
    assert_true(try_connect(&refused, port)); /* the kernel accepts it; the process cannot */
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &descriptors), 0);
    allow_descriptors((rlim_t)refused.fd + 1);
    accepts = 0;
    peer_expect_end(&refused);
    assert_in_range(accepts, 2, 4); /* it stops when nobody waits */
    assert_true(peer_has(&refused, "HTTP/1.1 503 Service Unavailable\r\n"));
    assert_true(metric_value("http_connections_refused_total{reason=\"descriptors\"}") == 1);
    peer_forget(&old);
    ask(&old); /* the others go on */
    allow_descriptors(descriptors.rlim_cur);
    late = connect_to(port);
    ask(&late);
    peer_done(&old);
    peer_done(&refused);
    peer_done(&late);
}

static void without_even_the_one_in_reserve_connections_wait(void **state)
{
    (void)state;
    int port = listen_for_api();
    struct peer old = connect_to(port), waiting;
    ask(&old);
    assert_true(try_connect(&waiting, port));
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &descriptors), 0);
    allow_descriptors(0);
    turns(10);
    assert_int_equal(conn_count(), 1);
    peer_forget(&old);
    ask(&old);
    allow_descriptors(descriptors.rlim_cur);
    turns(10);
    assert_int_equal(conn_count(), 1); /* not asked for all the time */
    advance(200);
    ask(&waiting);
    peer_done(&old);
    peer_done(&waiting);
}

static struct peer connect_from(const char *address, int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET},
                       to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct peer p = {.fd = socket(AF_INET, SOCK_STREAM, 0)};
    inet_pton(AF_INET, address, &a.sin_addr);
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    assert_int_equal(bind(p.fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(connect(p.fd, (struct sockaddr *)&to, sizeof to), 0);
    set_nonblocking(p.fd);
    return p;
}

static void an_address_has_its_share(void **state)
{
    (void)state;
    struct peer in[2], out;
    net_settings.max_connections_per_address = 2;
    int port =
        listen_on((struct listener_setup){.address = "::", .serves_api = true}); /* IPv4 comes mapped */
    for (int i = 0; i < 2; i++) {
        in[i] = connect_from("127.0.0.1", port);
        ask(&in[i]);
    }
    out = connect_from("127.0.0.1", port);
    peer_expect_end(&out);
    assert_true(peer_has(&out, "HTTP/1.1 503 "));
    assert_true(metric_value("http_connections_refused_total{reason=\"address\"}") == 1);
    struct peer neighbour = connect_from("127.0.0.2", port);
    ask(&neighbour);
    peer_done(&in[0]);
    turns(3);
    peer_done(&out);
    out = connect_from("127.0.0.1", port);
    ask(&out);
    peer_done(&in[1]);
    peer_done(&out);
    peer_done(&neighbour);
}

static void a_port_for_operations_counts_no_addresses(void **state)
{
    (void)state;
    struct peer probes[3];
    net_settings.max_connections_per_address = 1;
    int port = listen_on((struct listener_setup){.address = "127.0.0.1", .serves_ops = true});
    for (int i = 0; i < 3; i++) {
        probes[i] = connect_to(port);
        ask(&probes[i]);
    }
    for (int i = 0; i < 3; i++)
        peer_done(&probes[i]);
}

static void closed_it_refuses_and_the_open_go_on(void **state)
{
    (void)state;
    int port = listen_for_api();
    struct peer open = connect_to(port), late;
    ask(&open);
    listener_close_all();
    assert_false(try_connect(&late, port));
    peer_done(&late);
    peer_forget(&open);
    ask(&open);
    peer_done(&open);
    listener_close_all();
}

static void many_at_once_are_all_accepted(void **state)
{
    (void)state;
    struct peer peers[200];
    int port = listen_for_api();
    for (int i = 0; i < 200; i++)
        peers[i] = connect_to(port);
    for (int i = 0; i < 200; i++) {
        ask(&peers[i]);
        peer_done(&peers[i]);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(connections_know_what_their_port_serves),
        TEST(ipv6_any_takes_ipv4_too),
        TEST(what_cannot_be_listened_on_is_explained),
        TEST(above_the_cap_connections_are_closed_and_counted),
        TEST(without_descriptors_clients_are_told),
        TEST(without_even_the_one_in_reserve_connections_wait),
        TEST(an_address_has_its_share),
        TEST(a_port_for_operations_counts_no_addresses),
        TEST(closed_it_refuses_and_the_open_go_on),
        TEST(many_at_once_are_all_accepted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
