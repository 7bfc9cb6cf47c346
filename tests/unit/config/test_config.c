/* The configuration: defaults, sources and their order, what is refused and how it is said, reload. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conversation/config.h"

static char problem[512];
static char names[4][32]; /* of the files that file_with made */

/* --- set-up --- */

/* Every test begins without a variable of ours in the environment. */
static int clean(void **state)
{
    (void)state;
    clearenv();
    problem[0] = '\0';
    return 0;
}

static int release(void **state)
{
    (void)state;
    config_free();
    for (int i = 0; i < 4; i++)
        if (names[i][0])
            unlink(names[i]);
    memset(names, 0, sizeof names);
    return 0;
}

/* A file with this content; the name is valid until the next call with the same slot. */
static const char *file_with(int slot, const char *content)
{
    if (names[slot][0])
        unlink(names[slot]);
    snprintf(names[slot], sizeof names[slot], "/tmp/test_config_XXXXXX");
    int fd = mkstemp(names[slot]);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    close(fd);
    return names[slot];
}

static void assert_refused(const char *path, const char *expected)
{
    assert_false(config_load(path, problem));
    assert_string_equal(problem, expected);
}

/* --- defaults --- */

static void test_the_defaults_are_those_documented(void **state)
{
    (void)state;
    assert_true(config_load(NULL, problem));
    assert_string_equal(config.node_env, "production");
    assert_int_equal(config.port, 3003);
    assert_int_equal(config.ops_port, 0);
    assert_string_equal(config.db_host, "localhost");
    assert_string_equal(config.db_password, "");
    assert_false(config.db_auto_migrate);
    assert_int_equal(config.redis_db, 3);
    assert_int_equal(config.redis_command_timeout_ms, 1000);
    assert_string_equal(config.kafka_brokers, "");
    assert_int_equal(config.ws_heartbeat_interval_ms, 30000);
    assert_int_equal(config.ws_max_connections, 20000);
    assert_string_equal(config.ws_path, "/ws/conversations");
    assert_int_equal(config.ws_recovery_seconds, 20);
    assert_int_equal(config.ws_recovery_bytes, 16384);
    assert_int_equal(config.ws_recovery_total_bytes, 67108864);
    assert_int_equal(config.ws_deflate_threshold_bytes, 1024);
    assert_int_equal(config.match_timeout_seconds, 120);
    assert_int_equal(config.session_cleanup_interval_ms, 300000);
    assert_int_equal(config.prompt_interval_min_seconds, 180);
    assert_int_equal(config.session_max_duration_premium_seconds, 3600);
    assert_true(config.enable_recording);
}

static void test_ws_port_follows_port_unless_given(void **state)
{
    (void)state;
    assert_true(config_load(NULL, problem));
    assert_int_equal(config.ws_port, 3003);
    setenv("PORT", "8080", 1);
    assert_true(config_load(NULL, problem));
    assert_int_equal(config.ws_port, 8080);
    setenv("WS_PORT", "9090", 1);
    assert_true(config_load(NULL, problem));
    assert_int_equal(config.port, 8080);
    assert_int_equal(config.ws_port, 9090);
}

/* --- values --- */

static void test_each_kind_is_read(void **state)
{
    (void)state;
    setenv("DB_HOST", "db.example", 1);
    setenv("DB_PORT", "65535", 1);
    setenv("HTTP_MAX_BODY_BYTES", "1073741824", 1);
    setenv("LOG_LEVEL", "warn", 1);
    assert_true(config_load(NULL, problem));
    assert_string_equal(config.db_host, "db.example");
    assert_int_equal(config.db_port, 65535);
    assert_int_equal(config.http_max_body_bytes, 1073741824);
    assert_string_equal(config.log_level, "warn");
}

static void test_booleans_have_six_spellings(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool value;
    } cases[] = {{"true", true}, {"1", true}, {"yes", true}, {"false", false}, {"0", false}, {"no", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        setenv("DB_AUTO_MIGRATE", cases[i].text, 1);
        assert_true(config_load(NULL, problem));
        assert_int_equal(config.db_auto_migrate, cases[i].value);
    }
}

