/* ICE candidates: what browsers send passes, and each thing that may be wrong is named. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "conversation/codec/sdp.h"
#include "unit/codec/ice_oracle.h"
#include "unit/domain/requests.h" /* random_below */

static const char *const accepted[] = {
    "", /* end of candidates */
    /* Chrome */
    "candidate:1467250027 1 udp 2122260223 192.168.0.196 46243 typ host generation 0 ufrag Xk4j network-id 1 "
    "network-cost 10",
    "candidate:1853887674 1 udp 1518280447 47.61.61.61 36768 typ srflx raddr 192.168.0.196 rport 36768 "
    "generation 0 "
    "ufrag Xk4j network-id 1 network-cost 999",
    "candidate:842163049 1 udp 1677729535 198.51.100.7 61000 typ srflx raddr 0.0.0.0 rport 0 generation 0 "
    "ufrag EsAw "
    "network-cost 999",
    "candidate:3498147984 1 udp 41885439 203.0.113.9 50000 typ relay raddr 198.51.100.7 rport 61000 "
    "generation 0",
    "candidate:435653019 1 tcp 1845501695 192.168.0.196 9 typ host tcptype active generation 0 network-id 1",
    "candidate:1052353102 1 tcp 1518214911 2001:db8::2:1 9 typ host tcptype active generation 0",
    "candidate:2025372183 1 udp 2122262783 2001:db8:85a3::8a2e:370:7334 58033 typ host generation 0 "
    "network-id 2",
    "candidate:0 1 UDP 2113937151 7f1c2b3a-4d5e-6f70-8192-a3b4c5d6e7f8.local 51337 typ host generation 0 "
    "ufrag abcd",
    "a=candidate:1 2 udp 2113929470 192.0.2.1 50001 typ host",
    /* Firefox */
    "candidate:0 1 UDP 2122252543 192.168.1.2 51337 typ host",
    "candidate:2 1 TCP 2105524479 192.168.1.2 9 typ host tcptype active",
    "candidate:1 1 UDP 1685987327 203.0.113.3 51337 typ srflx raddr 192.168.1.2 rport 51337",
    "candidate:3 1 UDP 92217087 203.0.113.77 61234 typ relay raddr 203.0.113.77 rport 61234",
    "candidate:0 2 UDP 2122252542 0d8ab7ff-5c4e-4fb3-8bde-b6c66a1c1a77.local 51338 typ host",
    /* Safari */
    "candidate:842163049 1 udp 1677722111 203.0.113.3 60312 typ srflx raddr 0.0.0.0 rport 0 generation 0 "
    "ufrag /aZ+ "
    "network-cost 50",
    "candidate:3885250869 1 udp 2122260223 fe80::1c2d:3e4f:5a6b:7c8d 60312 typ host generation 0",
    /* the grammar's corners */
    "candidate:abcdefghijklmnopqrstuvwxyz012345 256 udp 2147483647 192.0.2.1 0 typ host",
    "candidate:+/ 1 dccp 1 ice.example.com 65535 typ future",
    "candidate:1 1 udp 1 192.0.2.1 1 typ prflx raddr ::1 rport 0",
    "candidate:1 1 TCP 1 192.0.2.1 1 typ host tcptype passive",
    "candidate:1 1 tcp 1 192.0.2.1 1 typ host generation 0 tcptype so",
    "candidate:1 1 udp 1 192.0.2.1 1 typ host generation ", /* an extension's value may be empty */
    "candidate:1 1 udp 1 ::ffff:192.0.2.1 1 typ host x-vendor {\"a\":1}",
};

static void browsers_are_accepted(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++) {
        const char *reason = "untouched";
        if (ice_candidate_check(str_of(accepted[i]), &reason) != OK)
            fail_msg("%s: %s", accepted[i], reason);
        assert_string_equal(reason, "untouched");
    }
}

#define START      "does not start with \"candidate:\""
#define FOUNDATION "the foundation is not 1 to 32 ICE characters"
#define COMPONENT  "the component is not 1 to 256"
#define TRANSPORT  "the transport is not a token"
#define PRIORITY   "the priority is not 1 to 2^31-1"
#define ADDRESS    "the address is not an IP address or host name"
#define PORT       "the port is not 0 to 65535"
#define TYP        "\"typ\" is missing"
#define TYPE       "the candidate type is not a token"
#define NO_NAME    "an extension has no name"
#define NO_VALUE   "an extension has no value"
#define VISIBLE    "an extension's value is not visible ASCII"
#define RADDR      "the related address is not one"
#define RPORT      "the related port is not 0 to 65535"
#define RELATED    "raddr and rport must come together, and with srflx, prflx and relay"
#define TCP_TYPE   "the TCP type is not active, passive or so"

