/* The promise to erase a user: claimed by one process, kept, made again. */
#include "conversation/ports/db_privacy.h"
#include "statement_fixture.h"

static struct db_erasure claim(void)
{
    struct db_erasure erasure;
    assert_int_equal(RUN(f, db_erasure_claim(f, &erasure)), OK);
    return erasure;
}

static void assert_nothing_to_claim(void)
{
    struct db_erasure erasure = claim();
    assert_true(uuid_is_nil(&erasure.user_id));
}

static bool finish(const struct db_erasure *erasure)
{
    bool is_done;
    assert_int_equal(RUN(f, db_erasure_finish(f, erasure, &is_done)), OK);
    return is_done;
}

static void a_promise_is_claimed_once(void **state)
{
    (void)state;
    struct uuid first = uuid_random(), second = uuid_random();
    assert_nothing_to_claim();
    assert_int_equal(RUN(f, db_erasure_request(f, &first)), OK);
    advance(1);
    assert_int_equal(RUN(f, db_erasure_request(f, &second)), OK);
    struct db_erasure erasure = claim();
    assert_uuid_equal(erasure.user_id, first);
    assert_int_equal(erasure.requested_at_ms, NOW);
    assert_uuid_equal(claim().user_id, second);
    assert_nothing_to_claim();
    advance(DB_ERASE_CLAIM_MS); /* whoever had them has died */
    assert_uuid_equal(claim().user_id, first);
}

static void who_works_at_a_promise_keeps_it(void **state)
{
    (void)state;
    struct uuid me = uuid_random();
    assert_int_equal(RUN(f, db_erasure_request(f, &me)), OK);
    assert_uuid_equal(claim().user_id, me);
    for (int i = 0; i < 4; i++) {
        int changed;
        int64_t event = 0;
        advance(DB_ERASE_CLAIM_MS - 1);
        assert_int_equal(i % 2 ? RUN(f, db_erasure_step(f, &me, &changed))
                               : RUN(f, db_erasure_events(f, &me, &event)),
                         OK);
        advance(1);
        assert_nothing_to_claim();
    }
    advance(DB_ERASE_CLAIM_MS);
    assert_uuid_equal(claim().user_id, me);
}

static void a_kept_promise_goes(void **state)
{
    (void)state;
    struct uuid me = uuid_random();
    assert_int_equal(RUN(f, db_erasure_request(f, &me)), OK);
    struct db_erasure erasure = claim();
    assert_true(finish(&erasure));
    assert_int_equal(rows_with(f, UUIDZ(&me)), 0);
}

static void what_came_since_keeps_it(void **state)
{
    (void)state;
    struct match_request r = a_request();
    assert_int_equal(RUN(f, db_erasure_request(f, &r.user_id)), OK);
    struct db_erasure erasure = claim();
    assert_int_equal(insert_request(f, &r), OK);
    assert_false(finish(&erasure));
    assert_uuid_equal(claim().user_id, r.user_id);
}

static void a_promise_made_again_is_kept_again(void **state)
{
    (void)state;
    struct uuid me = uuid_random();
    assert_int_equal(RUN(f, db_erasure_request(f, &me)), OK);
    struct db_erasure erasure = claim();
    advance(1);
    assert_int_equal(RUN(f, db_erasure_request(f, &me)), OK);
    assert_false(finish(&erasure));
    erasure = claim();
    assert_uuid_equal(erasure.user_id, me);
    assert_true(finish(&erasure));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_promise_is_claimed_once), TEST(who_works_at_a_promise_keeps_it),    TEST(a_kept_promise_goes),
        TEST(what_came_since_keeps_it),  TEST(a_promise_made_again_is_kept_again),
    };
    return cmocka_run_group_tests(tests, direct_create_database, direct_drop_database);
}
