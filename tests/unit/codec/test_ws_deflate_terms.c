/* What is agreed on for each kind of Sec-WebSocket-Extensions: RFC 6455 section 9.1, RFC 7692 sections 5
 * and 7.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "conversation/codec/ws_deflate.h"

#define BOTH    "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
#define NOTHING "-" /* nothing is agreed on, the handshake goes on */
#define REFUSED "!" /* the handshake is refused */

/* The fields end at the first NULL; each is read from a block of exactly its size. */
static void assert_answer(const char *const *fields, const char *expected)
{
    struct ws_deflate_terms terms = {0};
    bool is_valid = true;
    for (int i = 0; fields[i]; i++) {
        size_t n = strlen(fields[i]);
        char *block = malloc(n ? n : 1);
        if (n)
            memcpy(block, fields[i], n);
        is_valid = ws_deflate_negotiate((struct str){block, n}, &terms) && is_valid;
        free(block);
    }
    char out[WS_DEFLATE_ANSWER_MAX];
    struct str got = !is_valid           ? STR(REFUSED)
                     : terms.window_bits ? ws_deflate_answer(&terms, out)
                                         : STR(NOTHING);
    if (!str_eqz(got, expected))
        fail_msg("%s\n  gives    " STR_FMT "\n  expected %s", fields[0], STR_ARG(got), expected);
}

struct row {
    const char *field, *answer;
};

static void assert_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_answer((const char *const[]){rows[i].field, NULL}, rows[i].answer);
}
#define ASSERT_ROWS(rows) assert_rows(rows, sizeof(rows) / sizeof(rows)[0])

static void test_offers_that_are_taken(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"permessage-deflate", BOTH},
        {"permessage-deflate; client_max_window_bits", BOTH}, /* browsers, npm ws */
        {"permessage-deflate;client_max_window_bits=8", BOTH},
        {"permessage-deflate; client_no_context_takeover", BOTH},
        {"permessage-deflate; server_no_context_takeover; client_no_context_takeover", BOTH},
        {"  permessage-deflate\t;  client_max_window_bits = 10 ", BOTH},
        {"permessage-deflate; client_max_window_bits=\"12\"", BOTH},
        {"permessage-deflate; client_max_window_bits=\"\\1\\2\"", BOTH},
        {"permessage-deflate; server_max_window_bits=15", BOTH "; server_max_window_bits=15"},
        {"permessage-deflate; server_max_window_bits=\"1\\0\"", BOTH "; server_max_window_bits=10"},
        {"permessage-deflate; server_max_window_bits=8; client_max_window_bits=9",
         BOTH "; server_max_window_bits=8"},
    };
    ASSERT_ROWS(rows);
}

static void test_offers_that_are_declined(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"x-webkit-deflate-frame", NOTHING},
        {"permessage-bzip2; level=9", NOTHING},
        {"permessage-deflate; level", NOTHING},
        {"permessage-deflate; client_max_window_bits; client_max_window_bits", NOTHING},
        {"permessage-deflate; server_no_context_takeover; server_no_context_takeover", NOTHING},
        {"permessage-deflate; server_max_window_bits=10; server_max_window_bits=10", NOTHING},
        {"permessage-deflate; server_no_context_takeover=10", NOTHING},
        {"permessage-deflate; client_no_context_takeover=true", NOTHING},
        {"permessage-deflate; server_max_window_bits", NOTHING},
        {"permessage-deflate; server_max_window_bits=7", NOTHING},
        {"permessage-deflate; server_max_window_bits=16", NOTHING},
        {"permessage-deflate; server_max_window_bits=08", NOTHING},
        {"permessage-deflate; server_max_window_bits=+9", NOTHING},
        {"permessage-deflate; server_max_window_bits=1000000000000000000000", NOTHING},
        {"permessage-deflate; client_max_window_bits=010", NOTHING},
        {"permessage-deflate; client_max_window_bits=x", NOTHING},
        {"permessage-deflate; client_max_window_bits=0", NOTHING},
    };
    ASSERT_ROWS(rows);
}

static void test_the_first_offer_that_can_be_met_counts(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"permessage-deflate; server_max_window_bits=10, permessage-deflate",
         BOTH "; server_max_window_bits=10"},
        {"permessage-deflate; server_max_window_bits=7, permessage-deflate", BOTH},
        {"foo, bar; baz=1; q, permessage-deflate; server_max_window_bits=9",
         BOTH "; server_max_window_bits=9"},
        {"permessage-deflate, permessage-deflate; server_max_window_bits=9", BOTH},
        {", ,permessage-deflate,,", BOTH},
    };
    ASSERT_ROWS(rows);
}

static void test_several_fields_are_one_list(void **state)
{
    (void)state;
    assert_answer((const char *const[]){"foo", "permessage-deflate; server_max_window_bits=9",
                                        "permessage-deflate", NULL},
                  BOTH "; server_max_window_bits=9");
    assert_answer((const char *const[]){"permessage-deflate", "foo bar", NULL}, REFUSED);
    assert_answer((const char *const[]){"foo bar", "permessage-deflate", NULL}, REFUSED);
}

static void test_fields_out_of_grammar(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", REFUSED},
        {" ", REFUSED},
        {",", REFUSED},
        {";", REFUSED},
        {"permessage-deflate;", REFUSED},
        {"permessage-deflate; ;", REFUSED},
        {"permessage-deflate foo", REFUSED},
        {"permessage-deflate; foo bar", REFUSED},
        {"permessage-deflate; client_max_window_bits=", REFUSED},
        {"permessage-deflate; =10", REFUSED},
        {"permessage-deflate=10", REFUSED},
        {"permessage-deflate; client_max_window_bits=10=10", REFUSED},
        {"permessage-deflate; client_max_window_bits=\"", REFUSED},
        {"permessage-deflate; client_max_window_bits=\"\"", REFUSED},
        {"permessage-deflate; client_max_window_bits=\"10", REFUSED},
        {"permessage-deflate; client_max_window_bits=\"10\\", REFUSED},
        {"permessage-deflate; client_max_window_bits=\"10\\\"", REFUSED},
        {"permessage-deflate; client_max_window_bits=\"1 0\"", REFUSED},
        {"permessage-deflate; client_max_window_bits=\"10\"0", REFUSED},
        {"permessage-deflate, (", REFUSED},
        {"permessage-deflate, foo/bar", REFUSED},
        {"permessage-deflate\x80", REFUSED},
    };
    ASSERT_ROWS(rows);
}

static void test_nul_is_no_token(void **state)
{
    (void)state;
    struct ws_deflate_terms terms = {0};
    assert_false(ws_deflate_negotiate(STR("permessage-deflate\0"), &terms));
    assert_int_equal(terms.window_bits, 0);
}

/* Nothing of a field out of grammar is kept, however late that shows. */
static void test_terms_stay_as_they_were_when_refused(void **state)
{
    (void)state;
    struct ws_deflate_terms terms = {0};
    assert_false(ws_deflate_negotiate(STR("permessage-deflate, ="), &terms));
    assert_int_equal(terms.window_bits, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offers_that_are_taken),
        cmocka_unit_test(test_offers_that_are_declined),
        cmocka_unit_test(test_the_first_offer_that_can_be_met_counts),
        cmocka_unit_test(test_several_fields_are_one_list),
        cmocka_unit_test(test_fields_out_of_grammar),
        cmocka_unit_test(test_nul_is_no_token),
        cmocka_unit_test(test_terms_stay_as_they_were_when_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