static void test_a_bad_value_is_named_with_what_is_allowed(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value, *expected;
    } cases[] = {
        {"WS_PORT", "abc", "WS_PORT: \"abc\" is not allowed: an integer from 1 to 65535"},
        {"WS_PORT", "", "WS_PORT: \"\" is not allowed: an integer from 1 to 65535"},
        {"WS_PORT", "65536", "WS_PORT: \"65536\" is not allowed: an integer from 1 to 65535"},
        {"PORT", "0", "PORT: \"0\" is not allowed: an integer from 1 to 65535"},
        {"PORT", "-1", "PORT: \"-1\" is not allowed: an integer from 1 to 65535"},
        {"PORT", "3003 ", "PORT: \"3003 \" is not allowed: an integer from 1 to 65535"},
        {"PORT", "99999999999999999999",
         "PORT: \"99999999999999999999\" is not allowed: an integer from 1 to 65535"},
        {"DB_SSLMODE", "",
         "DB_SSLMODE: \"\" is not allowed: one of disable, allow, prefer, require, verify-ca, verify-full"},
        {"ENABLE_RECORDING", "TRUE",
         "ENABLE_RECORDING: \"TRUE\" is not allowed: one of true, false, 1, 0, yes, no"},
        {"DB_HOST", "", "DB_HOST: \"\" is not allowed: a text of 1 to 255 bytes"},
        {"WS_DEFLATE_THRESHOLD_BYTES", "-1",
         "WS_DEFLATE_THRESHOLD_BYTES: \"-1\" is not allowed: an integer from 0 to 1073741824"},
        {"WS_PATH", "ws", "WS_PATH: \"ws\" is not allowed: a path that begins with /"},
        {"DB_HOST_FILE", "/nowhere/x", "DB_HOST_FILE: cannot read \"/nowhere/x\": No such file or directory"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        clearenv();
        setenv(cases[i].name, cases[i].value, 1);
        assert_refused(NULL, cases[i].expected);
    }
}

