/* Who may make a match request, and retries of one, against the real database. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "conversation/base/clock.h"
#include "direct.h"
#include "learners.h"

#ifdef __SANITIZE_ADDRESS__
#define ROUNDS 100
#else
#define ROUNDS 400
#endif

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

/* --- keys --- */

static struct db_insert_terms keyed(const char *key, const char *asked)
{
    return (struct db_insert_terms){
        .repeatable = {.key = str_of(key), .asked = str_of(asked)},
        .estimated_wait_seconds = 42,
    };
}

static struct db_first_result first_result(const struct uuid *user_id, const char *key, const char *asked)
{
    const struct db_repeatable repeatable = {.key = str_of(key), .asked = str_of(asked)};
    struct db_first_result by_key;
    assert_int_equal(RUN(f, db_match_first_result(f, user_id, &repeatable, &by_key)), OK);

    struct db_admission admission; /* which says the same */
    const struct db_admission_query q = {
        .user_id = *user_id, .language = "en", .topic_code = "free_talk", .repeatable = repeatable};
    assert_int_equal(RUN(f, db_match_admission(f, &q, &admission)), OK);
    assert_int_equal(admission.first.is_found, by_key.is_found);
    assert_int_equal(admission.first.is_same, by_key.is_same);
    assert_uuid_equal(admission.first.request_id, by_key.request_id);
    assert_int_equal(admission.first.estimated_wait_seconds, by_key.estimated_wait_seconds);
    assert_int_equal(admission.first.expires_at_ms, by_key.expires_at_ms);
    return by_key;
}

static void a_key_finds_the_first_result(void **state)
{
    (void)state;
    struct match_request r = a_request();
    struct uuid other = uuid_random();
    struct db_insert_terms terms = keyed("it's \"k\\1\"", "as\\ked|");
    assert_int_equal(RUN(f, db_match_request_insert(f, &r, &terms)), OK);
    advance(DB_KEY_KEPT_MS - 1);
    struct db_first_result first = first_result(&r.user_id, "it's \"k\\1\"", "as\\ked|");
    assert_true(first.is_found);
    assert_true(first.is_same);
    assert_uuid_equal(first.request_id, r.id);
    assert_int_equal(first.estimated_wait_seconds, 42);
    assert_int_equal(first.expires_at_ms, r.expires_at_ms);
    assert_false(first_result(&r.user_id, "it's \"k\\1\"", "asked").is_same);
    assert_false(first_result(&r.user_id, "k2", "asked").is_found);
    assert_false(first_result(&other, "it's \"k\\1\"", "as\\ked|").is_found);
    advance(1);
    assert_false(first_result(&r.user_id, "it's \"k\\1\"", "as\\ked|").is_found);
}

static void no_key_finds_nothing(void **state)
{
    (void)state;
    struct match_request r = a_request();
    assert_int_equal(insert_request(f, &r), OK);
    const struct db_repeatable none = {.key = {NULL, 0}};
    struct db_first_result first;
    assert_int_equal(RUN(f, db_match_first_result(f, &r.user_id, &none, &first)), OK);
    assert_false(first.is_found);
}

/* Also of a request that is over: a late retry must not make another one. */
static void a_key_is_used_once(void **state)
{
    (void)state;
    struct match_request r = a_request(), again = a_request();
    struct db_insert_terms terms = keyed("k1", "asked");
    struct db_cancel cancel;
    again.user_id = r.user_id;
    assert_int_equal(RUN(f, db_match_request_insert(f, &r, &terms)), OK);
    assert_int_equal(RUN(f, db_match_request_cancel(f, &r.id, &r.user_id, &cancel)), OK);
    assert_int_equal(RUN(f, db_match_request_insert(f, &again, &terms)), ERR_ALREADY_MATCHED);
    assert_int_equal(direct_int(f, "SELECT count(*) FROM match_requests"), 1);
    assert_event_count(f, 2);
}

static void a_key_of_yesterday_is_free(void **state)
{
    (void)state;
    struct match_request r = a_request();
    struct db_insert_terms terms = keyed("k1", "asked");
    struct db_cancel cancel;
    assert_int_equal(RUN(f, db_match_request_insert(f, &r, &terms)), OK);
    assert_int_equal(RUN(f, db_match_request_cancel(f, &r.id, &r.user_id, &cancel)), OK);
    advance(DB_KEY_KEPT_MS);
    struct match_request again = a_request();
    again.user_id = r.user_id;
    assert_int_equal(RUN(f, db_match_request_insert(f, &again, &terms)), OK);
    assert_uuid_equal(first_result(&r.user_id, "k1", "asked").request_id, again.id);
}

static void what_is_taken_back_frees_its_key(void **state)
{
    (void)state;
    struct match_request r = a_request(), again = a_request();
    struct db_insert_terms terms = keyed("k1", "asked");
    struct db_cancel cancel;
    again.user_id = r.user_id;
    assert_int_equal(RUN(f, db_match_request_insert(f, &r, &terms)), OK);
    assert_int_equal(RUN(f, db_match_request_take_back(f, &r.id, &r.user_id, &cancel)), OK);
    assert_true(cancel.changed);
    assert_int_equal(cancel.request.status, MATCH_CANCELLED);
    assert_false(first_result(&r.user_id, "k1", "asked").is_found);
    assert_int_equal(RUN(f, db_match_request_insert(f, &again, &terms)), OK);
}

/* --- retries at once --- */

#define RACERS 4

struct race {
    struct flow *racer[RACERS];
    struct match_request request[RACERS];
    enum err err[RACERS];
};

static void insert_each(int who, void *arg)
{
    struct race *race = arg;
    struct db_insert_terms terms = keyed("k1", "asked");
    race->err[who] =
        RUN(race->racer[who], db_match_request_insert(race->racer[who], &race->request[who], &terms));
}

static void retries_at_once_make_one_request(void **state)
{
    (void)state;
    struct race race;
    for (int who = 0; who < RACERS; who++)
        race.racer[who] = direct_open();
    for (int i = 0; i < ROUNDS; i++) {
        struct uuid user_id = uuid_random();
        int winner = -1, stored = 0;
        for (int who = 0; who < RACERS; who++) {
            arena_done(flow_arena(race.racer[who]));
            race.request[who] = a_request();
            race.request[who].user_id = user_id;
        }
        direct_race(RACERS, insert_each, &race);
        for (int who = 0; who < RACERS; who++) {
            if (race.err[who] == OK)
                winner = who, stored++;
            else
                assert_int_equal(race.err[who], ERR_ALREADY_MATCHED);
        }
        assert_int_equal(stored, 1);
        assert_uuid_equal(first_result(&user_id, "k1", "asked").request_id, race.request[winner].id);
        arena_done(flow_arena(f));
    }
    for (int who = 0; who < RACERS; who++)
        direct_close(race.racer[who]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_key_finds_the_first_result, setup, teardown),
        cmocka_unit_test_setup_teardown(no_key_finds_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_is_used_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_of_yesterday_is_free, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_taken_back_frees_its_key, setup, teardown),
        cmocka_unit_test_setup_teardown(retries_at_once_make_one_request, setup, teardown),
    };
    return cmocka_run_group_tests(tests, direct_create_database, direct_drop_database);
}
