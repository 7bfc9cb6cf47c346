/* What sockets need to be recovered, on a real Redis; the other instances are the test's own connection. */
#include "integration/redis/harness.h"

#include "conversation/base/instance.h"
#include "conversation/ports/recovery.h"

#define OTHER   "00000000-0000-4000-8000-0000000000ff"
#define KEEP_MS 60000

static const struct uuid key = {{0xaa}}, more = {{0xbb}};
#define KEY  "recovery:aa000000-0000-0000-0000-000000000000"
#define MORE "recovery:bb000000-0000-0000-0000-000000000000"

static int backs, doubts, answers;
static bool is_known;
static uint8_t results[300];
static enum shared_taken taken[4];
static struct buf bytes;
static size_t expected;

static void on_back(void *arg)
{
    (void)arg;
    backs++;
}

static void on_doubt(void *arg, const struct uuid *which)
{
    (void)arg;
    (void)which;
    doubts++;
}

static void on_written(void *arg, const uint8_t *of_each)
{
    (void)arg;
    answers++;
    is_known = of_each != NULL;
    if (of_each)
        memcpy(results, of_each, expected);
}

static void on_taken(void *arg, enum shared_taken what, struct str text)
{
    *(enum shared_taken *)arg = what;
    if (what == SHARED_TAKEN)
        buf_add_str(&bytes, text);
    answers++;
}

static void write_and_wait(const struct shared_write *writes, size_t count)
{
    int before = answers;
    expected = count;
    memset(results, 0xff, sizeof results);
    assert_true(recovery_store.write(writes, count, on_written, NULL));
    run_until(answers > before);
}

static enum shared_written write_one(enum shared_write_kind kind, const char *text, int64_t keep_ms)
{
    struct shared_write w = {.kind = kind, .key = key, .parts = {{text, strlen(text)}}, .keep_ms = keep_ms};
    write_and_wait(&w, 1);
    assert_true(is_known);
    return (enum shared_written)results[0];
}

static enum shared_taken take_one(void)
{
    int before = answers;
    bytes.n = 0;
    assert_true(recovery_store.take(&key, on_taken, &taken[0]));
    run_until(answers > before);
    return taken[0];
}

static void give_to_other(bool is_alive)
{
    look_text("SET " KEY " " OTHER "theirs PX 50000");
    if (is_alive)
        look_text("SET recovery_instance:" OTHER " 1 PX 50000");
}

/* --- writing --- */

static void test_what_is_put_and_appended_lies_behind_its_owner(void **state)
{
    (void)state;
    struct shared_write w = {SHARED_PUT, key, {STR("a"), STR("\0b"), STR("c\r\n")}, 50000};
    write_and_wait(&w, 1);
    assert_int_equal(results[0], SHARED_DONE);
    assert_int_equal(look_int("STRLEN " KEY), UUID_TEXT_LENGTH + 6);
    assert_string_equal(look_text("GETRANGE " KEY " 0 35"), UUIDZ(instance_id()));
    assert_in_range(look_int("PTTL " KEY), 30000, 50000);
    assert_int_equal(write_one(SHARED_APPEND, "def", 90000), SHARED_DONE);
    assert_string_equal(look_text("GETRANGE " KEY " 39 100"), "c\r\ndef");
    assert_in_range(look_int("PTTL " KEY), 70000, 90000);
    assert_int_equal(write_one(SHARED_APPEND, "", 20000), SHARED_DONE);
    assert_in_range(look_int("PTTL " KEY), 10000, 20000);
    assert_int_equal(write_one(SHARED_PUT, "anew", 20000), SHARED_DONE);
    assert_string_equal(look_text("GETRANGE " KEY " 36 100"), "anew");
    assert_int_equal(write_one(SHARED_REMOVE, "", 0), SHARED_DONE);
    assert_int_equal(look_int("EXISTS " KEY), 0);
}

static void test_nothing_is_appended_to_nothing(void **state)
{
    (void)state;
    assert_int_equal(write_one(SHARED_APPEND, "x", 50000), SHARED_ABSENT);
    assert_int_equal(look_int("EXISTS " KEY), 0);
    assert_int_equal(write_one(SHARED_REMOVE, "", 0), SHARED_DONE);
}

static void test_anothers_is_left_alone(void **state)
{
    (void)state;
    give_to_other(true);
    assert_int_equal(write_one(SHARED_APPEND, "x", 50000), SHARED_MOVED);
    assert_int_equal(write_one(SHARED_PUT, "x", 50000), SHARED_MOVED);
    assert_int_equal(write_one(SHARED_REMOVE, "", 50000), SHARED_MOVED);
    assert_string_equal(look_text("GET " KEY), OTHER "theirs");
}

