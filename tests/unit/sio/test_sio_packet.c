/* Socket.IO packets, valid and invalid. They are what socket.io-parser 4 makes of them, but for the rows that
 * say so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../../src/sio/sio_packet.h"

/* The packet as text, absent things as "-": type attachments namespace query id payload name args. */
static void describe(const struct sio_packet *p, char *out, size_t cap)
{
    char id[24] = "-";
    bool is_event = p->type == SIO_EVENT || p->type == SIO_BINARY_EVENT;
    struct str query = p->query.p ? p->query : STR("-");
    struct str payload = p->payload.p ? p->payload : STR("-");
    if (p->has_id)
        snprintf(id, sizeof id, "%llu", (unsigned long long)p->id);
    int n = snprintf(out, cap, "%d %d " STR_FMT " " STR_FMT " %s " STR_FMT, p->type, p->attachment_count,
                     STR_ARG(p->namespace_), STR_ARG(query), id, STR_ARG(payload));
    if (is_event)
        snprintf(out + n, cap - (size_t)n, " <" STR_FMT "> <" STR_FMT ">", STR_ARG(p->name),
                 STR_ARG(p->args));
}

/* Parses a block of exactly the text's size. */
static bool parse(const char *text, struct sio_packet *p, char *description, size_t cap)
{
    size_t n = strlen(text);
    char *block = malloc(n ? n : 1);
    memcpy(block, text, n);
    memset(p, 0xa5, sizeof *p);
    bool is_valid = sio_packet_parse((struct str){block, n}, p);
    if (is_valid)
        describe(p, description, cap);
    free(block);
    return is_valid;
}

static void test_valid_packets(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } rows[] = {
        /* CONNECT */
        {"0", "0 0 / - - -"},
        {"0{\"token\":\"123\"}", "0 0 / - - {\"token\":\"123\"}"},
        {"0/woot,", "0 0 /woot - - -"},
        {"0/woot", "0 0 /woot - - -"},
        {"0/,", "0 0 / - - -"},
        {"0/woot,{\"token\":\"123\"}", "0 0 /woot - - {\"token\":\"123\"}"},
        {"0/woot?a=b,{}", "0 0 /woot a=b - {}"},
        {"0/woot?", "0 0 /woot  - -"},
        {"07{}", "0 0 / - 7 {}"},
        /* DISCONNECT */
        {"1", "1 0 / - - -"},
        {"1/woot,", "1 0 /woot - - -"},
        {"1/woot", "1 0 /woot - - -"},
        /* EVENT */
        {"2[\"a\"]", "2 0 / - - [\"a\"] <a> <>"},
        {"2[\"a\",1,{}]", "2 0 / - - [\"a\",1,{}] <a> <1,{}>"},
        {"2[ \"a\" , 1 , {} ]", "2 0 / - - [ \"a\" , 1 , {} ] <a> <1 , {}>"},
        {"2/test,1[\"a\",1,{}]", "2 0 /test - 1 [\"a\",1,{}] <a> <1,{}>"},
        {"20[\"a\"]", "2 0 / - 0 [\"a\"] <a> <>"},
        {"2456[\"message-with-ack\",\"x,]\"]",
         "2 0 / - 456 [\"message-with-ack\",\"x,]\"] <message-with-ack> <\"x,]\">"},
        {"29007199254740991[\"a\"]", "2 0 / - 9007199254740991 [\"a\"] <a> <>"},
        {"2[\"\"]", "2 0 / - - [\"\"] <> <>"},
        {"2[\"\\u0061\\\"b\",1]", "2 0 / - - [\"\\u0061\\\"b\",1] <a\"b> <1>"},
        {"2[\"\xc3\xa9\"]", "2 0 / - - [\"\xc3\xa9\"] <\xc3\xa9> <>"},
        {"2[1,\"a\"]", "2 0 / - - [1,\"a\"] <1> <\"a\">"}, /* numbers are names too */
        {"2[\"connect \"]", "2 0 / - - [\"connect \"] <connect > <>"},
        {"2[\"error\"]", "2 0 / - - [\"error\"] <error> <>"},
        {"2[\"a\"] \n", "2 0 / - - [\"a\"] <a> <>"},
        /* ACK */
        {"3123[\"a\",1,{}]", "3 0 / - 123 [\"a\",1,{}]"},
        {"3/woot,1[]", "3 0 /woot - 1 []"},
        {"3[]", "3 0 / - - []"},
        /* CONNECT_ERROR */
        {"4\"Unauthorized\"", "4 0 / - - \"Unauthorized\""},
        {"4{\"message\":\"Unauthorized\"}", "4 0 / - - {\"message\":\"Unauthorized\"}"},
        /* binary */
        {"51-[\"hello\",{\"_placeholder\":true,\"num\":0}]",
         "5 1 / - - [\"hello\",{\"_placeholder\":true,\"num\":0}] <hello> "
         "<{\"_placeholder\":true,\"num\":0}>"},
        {"52-/admin,9[\"a\",{\"x\":[{\"_placeholder\":true,\"num\":1}]}]",
         "5 2 /admin - 9 [\"a\",{\"x\":[{\"_placeholder\":true,\"num\":1}]}] <a> "
         "<{\"x\":[{\"_placeholder\":true,\"num\":1}]}>"},
        {"510-[\"a\"]", "5 10 / - - [\"a\"] <a> <>"}, /* attachments need not be named */
        {"51-[\"a\",{\"_placeholder\":false,\"num\":7}]",
         "5 1 / - - [\"a\",{\"_placeholder\":false,\"num\":7}] <a> <{\"_placeholder\":false,\"num\":7}>"},
        {"61-/woot,3[{\"_placeholder\":true,\"num\":0}]",
         "6 1 /woot - 3 [{\"_placeholder\":true,\"num\":0}]"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sio_packet p;
        char got[400];
        if (!parse(rows[i].text, &p, got, sizeof got))
            fail_msg("%s was refused", rows[i].text);
        assert_string_equal(got, rows[i].want);
    }
}