static const struct {
    const char *text, *reason;
} refused[] = {
    {" ", START},
    {"candidate", START},
    {"Candidate:1 1 udp 1 192.0.2.1 1 typ host", START},
    {"candidat:1 1 udp 1 192.0.2.1 1 typ host", START},
    {" candidate:1 1 udp 1 192.0.2.1 1 typ host", START},
    {"b=candidate:1 1 udp 1 192.0.2.1 1 typ host", START},
    {"a=a=candidate:1 1 udp 1 192.0.2.1 1 typ host", START},
    {"1 1 udp 1 192.0.2.1 1 typ host", START},
    {"{\"candidate\":\"candidate:1 1 udp 1 192.0.2.1 1 typ host\"}", START},
    {"candidate:", FOUNDATION},
    {"candidate: 1 1 udp 1 192.0.2.1 1 typ host", FOUNDATION},
    {"candidate:a_b 1 udp 1 192.0.2.1 1 typ host", FOUNDATION},
    {"candidate:abcdefghijklmnopqrstuvwxyz0123456 1 udp 1 192.0.2.1 1 typ host", FOUNDATION},
    {"candidate:1", COMPONENT},
    {"candidate:1 0 udp 1 192.0.2.1 1 typ host", COMPONENT},
    {"candidate:1 257 udp 1 192.0.2.1 1 typ host", COMPONENT},
    {"candidate:1 0001 udp 1 192.0.2.1 1 typ host", COMPONENT},
    {"candidate:1 -1 udp 1 192.0.2.1 1 typ host", COMPONENT},
    {"candidate:1 x udp 1 192.0.2.1 1 typ host", COMPONENT},
    {"candidate:1  1 udp 1 192.0.2.1 1 typ host", COMPONENT},
    {"candidate:1 1", TRANSPORT},
    {"candidate:1 1 u(dp 1 192.0.2.1 1 typ host", TRANSPORT},
    {"candidate:1 1 udp", PRIORITY},
    {"candidate:1 1 udp 0 192.0.2.1 1 typ host", PRIORITY},
    {"candidate:1 1 udp 2147483648 192.0.2.1 1 typ host", PRIORITY},
    {"candidate:1 1 udp 99999999999 192.0.2.1 1 typ host", PRIORITY},
    {"candidate:1 1 udp 1.5 192.0.2.1 1 typ host", PRIORITY},
    {"candidate:1 1 udp +1 192.0.2.1 1 typ host", PRIORITY},
    {"candidate:1 1 udp 1", ADDRESS},
    {"candidate:1 1 udp 1  1 typ host", ADDRESS},
    {"candidate:1 1 udp 1 256.0.0.1 1 typ host", ADDRESS},
    {"candidate:1 1 udp 1 1.2.3 1 typ host", ADDRESS},
    {"candidate:1 1 udp 1 [::1] 1 typ host", ADDRESS},
    {"candidate:1 1 udp 1 fe80::1%eth0 1 typ host", ADDRESS},
    {"candidate:1 1 udp 1 ::1:: 1 typ host", ADDRESS},
    {"candidate:1 1 udp 1 a..b 1 typ host", ADDRESS},
    {"candidate:1 1 udp 1 under_score.local 1 typ host", ADDRESS},
    {"candidate:1 1 udp 1 <script>.local 1 typ host", ADDRESS},
    {"candidate:1 1 udp 1 "
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.local 1 typ host",
     ADDRESS},
    {"candidate:1 1 udp 1 192.0.2.1", PORT},
    {"candidate:1 1 udp 1 192.0.2.1 65536 typ host", PORT},
    {"candidate:1 1 udp 1 192.0.2.1 -1 typ host", PORT},
    {"candidate:1 1 udp 1 192.0.2.1 000080 typ host", PORT},
    {"candidate:1 1 udp 1 192.0.2.1 http typ host", PORT},
    {"candidate:1 1 udp 1 192.0.2.1 1", TYP},
    {"candidate:1 1 udp 1 192.0.2.1 1 host", TYP},
    {"candidate:1 1 udp 1 192.0.2.1 1 TYP host", TYP},
    {"candidate:1 1 udp 1 192.0.2.1 1 typ", TYPE},
    {"candidate:1 1 udp 1 192.0.2.1 1 typ ", TYPE},
    {"candidate:1 1 udp 1 192.0.2.1 1 typ ho/st", TYPE},
    {"candidate:1 1 udp 1 192.0.2.1 1 typ host\r\n", TYPE},
    {"candidate:1 1 udp 1 192.0.2.1 1 typ host ", NO_NAME},
    {"candidate:1 1 udp 1 192.0.2.1 1 typ host  generation 0", NO_NAME},
    {"candidate:1 1 udp 1 192.0.2.1 1 typ host generation", NO_VALUE},
    {"candidate:1 1 udp 1 192.0.2.1 1 typ host generation 0 ufrag", NO_VALUE},
    {"candidate:1 1 udp 1 192.0.2.1 1 typ host generation 0\r\n", VISIBLE},
    {"candidate:1 1 udp 1 192.0.2.1 1 typ host generation \xC3\xA9", VISIBLE},
    {"candidate:1 1 udp 1 192.0.2.1 1 typ srflx", RELATED},
    {"candidate:1 1 udp 1 192.0.2.1 1 typ relay raddr 192.0.2.2", RELATED},
    {"candidate:1 1 udp 1 192.0.2.1 1 typ prflx rport 1", RELATED},
    {"candidate:1 1 udp 1 192.0.2.1 1 typ host raddr 192.0.2.2", RELATED},
    {"candidate:1 1 udp 1 192.0.2.1 1 typ srflx raddr 1.2.3 rport 1", RADDR},
    {"candidate:1 1 udp 1 192.0.2.1 1 typ srflx raddr  rport 1", RADDR},
    {"candidate:1 1 udp 1 192.0.2.1 1 typ srflx raddr ::1 raddr ::1 rport 1", RADDR},
    {"candidate:1 1 udp 1 192.0.2.1 1 typ srflx raddr ::1 rport 70000", RPORT},
    {"candidate:1 1 udp 1 192.0.2.1 1 typ srflx raddr ::1 rport 1 rport 1", RPORT},
    {"candidate:1 1 tcp 1 192.0.2.1 1 typ host", "a TCP candidate without tcptype"},
    {"candidate:1 1 TCP 1 192.0.2.1 1 typ host generation 0", "a TCP candidate without tcptype"},
    {"candidate:1 1 tcp 1 192.0.2.1 1 typ host tcptype fast", TCP_TYPE},
    {"candidate:1 1 tcp 1 192.0.2.1 1 typ host tcptype ", TCP_TYPE},
};

