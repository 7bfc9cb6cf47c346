/* iceServers: what a browser gets for each way of configuring STUN and TURN. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "conversation/codec/ice_servers.h"

#define USER   "550e8400-e29b-41d4-a716-446655440000"
#define NOW_MS 1736937000999LL

static void expect(struct ice_servers servers, const char *expected)
{
    struct buf out = {0};
    struct jsonw w = jsonw_on(&out);
    struct uuid user;
    assert_true(uuid_parse(STR(USER), &user));
    ice_servers_write(&w, &servers, &user, NOW_MS);
    jsonw_finish(&w);
    buf_addc(&out, '\0');
    assert_string_equal(out.p, expected);
    buf_done(&out);
}

#define NONE .stun_urls = "", .turn_urls = "", .username = "", .credential = "", .secret = ""

/* Overriding a designated initialiser is the point here: every server starts as NONE. */
#pragma GCC diagnostic ignored "-Woverride-init"

static void writes_nothing_when_nothing_is_configured(void **state)
{
    (void)state;
    expect((struct ice_servers){NONE}, "[]");
    expect((struct ice_servers){NONE, .username = "u", .credential = "c", .secret = "s", .ttl_seconds = 60},
           "[]");
}

static void writes_all_urls_of_stun(void **state)
{
    (void)state;
    expect((struct ice_servers){NONE, .stun_urls = "stun:stun.example:3478"},
           "[{\"urls\":[\"stun:stun.example:3478\"]}]");
    expect((struct ice_servers){NONE, .stun_urls = " stun:a.example , stun:b.example,,"},
           "[{\"urls\":[\"stun:a.example\",\"stun:b.example\"]}]");
}

static void stun_never_carries_credentials(void **state)
{
    (void)state;
    expect(
        (struct ice_servers){NONE, .stun_urls = "stun:a.example", .secret = "north-star", .ttl_seconds = 60},
        "[{\"urls\":[\"stun:a.example\"]}]");
}

static void writes_fixed_credentials(void **state)
{
    (void)state;
    expect((struct ice_servers){NONE, .stun_urls = "stun:a.example",
                                .turn_urls = "turn:t.example?transport=udp,turns:t.example:443",
                                .username = "learner", .credential = "a\"b"},
           "[{\"urls\":[\"stun:a.example\"]},"
           "{\"urls\":[\"turn:t.example?transport=udp\",\"turns:t.example:443\"],\"username\":\"learner\","
           "\"credential\":\"a\\\"b\"}]");
    expect((struct ice_servers){NONE, .turn_urls = "turn:open.example"},
           "[{\"urls\":[\"turn:open.example\"]}]");
}

/* The credentials are Python's: base64.b64encode(hmac.new(secret, username, hashlib.sha1).digest()) */
static void makes_time_limited_credentials(void **state)
{
    (void)state;
    expect((struct ice_servers){NONE, .turn_urls = "turn:t.example,turns:t.example", .secret = "north-star",
                                .ttl_seconds = 3600},
           "[{\"urls\":[\"turn:t.example\",\"turns:t.example\"],\"username\":\"1736940600:" USER
           "\",\"credential\":\"1THURIs1ss3h4DEcfhd5xU+OeEw=\"}]");
}

static void takes_a_secret_longer_than_the_hash_block_and_prefers_it(void **state)
{
    (void)state;
    char secret[101] = "";
    memset(secret, 'k', 100);
    expect((struct ice_servers){NONE, .turn_urls = "turn:t.example", .username = "fixed",
                                .credential = "fixed", .secret = secret, .ttl_seconds = 86400},
           "[{\"urls\":[\"turn:t.example\"],\"username\":\"1737023400:" USER
           "\",\"credential\":\"rKriHuIlhPQyEChl9aMFnpXohgY=\"}]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_nothing_when_nothing_is_configured),
        cmocka_unit_test(writes_all_urls_of_stun),
        cmocka_unit_test(stun_never_carries_credentials),
        cmocka_unit_test(writes_fixed_credentials),
        cmocka_unit_test(makes_time_limited_credentials),
        cmocka_unit_test(takes_a_secret_longer_than_the_hash_block_and_prefers_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