static void test_invalid_packets(void **state)
{
    (void)state;
    static const char *const rows[] = {
        /* type */
        "",
        "7",
        "9",
        "999",
        "a",
        "abc",
        "-1",
        " 0",
        "/woot,",
        /* payload of the wrong kind, or no JSON */
        "0[]",
        "0\"invalid\"",
        "0null",
        "0true",
        "0/admin,\"invalid\"",
        "0{",
        "0{}x",
        "0{}{}",
        "1{}",
        "1[]",
        "1/admin,{}",
        "1 ",
        "1null",
        "2{}",
        "2\"a\"",
        "2/admin,{}",
        "2/admin,\"invalid",
        "2[",
        "2[\"a\"",
        "2[\"a\",]",
        "2[\"a\"]]",
        "2x[\"a\"]",
        "2[]",
        "2[true,\"foo\"]",
        "2[null,\"bar\"]",
        "2[{\"toString\":\"foo\"}]",
        "2[[\"a\"]]",
        "2['a']",
        "2[\"\xff\"]",
        "2[\"\x01\"]",
        "442[\"some\",\"data\"",
        "442[\"some\",\"data\"]",
        "4[]",
        "3{}",
        "31{}",
        "3\"a\"",
        /* names that are reserved, however they are spelt */
        "2[\"connect\"]",
        "2[\"connect_error\"]",
        "2[\"disconnect\",\"123\"]",
        "2[\"disconnecting\"]",
        "2[\"newListener\"]",
        "2[\"removeListener\"]",
        "2[\"\\u0063onnect\"]",
        "51-[\"connect\"]",
        /* attachments */
        "5",
        "51",
        "50-",
        "5a-",
        "51.23-",
        "5-",
        "5-1-",
        "5 1-[\"a\"]",
        "511-[\"a\"]",
        "5999999999999999999999-[\"a\"]",
        "6",
        "60-[]",
        "51-{}",
        "51-[]",
        /* placeholders of attachments that do not exist */
        "51-[\"a\",{\"_placeholder\":true,\"num\":1}]",
        "51-[\"a\",{\"_placeholder\":true,\"num\":-1}]",
        "51-[\"a\",{\"_placeholder\":true,\"num\":\"0\"}]",
        "51-[\"a\",{\"_placeholder\":true}]",
        "51-[\"a\",[{\"x\":{\"_placeholder\":true,\"num\":9}}]]",
        "61-[{\"_placeholder\":true,\"num\":1}]",
        "51-[\"a\",{\"_placeholder\":true,\"num\":0.5}]",
        /* refused here, though not by socket.io-parser: see sio_packet.h */
        "2 [\"a\"]",
        "51.-[\"a\"]",
        "2",
        "212",
        "2/woot,",
        "3",
        "31",
        "51-",
        "61-1",
        "29007199254740992[\"a\"]",
        "299999999999999999999[\"a\"]",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sio_packet p;
        char got[400];
        if (parse(rows[i], &p, got, sizeof got))
            fail_msg("%s was taken as %s", rows[i], got);
    }
}

