/* What tests of statements share: one connection, an empty database, and the clock at NOW. */
#ifndef TESTS_STATEMENT_FIXTURE_H
#define TESTS_STATEMENT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conversation/base/clock.h"
#include "conversation/ports/db.h"
#include "direct.h"
#include "learners.h"

#define MINUTE INT64_C(60000)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static struct flow *f;

static int setup(void **state)
{
    (void)state;
    f = direct_open();
    direct_truncate(f);
    set_now(NOW);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    direct_close(f);
    return 0;
}

/* Every row that the operation reads is found by an index. */
#define assert_by_index(call)                              \
    do {                                                   \
        direct_wants_plan(f);                              \
        assert_int_equal(RUN(f, call), OK);                \
        if (strstr(direct_plan(f), "Seq Scan"))            \
            fail_msg("not by index:\n%s", direct_plan(f)); \
    } while (0)

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

#endif
