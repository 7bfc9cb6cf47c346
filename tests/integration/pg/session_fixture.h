/* What the tests of stored sessions share. */
#ifndef TESTS_SESSION_FIXTURE_H
#define TESTS_SESSION_FIXTURE_H

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

static struct session stored(const struct uuid *id)
{
    struct session s;
    assert_int_equal(RUN(f, db_session_get(f, id, &s)), OK);
    return s;
}

/* What a statement returned is what it stored. */
static void assert_stored(const struct session *s)
{
    struct session again = stored(&s->id);
    assert_memory_equal(&again, s, sizeof again);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

#endif
