/* Connections counted by peer: which addresses are one peer, and that nothing is kept of those that left. */
#include "unit/net/net_fixture.h"

#include "net/sources.h"

static int set_up(void **state)
{
    (void)state;
    net_settings = net_settings_default;
    net_settings.max_connections_per_address = 1;
    return 0;
}

static struct sockaddr_storage address(const char *text)
{
    struct sockaddr_storage a = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&a;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&a;
    a.ss_family = AF_INET;
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
        return a;
    a.ss_family = AF_INET6;
    assert_int_equal(inet_pton(AF_INET6, text, &v6->sin6_addr), 1);
    return a;
}

static void expect_same(const char *one, const char *other, bool is_same)
{
    struct source *first, *second;
    struct sockaddr_storage a = address(one), b = address(other);
    assert_true(source_take(&a, &first));
    assert_int_equal(source_take(&b, &second), !is_same);
    source_release(first);
    source_release(second);
    assert_true(source_take(&b, &second));
    source_release(second);
}

static void an_ipv4_address_is_one_peer(void **state)
{
    (void)state;
    expect_same("192.0.2.1", "192.0.2.1", true);
    expect_same("192.0.2.1", "192.0.2.2", false);
    expect_same("192.0.2.1", "::ffff:192.0.2.1", true);
    expect_same("192.0.2.1", "::ffff:192.0.2.2", false);
}

static void a_64_of_ipv6_is_one_peer(void **state)
{
    (void)state;
    expect_same("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true);
    expect_same("2001:db8:0:1::1", "2001:db8:0:2::1", false);
    expect_same("::1", "127.0.0.1", false);
}

static void connections_are_counted_until_they_close(void **state)
{
    (void)state;
    struct source *sources[5], *more;
    struct sockaddr_storage a = address("192.0.2.1");
    net_settings.max_connections_per_address = 5;
    for (int i = 0; i < 5; i++)
        assert_true(source_take(&a, &sources[i]));
    assert_false(source_take(&a, &more));
    assert_null(more);
    source_release(sources[0]);
    assert_true(source_take(&a, &sources[0]));
    for (int i = 0; i < 5; i++)
        source_release(sources[i]);
}

static void without_a_limit_nothing_is_counted(void **state)
{
    (void)state;
    struct source *s;
    struct sockaddr_storage a = address("192.0.2.1");
    net_settings.max_connections_per_address = 0;
    for (int i = 0; i < 10; i++) {
        assert_true(source_take(&a, &s));
        assert_null(s);
    }
    source_release(NULL);
}

static void many_peers_are_told_apart(void **state)
{
    (void)state;
    enum { MANY = 1000 };
    static struct source *sources[MANY];
    struct source *more;
    for (int i = 0; i < MANY; i++) {
        char text[32];
        snprintf(text, sizeof text, "10.0.%d.%d", i / 256, i % 256);
        struct sockaddr_storage a = address(text);
        assert_true(source_take(&a, &sources[i]));
        assert_false(source_take(&a, &more));
    }
    for (int i = 0; i < MANY; i++)
        source_release(sources[i]);
}

static void the_log_names_the_peer(void **state)
{
    (void)state;
    static const struct {
        const char *address, *text;
    } cases[] = {{"192.0.2.1", "192.0.2.1"},
                 {"::ffff:192.0.2.1", "192.0.2.1"},
                 {"2001:db8:0:1:2:3:4:5", "2001:db8:0:1::/64"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[SOURCE_TEXT_MAX];
        struct sockaddr_storage a = address(cases[i].address);
        source_format(&a, text);
        assert_string_equal(text, cases[i].text);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        TEST(an_ipv4_address_is_one_peer),
        TEST(a_64_of_ipv6_is_one_peer),
        TEST(connections_are_counted_until_they_close),
        TEST(without_a_limit_nothing_is_counted),
        TEST(many_peers_are_told_apart),
        TEST(the_log_names_the_peer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