static void each_mistake_is_named(void **state)
{
    (void)state;
    size_t count = sizeof refused / sizeof refused[0];
    assert_true(count >= 40);
    for (size_t i = 0; i < count; i++) {
        const char *reason = NULL;
        enum err err = ice_candidate_check(str_of(refused[i].text), &reason);
        if (err != ERR_INVALID_CANDIDATE || strcmp(reason, refused[i].reason) != 0)
            fail_msg("%s: err %d, \"%s\" instead of \"%s\"", refused[i].text, err, reason ? reason : "-",
                     refused[i].reason);
    }
}

static void one_kib_is_the_limit(void **state)
{
    (void)state;
    struct buf text = {0};
    const char *reason;
    buf_addz(&text, "candidate:1 1 udp 1 192.0.2.1 1 typ host x ");
    while (text.n < CANDIDATE_MAX_BYTES)
        buf_addc(&text, 'x');
    assert_int_equal(ice_candidate_check(buf_str(&text), &reason), OK);
    buf_addc(&text, 'x');
    assert_int_equal(ice_candidate_check(buf_str(&text), &reason), ERR_INVALID_CANDIDATE);
    assert_string_equal(reason, "longer than 1 KiB");
    buf_done(&text);
}

static void a_nul_byte_ends_nothing(void **state)
{
    (void)state;
    const char *reason;
    assert_int_equal(ice_candidate_check(STR("candidate:1 1 udp 1 2001:db8::1\0x 1 typ host"), &reason),
                     ERR_INVALID_CANDIDATE);
    assert_string_equal(reason, ADDRESS);
    assert_int_equal(ice_candidate_check(STR("candidate:1 1 udp 1 192.0.2.1\0x 1 typ host"), &reason),
                     ERR_INVALID_CANDIDATE);
    assert_string_equal(reason, ADDRESS);
    assert_int_equal(ice_candidate_check(STR("candidate:1 1 ud\0p 1 192.0.2.1 1 typ host"), &reason),
                     ERR_INVALID_CANDIDATE);
}