static void test_a_long_or_broken_value_stays_one_short_line(void **state)
{
    (void)state;
    char value[2000];
    memset(value, 'x', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    value[3] = '\n';
    setenv("PORT", value, 1);
    assert_false(config_load(NULL, problem));
    assert_null(strchr(problem, '\n'));
    assert_true(strlen(problem) < 200);
    assert_non_null(strstr(problem, "xxx?xxx"));
}

static void test_a_secret_is_never_shown(void **state)
{
    (void)state;
    char secret[2000];
    memset(secret, 's', sizeof secret - 1);
    secret[sizeof secret - 1] = '\0';
    setenv("DB_PASSWORD", secret, 1);
    assert_refused(NULL, "DB_PASSWORD: this value is not allowed: a text of 0 to 1024 bytes");
    clearenv();
    assert_false(config_load(file_with(0, "PORT=1\nhunter2\n"), problem)); /* half of a secret of two lines */
    assert_null(strstr(problem, "hunter2"));
}

static void test_variables_are_checked_together(void **state)
{
    (void)state;
    setenv("PROMPT_INTERVAL_MIN", "400", 1);
    assert_refused(NULL, "PROMPT_INTERVAL_MIN: \"400\" is not allowed: at most PROMPT_INTERVAL_MAX (300)");
    clearenv();
    setenv("SESSION_MAX_DURATION_PREMIUM", "60", 1);
    assert_refused(
        NULL, "SESSION_MAX_DURATION_FREE: \"900\" is not allowed: at most SESSION_MAX_DURATION_PREMIUM (60)");
    clearenv();
    setenv("TURN_USERNAME", "ana", 1);
    assert_refused(NULL, "TURN_USERNAME and TURN_CREDENTIAL: only one is set; set both or neither");
}

static void test_kafka_security_is_checked(void **state)
{
    (void)state;
    assert_true(config_load(NULL, problem));
    assert_string_equal(config.kafka_security_protocol, "plaintext");
    setenv("KAFKA_SECURITY_PROTOCOL", "sasl_ssl", 1);
    setenv("KAFKA_SASL_USERNAME", "conversation", 1);
    assert_refused(
        NULL, "KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD: KAFKA_SECURITY_PROTOCOL sasl_ssl needs both");
    setenv("KAFKA_SASL_PASSWORD", "secret", 1);
    assert_true(config_load(NULL, problem));
    assert_string_equal(config.kafka_sasl_mechanism, "SCRAM-SHA-512");
    setenv("KAFKA_SSL_CERT", "pem", 1);
    assert_refused(NULL, "KAFKA_SSL_CERT and KAFKA_SSL_KEY: only one is set; set both or neither");
}

static void test_the_auth_service_is_checked(void **state)
{
    (void)state;
    assert_true(config_load(NULL, problem));
    assert_string_equal(config.auth_service_url, "");
    assert_int_equal(config.auth_service_timeout_ms, 2000);
    assert_int_equal(config.auth_service_retries, 1);
    assert_int_equal(config.auth_service_breaker_failures, 5);
    assert_int_equal(config.auth_service_breaker_seconds, 10);
    assert_int_equal(config.auth_service_cache_seconds, 300);
    setenv("AUTH_SERVICE_URL", "auth-service:3001", 1);
    assert_refused(NULL,
                   "AUTH_SERVICE_URL: \"auth-service:3001\" is not allowed: http://HOST or https://HOST, with"
                   " :PORT and a path or without");
    setenv("AUTH_SERVICE_URL", "http://auth-service:3001/api", 1);
    setenv("AUTH_SERVICE_TOKEN", "two words", 1);
    assert_refused(NULL, "AUTH_SERVICE_TOKEN: this value is not allowed: visible ASCII characters");
    setenv("AUTH_SERVICE_TOKEN", "secret", 1);
    setenv("AUTH_SERVICE_RETRIES", "2", 1);
    assert_refused(NULL, "AUTH_SERVICE_TIMEOUT_MS and AUTH_SERVICE_RETRIES: 3 tries of 2000 ms are more than"
                         " 4000 ms");
    setenv("AUTH_SERVICE_TIMEOUT_MS", "1333", 1);
    assert_true(config_load(NULL, problem));
    assert_string_equal(config.auth_service_url, "http://auth-service:3001/api");
}

/* --- NAME_FILE --- */

/* Not the content of a file for a variable TLS_CERT: the rule about NAME_FILE stops at names that are rows.
 */
static void test_a_path_is_taken_as_it_is(void **state)
{
    (void)state;
    setenv("TLS_CERT_FILE", "/etc/tls/server.pem", 1);
    assert_refused(NULL, "TLS_CERT_FILE and TLS_KEY_FILE: only one is set; set both or neither");
    assert_true(config_load(file_with(0, "TLS_KEY_FILE=/etc/tls/server.key\n"), problem));
    assert_string_equal(config.tls_cert_file, "/etc/tls/server.pem");
    assert_string_equal(config.tls_key_file, "/etc/tls/server.key");
}

static void test_a_value_may_come_from_a_file_of_its_own(void **state)
{
    (void)state;
    setenv("DB_PASSWORD_FILE", file_with(0, "s3cret = #1\n"), 1);
    setenv("JWT_PUBLIC_KEY_FILE", file_with(1, "-----BEGIN\nabc\n-----END\n\n"), 1);
    setenv("REDIS_PASSWORD_FILE", file_with(2, ""), 1);
    setenv("TURN_SECRET_FILE", file_with(3, "dos\r\n"), 1);
    assert_true(config_load(NULL, problem));
    assert_string_equal(config.db_password, "s3cret = #1");
    assert_string_equal(config.jwt_public_key, "-----BEGIN\nabc\n-----END\n"); /* one line end is taken off */
    assert_string_equal(config.redis_password, "");
    assert_string_equal(config.turn_secret, "dos");
}

static void test_a_name_given_both_ways_is_refused(void **state)
{
    (void)state;
    setenv("DB_PASSWORD", "a", 1);
    setenv("DB_PASSWORD_FILE", file_with(0, "b"), 1);
    assert_refused(NULL, "DB_PASSWORD: is given twice, also as DB_PASSWORD_FILE");
}

static void test_a_file_that_is_not_text_is_refused(void **state)
{
    (void)state;
    setenv("DB_PASSWORD_FILE", "/proc/self/environ", 1); /* has NUL bytes */
    assert_false(config_load(NULL, problem));
    assert_string_equal(problem, "DB_PASSWORD_FILE: \"/proc/self/environ\" is not a text file");
    setenv("DB_PASSWORD_FILE", "/dev/zero", 1);
    assert_refused(NULL, "DB_PASSWORD_FILE: cannot read \"/dev/zero\": File too large");
    setenv("DB_PASSWORD_FILE", "/tmp", 1);
    assert_refused(NULL, "DB_PASSWORD_FILE: cannot read \"/tmp\": Is a directory");
}

/* --- the configuration file --- */

static void test_a_file_is_read(void **state)
{
    (void)state;
    const char *path = file_with(0, "# a comment\n"
                                    "\n"
                                    "PORT=4000\n"
                                    "  DB_HOST = db.example  \r\n"
                                    "DB_USER=\"ana maria\"\n"
                                    "DB_PASSWORD='a=b#c'\n"
                                    "SERVICE_NAME=\"\"\"\n"
                                    "DB_NAME=conversations     # the one of this stage\n"
                                    "KAFKA_CLIENT_ID='a # b'\n"
                                    "REDIS_PASSWORD=");
    assert_true(config_load(path, problem));
    assert_int_equal(config.port, 4000);
    assert_string_equal(config.db_host, "db.example");
    assert_string_equal(config.db_user, "ana maria");
    assert_string_equal(config.db_password, "a=b#c");
    assert_string_equal(config.service_name, "\"");
    assert_string_equal(config.db_name, "conversations");
    assert_string_equal(config.kafka_client_id, "a # b");
    assert_string_equal(config.redis_password, "");
}

static void test_the_environment_wins_over_the_file(void **state)
{
    (void)state;
    char content[128];
    snprintf(content, sizeof content, "PORT=4000\nDB_HOST=a\nDB_PASSWORD_FILE=%s\n",
             file_with(1, "from-file\n"));
    setenv("PORT", "5000", 1);
    assert_true(config_load(file_with(0, content), problem));
    assert_int_equal(config.port, 5000);
    assert_string_equal(config.db_host, "a");
    assert_string_equal(config.db_password, "from-file");
    setenv("DB_PASSWORD", "from-environment", 1);
    assert_true(config_load(file_with(0, content), problem));
    assert_string_equal(config.db_password, "from-environment");
}

static void assert_line_refused(const char *content, const char *expected_after_path)
{
    const char *path = file_with(0, content);
    char expected[256];
    snprintf(expected, sizeof expected, "%s%s", path, expected_after_path);
    assert_refused(path, expected);
}

static void test_a_bad_line_is_named(void **state)
{
    (void)state;
    assert_line_refused("PORT=1\n\n# x\nDB_HOSTS=x\n", ":4: DB_HOSTS is not a variable of this service");
    assert_line_refused("DB_HOSTS_FILE=x\n", ":1: DB_HOSTS_FILE is not a variable of this service");
    assert_line_refused("port=1\n", ":1: port is not a variable of this service");
    assert_line_refused("=1\n", ":1:  is not a variable of this service");
    assert_line_refused("hunter2\n", ":1: is not NAME=value");
    assert_line_refused("PORT=1\nPORT=2\n", ":2: PORT is given twice");
    assert_line_refused("DB_PASSWORD=1\nDB_PASSWORD_FILE=/x\n", ":2: DB_PASSWORD is given twice");
    assert_refused("/nowhere/x",
                   "cannot read the configuration file \"/nowhere/x\": No such file or directory");
}

static void test_the_development_file_is_valid(void **state)
{
    (void)state;
    if (access("config/development.env", R_OK) != 0)
        skip(); /* not run from the root of the sources */
    assert_true(config_load("config/development.env", problem));
    assert_string_equal(config.node_env, "development");
}

/* --- reload --- */

static void test_reload_takes_only_the_reloadable(void **state)
{
    (void)state;
    assert_true(config_load(file_with(0, "LOG_LEVEL=info\nPORT=4000\nRATE_LIMIT_WS_MESSAGES=7\n"), problem));
    const char *path = file_with(1, "LOG_LEVEL=debug\nPORT=5000\nDB_HOST=other\nRATE_LIMIT_WS_MESSAGES=8\n");
    assert_true(config_reload(path, problem));
    assert_string_equal(config.log_level, "debug");
    assert_int_equal(config.rate_limit_ws_messages, 8);
    assert_int_equal(config.port, 4000);
    assert_string_equal(config.db_host, "localhost");
}

static void test_a_bad_reload_changes_nothing(void **state)
{
    (void)state;
    assert_true(config_load(NULL, problem));
    struct config before = config;
    assert_false(config_reload(file_with(0, "LOG_LEVEL=debug\nDB_PORT=x\n"), problem));
    assert_string_equal(problem, "DB_PORT: \"x\" is not allowed: an integer from 1 to 65535");
    assert_memory_equal(&before, &config, sizeof config);
    assert_string_equal(config.log_level, "info");
}

static void test_a_bad_load_changes_nothing(void **state)
{
    (void)state;
    setenv("PORT", "4000", 1);
    assert_true(config_load(NULL, problem));
    setenv("PORT", "x", 1);
    assert_false(config_load(NULL, problem));
    assert_int_equal(config.port, 4000);
}

static void test_free_may_be_called_twice(void **state)
{
    (void)state;
    assert_true(config_load(NULL, problem));
    config_free();
    config_free();
    assert_null(config.db_host);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, clean, release)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_defaults_are_those_documented),
        TEST(test_ws_port_follows_port_unless_given),
        TEST(test_each_kind_is_read),
        TEST(test_booleans_have_six_spellings),
        TEST(test_a_bad_value_is_named_with_what_is_allowed),
        TEST(test_a_long_or_broken_value_stays_one_short_line),
        TEST(test_a_secret_is_never_shown),
        TEST(test_variables_are_checked_together),
        TEST(test_kafka_security_is_checked),
        TEST(test_the_auth_service_is_checked),
        TEST(test_a_path_is_taken_as_it_is),
        TEST(test_a_value_may_come_from_a_file_of_its_own),
        TEST(test_a_name_given_both_ways_is_refused),
        TEST(test_a_file_that_is_not_text_is_refused),
        TEST(test_a_file_is_read),
        TEST(test_the_environment_wins_over_the_file),
        TEST(test_a_bad_line_is_named),
        TEST(test_the_development_file_is_valid),
        TEST(test_reload_takes_only_the_reloadable),
        TEST(test_a_bad_reload_changes_nothing),
        TEST(test_a_bad_load_changes_nothing),
        TEST(test_free_may_be_called_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
