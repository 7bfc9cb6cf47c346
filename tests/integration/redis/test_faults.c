/* Redis away, frozen, refusing, and back: every operation reports, at once when Redis is known to be away,
 * and the connection returns by itself. Each test begins with a running server and kv connected, unless it
 * says otherwise. */
#define COMMAND_TIMEOUT_MS "400"
#include "integration/redis/harness.h"

#include <fcntl.h>
#include <sys/socket.h>

#define AT_ONCE_TURNS 3 /* of the loop: no time limit of ours, and no other process, has a part in it */

static struct match_request request;

static enum err add_timed(int64_t *took_ms)
{
    int64_t began_ms = real_ms();
    enum err err = queue_add_now(&request);
    *took_ms = real_ms() - began_ms;
    return err;
}

static void assert_away_at_once(void)
{
    struct call c = {.submit = submit_queue_add, .request = &request};
    assert_false(kv_is_up());
    call_start(&c);
    for (int i = 0; i < AT_ONCE_TURNS && !c.is_done; i++)
        uv_run(loop_uv(), UV_RUN_NOWAIT);
    assert_true(c.is_done);
    assert_int_equal(c.err, ERR_KV_UNAVAILABLE);
}

static void assert_works(void)
{
    run_until(kv_is_up() && queue_add_now(&request) == OK);
}

/* The standard output while a test looks at the log. */
static int stdout_fd = -1, captured_fd;

static void capture_log(void)
{
    char name[] = "/tmp/test_faults_XXXXXX";
    fflush(stdout);
    stdout_fd = dup(STDOUT_FILENO);
    captured_fd = mkstemp(name);
    unlink(name);
    dup2(captured_fd, STDOUT_FILENO);
    log_set_threshold(LOG_INFO);
}

