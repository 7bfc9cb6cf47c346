/* What the tests of stored sessions share. */
#ifndef TESTS_SESSION_FIXTURE_H
#define TESTS_SESSION_FIXTURE_H

#include "statement_fixture.h"

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

#endif