/* Texts of digits and dots alone are addresses exactly when inet_pton takes them for IPv4. */
static void ipv4_is_what_inet_pton_takes(void **state)
{
    (void)state;
    static const char *const octets[] = {"",   "0",   "00",  "01",  "9",   "10",
                                         "99", "199", "255", "256", "999", "1000"};
    enum { COUNT = sizeof octets / sizeof octets[0] };
    for (unsigned i = 0; i < COUNT * COUNT * COUNT * COUNT; i++) {
        char address[32], text[96];
        struct in_addr parsed;
        const char *reason;
        snprintf(address, sizeof address, "%s.%s.%s.%s%s", octets[i % COUNT], octets[i / COUNT % COUNT],
                 octets[i / COUNT / COUNT % COUNT], octets[i / COUNT / COUNT / COUNT], i % 7 ? "" : ".1");
        snprintf(text, sizeof text, "candidate:1 1 udp 1 %s 1 typ host", address);
        enum err want = inet_pton(AF_INET, address, &parsed) == 1 ? OK : ERR_INVALID_CANDIDATE;
        if (ice_candidate_check(str_of(text), &reason) != want)
            fail_msg("%s", address);
    }
}

/* Every prefix and every one-byte change gets an answer within the text's bounds (the sanitizers watch). */
static void damaged_texts_get_an_answer(void **state)
{
    (void)state;
    static const char bytes[] = {'\0', ' ', ':', '.', '9', 'z', '\xC3', '-'};
    for (size_t c = 0; c < sizeof accepted / sizeof accepted[0]; c++) {
        size_t n = strlen(accepted[c]);
        for (size_t i = 0; i < n; i++) {
            const char *reason;
            char *text = malloc(n);
            for (size_t b = 0; b < sizeof bytes; b++) {
                memcpy(text, accepted[c], n);
                text[i] = bytes[b];
                (void)!ice_candidate_check((struct str){text, n}, &reason);
            }
            free(text);
            text = malloc(i ? i : 1);
            memcpy(text, accepted[c], i);
            (void)!ice_candidate_check((struct str){text, i}, &reason);
            free(text);
        }
    }
}

/* The front of one candidate and the end of one, a few bytes changed; the text ends where its allocation
 * does. */
static struct str mixed_candidate(uint64_t *random)
{
    static const char bytes[] = " ::..09afzZ~_-+/@[`{(\"\x7F\x80\xC3\x1F"; /* and NUL */
    const size_t count = sizeof accepted / sizeof accepted[0];
    struct str front = str_of(accepted[random_below(random, count)]), end = front;
    if (random_below(random, 2))
        end = str_of(accepted[random_below(random, count)]);
    front.n = random_below(random, (unsigned)front.n + 1);
    size_t skipped = front.n < end.n ? front.n : end.n, n = front.n + end.n - skipped;
    char *text = malloc(n ? n : 1);
    memcpy(text, front.p, front.n);
    memcpy(text + front.n, end.p + skipped, n - front.n);
    for (unsigned changes = random_below(random, 3); changes > 0 && n > 0; changes--)
        text[random_below(random, (unsigned)n)] = bytes[random_below(random, sizeof bytes)];
    return (struct str){text, n};
}

static void equals_a_plain_reading(void **state)
{
    (void)state;
    uint64_t random = 1;
    unsigned good = 0;
    for (unsigned round = 0; round < 200000; round++) {
        const char *reason = NULL;
        struct str text = mixed_candidate(&random);
        enum err err = ice_candidate_check(text, &reason);
        const char *want = oracle_check_candidate(text);
        if ((err == OK) != !want || (want && strcmp(want, reason) != 0))
            fail_msg("round %u, \"" STR_FMT "\": %s instead of %s", round, STR_ARG(text),
                     reason ? reason : "-", want ? want : "-");
        good += err == OK;
        free((char *)text.p);
    }
    assert_true(good > 20000 && good < 180000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(browsers_are_accepted),        cmocka_unit_test(each_mistake_is_named),
        cmocka_unit_test(one_kib_is_the_limit),         cmocka_unit_test(a_nul_byte_ends_nothing),
        cmocka_unit_test(ipv4_is_what_inet_pton_takes), cmocka_unit_test(damaged_texts_get_an_answer),
        cmocka_unit_test(equals_a_plain_reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