/* What was logged since capture_log. */
static const char *log_so_far(void)
{
    static char text[65536];
    ssize_t n = pread(captured_fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

/* The same, and the capture ends. */
static const char *captured_log(void)
{
    if (stdout_fd < 0)
        return "";
    const char *text = log_so_far();
    dup2(stdout_fd, STDOUT_FILENO);
    close(stdout_fd);
    close(captured_fd);
    stdout_fd = -1;
    log_set_threshold(LOG_ERROR + 1);
    return text;
}

static int count_of(const char *text, const char *word)
{
    int n = 0;
    for (const char *p = text; (p = strstr(p, word)); p += strlen(word))
        n++;
    return n;
}

static long long connections_so_far(void)
{
    const char *found = strstr(look_text("INFO stats"), "total_connections_received:");
    return atoll(found + strlen("total_connections_received:"));
}

/* --- away --- */

static void test_away_at_start_and_then_there(void **state)
{
    (void)state;
    kv_stop();
    server_kill();
    capture_log();
    kv_start();
    assert_away_at_once();
    server_start();
    assert_works();
    const char *log = captured_log();
    assert_int_equal(count_of(log, "redis.unavailable"), 1);
    assert_int_equal(count_of(log, "Connection refused"), 1);
    assert_int_equal(count_of(log, "redis.connected"), 1);
}

static void test_killed_and_restarted(void **state)
{
    (void)state;
    capture_log();
    server_kill();
    run_until(!kv_is_up());
    assert_away_at_once();
    server_start();
    assert_works();
    const char *log = captured_log();
    assert_in_range(count_of(log, "redis.unavailable"), 1, 2); /* closed, then refused */
    assert_int_equal(count_of(log, "redis.connected"), 1);
}

static void test_killed_with_commands_under_way(void **state)
{
    (void)state;
    enum { COUNT = 50 };
    static struct call calls[COUNT];
    kill(server_pid, SIGSTOP);
    for (int i = 0; i < COUNT; i++) {
        calls[i] = (struct call){.submit = submit_queue_add, .request = &request};
        call_start(&calls[i]);
    }
    for (int i = 0; i < 5; i++)
        turn();
    assert_false(calls[0].is_done);
    server_kill();
    for (int i = 0; i < COUNT; i++) {
        run_until(calls[i].is_done);
        assert_int_equal(calls[i].err, ERR_KV_UNAVAILABLE);
    }
    server_start();
    assert_works();
}

static void test_limits_go_on_in_the_process(void **state)
{
    (void)state;
    struct uuid user = uuid_random();
    int64_t retry_ms;
    server_kill();
    run_until(!kv_is_up());
    for (int i = 0; i < 3; i++)
        assert_int_equal(rate_take_now("joins", 3, 60000, &user, &retry_ms), OK);
    assert_int_equal(rate_take_now("joins", 3, 60000, &user, &retry_ms), ERR_RATE_LIMITED);
    assert_in_range(retry_ms, 50000, 60000);
    assert_int_equal(rate_take_now("joins", 4, 60000, &user, &retry_ms), OK); /* reconfigured: counts anew */
    server_start();
    assert_works();
}

/* --- frozen --- */

static void test_a_frozen_server_is_dropped(void **state)
{
    (void)state;
    struct uuid user = uuid_random();
    int64_t took_ms, retry_ms;
    kill(server_pid, SIGSTOP);
    assert_int_equal(add_timed(&took_ms), ERR_KV_UNAVAILABLE);
    assert_in_range(took_ms, 390, 10000); /* whatever stands still beside it */
    assert_away_at_once();
    assert_int_equal(rate_take_now("joins", 1, 60000, &user, &retry_ms), OK);
    kill(server_pid, SIGCONT);
    assert_works();
}

static void begin_to_sleep(redisContext *look)
{
    int written = 0;
    redisAppendCommand(look, "DEBUG SLEEP 1.2");
    while (!written)
        assert_int_equal(redisBufferWrite(look, &written), REDIS_OK);
}

static void test_a_slow_command_of_somebody_else(void **state)
{
    (void)state;
    redisContext *look = look_open();
    struct pollfd answer = {.fd = look->fd, .events = POLLIN};
    begin_to_sleep(look);
    while (queue_add_now(&request) == OK) /* the first may still be served */
        if (poll(&answer, 1, 0) == 1) {   /* it was over before we came to ask */
            redisReply *reply;
            assert_int_equal(redisGetReply(look, (void **)&reply), REDIS_OK);
            freeReplyObject(reply);
            begin_to_sleep(look);
        }
    assert_away_at_once();
    assert_works();
    redisFree(look);
}

static void test_an_idle_connection_is_tried(void **state)
{
    (void)state;
    kill(server_pid, SIGSTOP);
    run_until(!kv_is_up()); /* nobody asks anything of it */
    kill(server_pid, SIGCONT);
    assert_works();
}

static void test_a_flow_that_waits_no_longer(void **state)
{
    (void)state;
    struct call c = {.submit = submit_queue_add, .request = &request};
    struct call take = {.submit = submit_rate_take, .limit = {"joins", 3, 60000}, .user_id = uuid_random()};
    kill(server_pid, SIGSTOP);
    call_start_with(&c, &short_call_spec);
    call_start_with(&take, &short_call_spec);
    run_until(c.is_done && take.is_done);
    assert_int_equal(c.err, ERR_TIMEOUT);
    assert_int_equal(take.err, ERR_TIMEOUT);
    run_until(!kv_is_up()); /* the operations report to flows that have ended */
    kill(server_pid, SIGCONT);
    assert_works();
}

static void test_our_own_standstill_blames_nobody(void **state)
{
    (void)state;
    struct call c = {.submit = submit_queue_add, .request = &request};
    call_start(&c);
    for (int i = 0; i < 2; i++)
        uv_run(loop_uv(), UV_RUN_NOWAIT); /* sent, not yet read */
    poll(NULL, 0, 600);                   /* longer than the time limit of a command */
    run_until(c.is_done);
    assert_int_equal(c.err, OK);
    assert_true(kv_is_up());
}

/* --- cut and refused --- */

static void test_a_connection_cut_by_the_server(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct call c = {.submit = submit_queue_add, .request = &request};
        long long before = connections_so_far();
        look_int("CLIENT KILL TYPE normal SKIPME yes");
        call_start(&c); /* lost, or refused at once: in any case it reports */
        run_until(c.is_done);
        run_until(connections_so_far() > before + 2 && kv_is_up());
    }
    assert_works();
}

static void test_a_wrong_password_is_told_once_and_retried(void **state)
{
    (void)state;
    kv_stop();
    capture_log();
    setting("REDIS_PASSWORD", "wrong");
    long long before = connections_so_far(), looks = 0;
    kv_start();
    run_until((looks++, connections_so_far() - before - looks >= 4));
    assert_away_at_once();
    setting("REDIS_PASSWORD", PASSWORD);
    assert_works();
    const char *log = captured_log();
    assert_int_equal(count_of(log, "redis.unavailable"), 1);
    assert_int_equal(count_of(log, "WRONGPASS"), 1);
    assert_int_equal(count_of(log, "wrong\""), 0);
}

static void test_a_missing_password(void **state)
{
    (void)state;
    kv_stop();
    capture_log();
    setting("REDIS_PASSWORD", "");
    long long before = connections_so_far(), looks = 0;
    kv_start();
    run_until((looks++, connections_so_far() - before - looks >= 2));
    assert_away_at_once();
    setting("REDIS_PASSWORD", PASSWORD);
    assert_works();
    assert_true(count_of(captured_log(), "NOAUTH") >= 1);
}

static void test_a_database_number_that_does_not_exist(void **state)
{
    (void)state;
    kv_stop();
    capture_log();
    setting("REDIS_DB", "9999");
    kv_start();
    run_until(count_of(log_so_far(), "redis.unavailable") == 1);
    assert_away_at_once();
    setting("REDIS_DB", "3");
    assert_works();
    assert_int_equal(count_of(captured_log(), "DB index is out of range"), 1);
}

/* --- addresses --- */

static void test_a_host_by_name(void **state)
{
    (void)state;
    kv_stop();
    setting("REDIS_HOST", "localhost");
    kv_start();
    assert_away_at_once();
    assert_works();
    kv_stop();
    setting("REDIS_HOST", "127.0.0.1");
    kv_start_and_wait();
}

static void test_a_host_without_an_address(void **state)
{
    (void)state;
    kv_stop();
    capture_log();
    setting("REDIS_HOST", "nobody.invalid");
    kv_start();
    run_until(count_of(log_so_far(), "redis.unavailable") == 1);
    assert_away_at_once();
    kv_stop();
    kv_start();
    kv_stop(); /* while the name is being looked up */
    setting("REDIS_HOST", "127.0.0.1");
    kv_start();
    assert_works();
    captured_log();
}

/* --- other servers --- */

/* A process that answers the first thing each of its connections sends with the next of `answers`, the last
 * one for ever; then takes whatever comes without a word. */
static pid_t fake_server(int port, const char *const *answers)
{
    int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 8), 0);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            char got[4096];
            int fd = accept(listener, NULL, NULL);
            if (read(fd, got, sizeof got) > 0)
                while (write(fd, *answers, strlen(*answers)) > 0 && read(fd, got, sizeof got) > 0 &&
                       answers[1] == NULL)
                    continue;
            close(fd);
            if (answers[1])
                answers++;
        }
    }
    close(listener);
    return pid;
}