static void test_namespace_length(void **state)
{
    (void)state;
    char text[SIO_NAMESPACE_MAX + 10], got[400];
    struct sio_packet p;
    memset(text, 'n', sizeof text);
    text[0] = '0';
    text[1] = '/';
    text[1 + SIO_NAMESPACE_MAX] = '\0';
    assert_true(parse(text, &p, got, sizeof got));
    assert_int_equal(p.namespace_.n, SIO_NAMESPACE_MAX);
    strcpy(text + 1 + SIO_NAMESPACE_MAX, "?a=b"); /* the query does not count */
    assert_true(parse(text, &p, got, sizeof got));
    strcpy(text + 1 + SIO_NAMESPACE_MAX, "n");
    assert_false(parse(text, &p, got, sizeof got));
}

static void test_name_length(void **state)
{
    (void)state;
    char text[400], got[1000];
    struct sio_packet p;
    snprintf(text, sizeof text, "2[\"%0300d\"]", 0); /* any length as it stands */
    assert_true(parse(text, &p, got, sizeof got));
    assert_int_equal(p.name.n, 300);
    snprintf(text, sizeof text, "2[\"\\n%0*d\"]", SIO_EVENT_NAME_MAX - 1, 0);
    assert_true(parse(text, &p, got, sizeof got));
    assert_int_equal(p.name.n, SIO_EVENT_NAME_MAX);
    snprintf(text, sizeof text, "2[\"\\n%0*d\"]", SIO_EVENT_NAME_MAX, 0);
    assert_false(parse(text, &p, got, sizeof got));
    snprintf(text, sizeof text, "2[\"\\n%0*d\" 5]", SIO_EVENT_NAME_MAX, 0); /* nor is what follows a name */
    assert_false(sio_packet_parse(str_of(text), &p));
}

/* Damaged packets are refused or taken, never read outside their bytes (the blocks are exact). */
static void test_damaged_packets(void **state)
{
    (void)state;
    static const char *const seeds[] = {
        "0/woot?a=b,{\"token\":\"1\"}", "2/test,12[\"a\\u0062\",1,{\"x\":[null]}]", "1/woot,", "3123[\"a\"]",
        "52-/n,3[\"a\",{\"_placeholder\":true,\"num\":1},[{\"_placeholder\":true,\"num\":0}]]"};
    static const char bytes[] = "\"\\{}[],-/?0159 \x80u";
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        for (size_t at = 0; at < strlen(seeds[i]); at++) {
            for (size_t b = 0; b < sizeof bytes; b++) {
                char text[200], got[2000];
                struct sio_packet p;
                strcpy(text, seeds[i]);
                text[at] = bytes[b]; /* the last one cuts the text */
                parse(text, &p, got, sizeof got);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid_packets),    cmocka_unit_test(test_invalid_packets),
        cmocka_unit_test(test_namespace_length), cmocka_unit_test(test_name_length),
        cmocka_unit_test(test_damaged_packets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