static void test_each_of_a_batch_has_its_result(void **state)
{
    (void)state;
    struct shared_write w[257];
    for (size_t i = 0; i < 257; i++)
        w[i] = (struct shared_write){i % 2 ? SHARED_PUT : SHARED_APPEND, uuid_random(), {STR("x")}, 50000};
    give_to_other(true);
    w[200].key = key;
    w[256].key = more;
    look_int("RPUSH " MORE " x"); /* not of our making */
    write_and_wait(w, 257);
    assert_true(is_known);
    for (size_t i = 0; i < 257; i++)
        assert_int_equal(results[i], i == 200 ? SHARED_MOVED : i % 2 ? SHARED_DONE : SHARED_ABSENT);
}

/* --- taking --- */

static void test_a_state_is_taken_once(void **state)
{
    (void)state;
    give_to_other(true);
    answers = 0;
    assert_true(recovery_store.take(&key, on_taken, &taken[0]));
    assert_true(recovery_store.take(&key, on_taken, &taken[1]));
    run_until(answers == 2);
    assert_int_equal(taken[0], SHARED_TAKEN);
    assert_int_equal(taken[1], SHARED_OURS);
    assert_string_equal(look_text("GET " KEY), UUIDZ(instance_id()));
}

static void test_its_bytes_come_with_it(void **state)
{
    (void)state;
    give_to_other(true);
    assert_int_equal(take_one(), SHARED_TAKEN);
    assert_true(str_eqz(buf_str(&bytes), "theirs"));
    assert_int_equal(write_one(SHARED_PUT, "ours", 50000), SHARED_DONE);
    assert_int_equal(take_one(), SHARED_OURS);
}

static void test_what_another_has_just_taken_is_nobody_elses(void **state)
{
    (void)state;
    look_text("SET recovery_instance:" OTHER " 1");
    look_text("SET " KEY " " OTHER);
    assert_int_equal(take_one(), SHARED_ANOTHER);
}

static void test_what_a_long_dead_instance_left_is_too_old(void **state)
{
    (void)state;
    give_to_other(false);
    assert_int_equal(take_one(), SHARED_ANOTHER);
}

static void test_nothing_is_nothing(void **state)
{
    (void)state;
    assert_int_equal(take_one(), SHARED_NONE);
    look_int("RPUSH " KEY " x");
    assert_int_equal(take_one(), SHARED_NONE);
}

/* --- life --- */

static void test_an_instance_is_seen_alive(void **state)
{
    (void)state;
    log_set_threshold(LOG_ERROR + 1);
    server_kill();
    server_start(); /* empty */
    run_until(look_int("EXISTS recovery_instance:%s", UUIDZ(instance_id())) == 1);
    assert_in_range(look_int("PTTL recovery_instance:%s", UUIDZ(instance_id())), KEEP_MS, KEEP_MS + 5000);
    log_set_threshold(LOG_ERROR);
}

static void test_away_is_said_and_back_is_told(void **state)
{
    (void)state;
    int before = backs;
    struct shared_write w = {SHARED_PUT, key, {STR("x")}, 50000};
    expected = 1;
    log_set_threshold(LOG_ERROR + 1);
    server_kill();
    answers = 0;
    if (recovery_store.write(&w, 1, on_written, NULL)) { /* it is not known yet */
        run_until(answers == 1);
        assert_false(is_known);
    }
    assert_false(recovery_store.write(&w, 1, on_written, NULL));
    assert_false(recovery_store.take(&key, on_taken, &taken[0]));
    server_start();
    run_until(backs > before);
    log_set_threshold(LOG_ERROR);
    assert_int_equal(write_one(SHARED_PUT, "x", 50000), SHARED_DONE);
}

static int begin(void **state)
{
    static const struct shared_listener listener = {on_back, on_doubt, NULL};
    (void)state;
    recovery_store.listen(&listener);
    if (!backs)
        recovery_store_start(KEEP_MS);
    kv_start_and_wait();
    run_until(backs > 0);
    look_text("FLUSHALL");
    return 0;
}

static int end_all(void **state)
{
    recovery_store.listen(NULL);
    recovery_store_stop();
    buf_done(&bytes);
    return world_close(state);
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_put_and_appended_lies_behind_its_owner),
        TEST(test_nothing_is_appended_to_nothing),
        TEST(test_anothers_is_left_alone),
        TEST(test_each_of_a_batch_has_its_result),
        TEST(test_a_state_is_taken_once),
        TEST(test_its_bytes_come_with_it),
        TEST(test_what_another_has_just_taken_is_nobody_elses),
        TEST(test_what_a_long_dead_instance_left_is_too_old),
        TEST(test_nothing_is_nothing),
        TEST(test_an_instance_is_seen_alive),
        TEST(test_away_is_said_and_back_is_told),
    };
    return cmocka_run_group_tests(tests, world_open, end_all);
}