static void test_a_server_that_loads_or_talks_nonsense(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "+OK\r\n+OK\r\n-LOADING Redis is loading the dataset in memory\r\n",
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "+OK\r\n",
        "$-1\r\n*2\r\n",
        "-ERR max number of clients reached\r\n",
        NULL,
    };
    kv_stop();
    capture_log();
    char port[16];
    int fake_port = free_port();
    snprintf(port, sizeof port, "%d", fake_port);
    pid_t fake = fake_server(fake_port, answers);
    setting("REDIS_PORT", port);
    kv_start();
    run_until(count_of(log_so_far(), "max number of clients") == 1); /* the last of them */
    assert_away_at_once();
    kill(fake, SIGKILL);
    waitpid(fake, NULL, 0);
    kv_stop();
    snprintf(port, sizeof port, "%d", server_port);
    setting("REDIS_PORT", port);
    kv_start();
    assert_works();
    const char *log = captured_log();
    assert_int_equal(count_of(log, "LOADING"), 1);
    assert_true(count_of(log, "Protocol error") >= 1);
}

/* --- stop --- */

static void test_stop_reports_what_is_under_way(void **state)
{
    (void)state;
    struct call c = {.submit = submit_queue_add, .request = &request};
    struct call take = {.submit = submit_rate_take, .limit = {"joins", 3, 60000}, .user_id = uuid_random()};
    kill(server_pid, SIGSTOP);
    call_start(&c);
    call_start(&take);
    for (int i = 0; i < 5; i++)
        turn();
    kv_stop();
    run_until(c.is_done && take.is_done);
    assert_int_equal(c.err, ERR_KV_UNAVAILABLE);
    assert_int_equal(take.err, OK);
    kv_stop(); /* again: harmless */
    assert_away_at_once();
    kill(server_pid, SIGCONT);
    kv_start();
    assert_works();
}

static int begin(void **state)
{
    (void)state;
    log_set_threshold(LOG_ERROR + 1); /* the faults are on purpose */
    request = some_request();
    kv_start_and_wait();
    return 0;
}

static int finish(void **state)
{
    (void)state;
    captured_log(); /* a failed test left its capture */
    kill(server_pid, SIGCONT);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_away_at_start_and_then_there),
        TEST(test_killed_and_restarted),
        TEST(test_killed_with_commands_under_way),
        TEST(test_limits_go_on_in_the_process),
        TEST(test_a_frozen_server_is_dropped),
        TEST(test_a_slow_command_of_somebody_else),
        TEST(test_an_idle_connection_is_tried),
        TEST(test_a_flow_that_waits_no_longer),
        TEST(test_our_own_standstill_blames_nobody),
        TEST(test_a_connection_cut_by_the_server),
        TEST(test_a_wrong_password_is_told_once_and_retried),
        TEST(test_a_missing_password),
        TEST(test_a_database_number_that_does_not_exist),
        TEST(test_a_host_by_name),
        TEST(test_a_host_without_an_address),
        TEST(test_a_server_that_loads_or_talks_nonsense),
        TEST(test_stop_reports_what_is_under_way),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
