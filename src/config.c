/* The configuration table, and reading it: defaults, then the file of --config, then the environment.
 *
 * One row is one variable. The values found are kept as text in `struct given` until all are known to be
 * good; only then does anything change, so a bad value on reload leaves the running configuration as it was.
 */
#include "conversation/config.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "conversation/base/str.h"
#include "conversation/base/url.h"

struct config config;

enum kind { KIND_STRING, KIND_INT, KIND_INT64, KIND_BOOL };

enum { RELOADABLE = 1, SECRET = 2 }; /* flags of a row; a secret's value appears in no message */

struct row {
    const char *name;
    size_t offset;        /* into struct config */
    enum kind kind;       /* of the field there */
    const char *fallback; /* the default; "$NAME" is the value of that variable */
    int64_t min, max;     /* of a number; of a string: its length in bytes */
    const char *choices;  /* "a|b|c", or NULL */
    unsigned flags;
};

/* The kind follows from the field's type, so the two cannot disagree. */
#define KIND_OF(field) \
    _Generic(((struct config *)0)->field,                                                                    \
        const char *: KIND_STRING, int: KIND_INT, int64_t: KIND_INT64, bool: KIND_BOOL)
#define FIELD(field) offsetof(struct config, field), KIND_OF(field)

#define NUMBER(min, max) (min), (max), NULL
#define TEXT(min, max)   (min), (max), NULL
#define ONE_OF(choices)  0, 0, (choices)
#define YES_NO           0, 0, "true|false|1|0|yes|no"

#define PORT_MAX    65535
#define HOST_MAX    255
#define TEXT_MAX    1024
#define LIST_MAX    8192     /* comma-separated hosts, origins, URLs */
#define PEM_MAX     65536    /* a file of several keys or certificates */
#define MS_MAX      86400000 /* a day */
#define SECONDS_MAX 604800   /* a week */
#define COUNT_MAX   1000000
#define BYTES_MAX   1073741824 /* 1 GiB */

static const struct row rows[] = {
    /* clang-format off */
/* name                        field, default, allowed, flags */
/* service */
{"NODE_ENV",                    FIELD(node_env), "production", TEXT(1, HOST_MAX), 0},
{"SERVICE_NAME",                FIELD(service_name), "conversation-service", TEXT(1, HOST_MAX), 0},
{"LOG_LEVEL",                   FIELD(log_level), "info", ONE_OF("debug|info|warn|error"), RELOADABLE},
{"PORT",                        FIELD(port), "3003", NUMBER(1, PORT_MAX), 0},
{"OPS_PORT",                    FIELD(ops_port), "0", NUMBER(0, PORT_MAX), 0},
{"BIND_ADDRESS",                FIELD(bind_address), "0.0.0.0", TEXT(1, HOST_MAX), 0},
{"SHUTDOWN_TIMEOUT_SECONDS",    FIELD(shutdown_timeout_seconds), "30", NUMBER(1, 3600), 0},
/* PostgreSQL */
{"DB_HOST",                     FIELD(db_host), "localhost", TEXT(1, HOST_MAX), 0},
{"DB_PORT",                     FIELD(db_port), "5432", NUMBER(1, PORT_MAX), 0},
{"DB_NAME",                     FIELD(db_name), "wespeak_conversations", TEXT(1, HOST_MAX), 0},
{"DB_USER",                     FIELD(db_user), "conversation_service", TEXT(1, HOST_MAX), 0},
{"DB_PASSWORD",                 FIELD(db_password), "", TEXT(0, TEXT_MAX), SECRET},
{"DB_SSLMODE",                  FIELD(db_sslmode), "prefer", ONE_OF("disable|allow|prefer|require|verify-ca|verify-full"), 0},
{"DB_POOL_SIZE",                FIELD(db_pool_size), "4", NUMBER(1, 100), 0},
{"DB_WRITERS",                  FIELD(db_writers), "2", NUMBER(1, 16), 0},
{"DB_AUTO_MIGRATE",             FIELD(db_auto_migrate), "false", YES_NO, 0},
{"DB_STATEMENT_TIMEOUT_MS",     FIELD(db_statement_timeout_ms), "3000", NUMBER(100, MS_MAX), 0},
{"DB_CONNECT_TIMEOUT_MS",       FIELD(db_connect_timeout_ms), "5000", NUMBER(100, MS_MAX), 0},
/* Redis */
{"REDIS_HOST",                  FIELD(redis_host), "localhost", TEXT(1, HOST_MAX), 0},
{"REDIS_PORT",                  FIELD(redis_port), "6379", NUMBER(1, PORT_MAX), 0},
{"REDIS_PASSWORD",              FIELD(redis_password), "", TEXT(0, TEXT_MAX), SECRET},
{"REDIS_DB",                    FIELD(redis_db), "3", NUMBER(0, 65535), 0},
{"REDIS_COMMAND_TIMEOUT_MS",    FIELD(redis_command_timeout_ms), "1000", NUMBER(50, MS_MAX), 0},
/* Kafka */
{"KAFKA_BROKERS",               FIELD(kafka_brokers), "", TEXT(0, LIST_MAX), 0},
{"KAFKA_CLIENT_ID",             FIELD(kafka_client_id), "conversation-service", TEXT(1, HOST_MAX), 0},
{"KAFKA_GROUP_ID",              FIELD(kafka_group_id), "conversation-service-group", TEXT(1, HOST_MAX), 0},
{"KAFKA_TOPIC_CONVERSATIONS",   FIELD(kafka_topic_conversations), "conversation.events", TEXT(1, HOST_MAX), 0},
{"KAFKA_TOPIC_USER",            FIELD(kafka_topic_user), "user.events", TEXT(1, HOST_MAX), 0},
{"KAFKA_TOPIC_LESSONS",         FIELD(kafka_topic_lessons), "lesson.events", TEXT(1, HOST_MAX), 0},
{"KAFKA_TOPIC_FEEDBACK",        FIELD(kafka_topic_feedback), "feedback.events", TEXT(1, HOST_MAX), 0},
{"KAFKA_SESSION_TIMEOUT_MS",    FIELD(kafka_session_timeout_ms), "10000", NUMBER(1000, 300000), 0},
{"KAFKA_SECURITY_PROTOCOL",     FIELD(kafka_security_protocol), "plaintext", ONE_OF("plaintext|ssl|sasl_plaintext|sasl_ssl"), 0},
{"KAFKA_SASL_MECHANISM",        FIELD(kafka_sasl_mechanism), "SCRAM-SHA-512", ONE_OF("PLAIN|SCRAM-SHA-256|SCRAM-SHA-512"), 0},
{"KAFKA_SASL_USERNAME",         FIELD(kafka_sasl_username), "", TEXT(0, TEXT_MAX), 0},
{"KAFKA_SASL_PASSWORD",         FIELD(kafka_sasl_password), "", TEXT(0, TEXT_MAX), SECRET},
{"KAFKA_SSL_CA",                FIELD(kafka_ssl_ca), "", TEXT(0, PEM_MAX), 0},
{"KAFKA_SSL_CERT",              FIELD(kafka_ssl_cert), "", TEXT(0, PEM_MAX), 0},
{"KAFKA_SSL_KEY",               FIELD(kafka_ssl_key), "", TEXT(0, PEM_MAX), SECRET},
{"EVENT_RETENTION_DAYS",        FIELD(event_retention_days), "7", NUMBER(1, 3650), 0},
/* HTTP */
{"CORS_ALLOWED_ORIGINS",        FIELD(cors_allowed_origins), "", TEXT(0, LIST_MAX), 0},
{"HTTP_MAX_BODY_BYTES",         FIELD(http_max_body_bytes), "65536", NUMBER(1024, BYTES_MAX), 0},
{"HTTP_MAX_HEADER_BYTES",       FIELD(http_max_header_bytes), "16384", NUMBER(1024, 1048576), 0},
{"HTTP_MAX_URI_BYTES",          FIELD(http_max_uri_bytes), "8192", NUMBER(256, 1048576), 0},
{"HTTP_HEADER_TIMEOUT_MS",      FIELD(http_header_timeout_ms), "10000", NUMBER(100, MS_MAX), 0},
{"HTTP_BODY_TIMEOUT_MS",        FIELD(http_body_timeout_ms), "20000", NUMBER(100, MS_MAX), 0},
{"HTTP_KEEP_ALIVE_TIMEOUT_MS",  FIELD(http_keep_alive_timeout_ms), "75000", NUMBER(100, MS_MAX), 0},
{"HTTP_MAX_CONNECTIONS",        FIELD(http_max_connections), "25000", NUMBER(1, COUNT_MAX), 0},
{"HTTP_MAX_CONNECTIONS_PER_ADDRESS",FIELD(http_max_connections_per_address), "0", NUMBER(0, COUNT_MAX), 0},
{"HTTP_WRITE_BUFFER_BYTES",     FIELD(http_write_buffer_bytes), "1048576", NUMBER(65536, BYTES_MAX), 0},
/* TLS */
{"TLS_CERT_FILE",               FIELD(tls_cert_file), "", TEXT(0, TEXT_MAX), RELOADABLE},
{"TLS_KEY_FILE",                FIELD(tls_key_file), "", TEXT(0, TEXT_MAX), RELOADABLE},
/* WebSocket, Engine.IO, Socket.IO */
{"WS_PORT",                     FIELD(ws_port), "$PORT", NUMBER(1, PORT_MAX), 0},
{"WS_PATH",                     FIELD(ws_path), "/ws/conversations", TEXT(2, HOST_MAX), 0},
{"WS_HEARTBEAT_INTERVAL",       FIELD(ws_heartbeat_interval_ms), "30000", NUMBER(100, MS_MAX), 0},
{"WS_HEARTBEAT_TIMEOUT",        FIELD(ws_heartbeat_timeout_ms), "20000", NUMBER(100, MS_MAX), 0},
{"WS_MAX_CONNECTIONS",          FIELD(ws_max_connections), "20000", NUMBER(1, COUNT_MAX), 0},
{"WS_MAX_PAYLOAD_BYTES",        FIELD(ws_max_payload_bytes), "1000000", NUMBER(1024, BYTES_MAX), 0},
{"WS_SEND_BUFFER_BYTES",        FIELD(ws_send_buffer_bytes), "1048576", NUMBER(65536, BYTES_MAX), 0},
{"WS_DEFLATE_THRESHOLD_BYTES",  FIELD(ws_deflate_threshold_bytes), "1024", NUMBER(0, BYTES_MAX), 0},
{"WS_CONNECT_TIMEOUT_MS",       FIELD(ws_connect_timeout_ms), "45000", NUMBER(100, MS_MAX), 0},
{"WS_AUTH_TIMEOUT_MS",          FIELD(ws_auth_timeout_ms), "10000", NUMBER(100, MS_MAX), 0},
{"WS_RECOVERY_SECONDS",         FIELD(ws_recovery_seconds), "20", NUMBER(0, 3600), 0},
{"WS_RECOVERY_BYTES",           FIELD(ws_recovery_bytes), "16384", NUMBER(1024, BYTES_MAX), 0},
{"WS_RECOVERY_TOTAL_BYTES",     FIELD(ws_recovery_total_bytes), "67108864", NUMBER(65536, INT64_C(1) << 40), 0},
{"WS_RECOVERY_SHARED_BYTES",    FIELD(ws_recovery_shared_bytes), "67108864", NUMBER(0, INT64_C(1) << 40), 0},
{"WS_REQUIRE_HANDSHAKE_AUTH",   FIELD(ws_require_handshake_auth), "false", YES_NO, 0},
/* WebRTC */
{"TURN_SERVER_URL",             FIELD(turn_server_url), "", TEXT(0, LIST_MAX), RELOADABLE},
{"TURN_USERNAME",               FIELD(turn_username), "", TEXT(0, TEXT_MAX), RELOADABLE},
{"TURN_CREDENTIAL",             FIELD(turn_credential), "", TEXT(0, TEXT_MAX), RELOADABLE | SECRET},
{"TURN_SECRET",                 FIELD(turn_secret), "", TEXT(0, TEXT_MAX), RELOADABLE | SECRET},
{"TURN_TTL_SECONDS",            FIELD(turn_ttl_seconds), "86400", NUMBER(60, SECONDS_MAX), RELOADABLE},
{"STUN_SERVER_URL",             FIELD(stun_server_url), "", TEXT(0, LIST_MAX), RELOADABLE},
/* storage */
{"R2_BUCKET_NAME",              FIELD(r2_bucket_name), "wespeak-recordings", TEXT(0, HOST_MAX), 0},
{"R2_ACCOUNT_ID",               FIELD(r2_account_id), "", TEXT(0, TEXT_MAX), 0},
{"R2_ACCESS_KEY",               FIELD(r2_access_key), "", TEXT(0, TEXT_MAX), SECRET},
{"R2_SECRET_KEY",               FIELD(r2_secret_key), "", TEXT(0, TEXT_MAX), SECRET},
{"R2_RECORDINGS_PREFIX",        FIELD(r2_recordings_prefix), "sessions/", TEXT(0, HOST_MAX), 0},
/* tokens */
{"JWT_PUBLIC_KEY",              FIELD(jwt_public_key), "", TEXT(0, PEM_MAX), RELOADABLE},
{"JWT_ISSUER",                  FIELD(jwt_issuer), "", TEXT(0, TEXT_MAX), 0},
{"JWT_AUDIENCE",                FIELD(jwt_audience), "", TEXT(0, TEXT_MAX), 0},
{"JWT_LEEWAY_SECONDS",          FIELD(jwt_leeway_seconds), "30", NUMBER(0, 3600), 0},
{"JWT_CACHE_ENTRIES",           FIELD(jwt_cache_entries), "20000", NUMBER(0, COUNT_MAX), 0},
/* auth-service */
{"AUTH_SERVICE_URL",            FIELD(auth_service_url), "", TEXT(0, TEXT_MAX), 0},
{"AUTH_SERVICE_TOKEN",          FIELD(auth_service_token), "", TEXT(0, LIST_MAX), RELOADABLE | SECRET},
{"AUTH_SERVICE_TIMEOUT_MS",     FIELD(auth_service_timeout_ms), "2000", NUMBER(50, 4000), 0},
{"AUTH_SERVICE_RETRIES",        FIELD(auth_service_retries), "1", NUMBER(0, 3), 0},
{"AUTH_SERVICE_BREAKER_FAILURES",FIELD(auth_service_breaker_failures), "5", NUMBER(0, COUNT_MAX), 0},
{"AUTH_SERVICE_BREAKER_SECONDS",FIELD(auth_service_breaker_seconds), "10", NUMBER(1, 3600), 0},
{"AUTH_SERVICE_CACHE_SECONDS",  FIELD(auth_service_cache_seconds), "300", NUMBER(0, 86400), 0},
/* topics */
{"TOPICS_CACHE_SECONDS",        FIELD(topics_cache_seconds), "5", NUMBER(0, 3600), 0},
{"POPULARITY_INTERVAL",         FIELD(popularity_interval_ms), "3600000", NUMBER(100, MS_MAX), 0},
/* matching */
{"MATCH_TIMEOUT_SECONDS",       FIELD(match_timeout_seconds), "120", NUMBER(1, 300), 0},
{"MATCH_QUEUE_CLEANUP_INTERVAL",FIELD(match_queue_cleanup_interval_ms), "60000", NUMBER(100, MS_MAX), 0},
{"MATCH_LEASE_SECONDS",         FIELD(match_lease_seconds), "5", NUMBER(1, 60), 0},
{"MATCH_STATUS_MAX_WAITING",    FIELD(match_status_max_waiting), "20000", NUMBER(0, COUNT_MAX), RELOADABLE},
{"MIN_COMPATIBILITY_SCORE",     FIELD(min_compatibility_score), "50", NUMBER(0, 1000), 0},
{"MATCH_TRACE_FILE",            FIELD(match_trace_file), "", TEXT(0, TEXT_MAX), 0},
{"MATCH_TRACE_MAX_BYTES",       FIELD(match_trace_max_bytes), "1073741824", NUMBER(65536, INT64_C(1) << 40), 0},
/* sessions */
{"SESSION_MAX_DURATION_FREE",   FIELD(session_max_duration_free_seconds), "900", NUMBER(1, 86400), 0},
{"SESSION_MAX_DURATION_PREMIUM",FIELD(session_max_duration_premium_seconds), "3600", NUMBER(1, 86400), 0},
{"SESSION_CLEANUP_INTERVAL",    FIELD(session_cleanup_interval_ms), "300000", NUMBER(100, MS_MAX), 0},
{"SESSION_JOIN_WINDOW_SECONDS", FIELD(session_join_window_seconds), "60", NUMBER(1, 86400), 0},
{"SESSION_ABANDONED_SECONDS",   FIELD(session_abandoned_seconds), "300", NUMBER(1, 86400), 0},
{"SESSION_RECONNECT_GRACE_SECONDS",FIELD(session_reconnect_grace_seconds), "20", NUMBER(0, 3600), 0},
{"PROMPT_INTERVAL_MIN",         FIELD(prompt_interval_min_seconds), "180", NUMBER(1, 86400), 0},
{"PROMPT_INTERVAL_MAX",         FIELD(prompt_interval_max_seconds), "300", NUMBER(1, 86400), 0},
{"PROMPT_REQUEST_GAP_SECONDS",  FIELD(prompt_request_gap_seconds), "10", NUMBER(0, 3600), 0},
{"PROMPTS_MAX",                 FIELD(prompts_max), "5", NUMBER(1, 16), 0},
/* quotas and limits; 0 is off */
{"FREE_TIER_WEEKLY_LIMIT",      FIELD(free_tier_weekly_limit), "3", NUMBER(0, COUNT_MAX), RELOADABLE},
{"RATE_LIMIT_MATCH_REQUESTS",   FIELD(rate_limit_match_requests), "10", NUMBER(0, COUNT_MAX), RELOADABLE},
{"RATE_LIMIT_SESSION_JOINS",    FIELD(rate_limit_session_joins), "5", NUMBER(0, COUNT_MAX), RELOADABLE},
{"RATE_LIMIT_EXPORTS",          FIELD(rate_limit_exports), "5", NUMBER(0, COUNT_MAX), RELOADABLE},
{"RATE_LIMIT_REPORTS",          FIELD(rate_limit_reports), "20", NUMBER(0, COUNT_MAX), RELOADABLE},
{"RATE_LIMIT_BLOCKS",           FIELD(rate_limit_blocks), "60", NUMBER(0, COUNT_MAX), RELOADABLE},
{"RATE_LIMIT_WS_MESSAGES",      FIELD(rate_limit_ws_messages), "100", NUMBER(0, COUNT_MAX), RELOADABLE},
{"RATE_LIMIT_ICE_CANDIDATES",   FIELD(rate_limit_ice_candidates), "50", NUMBER(0, COUNT_MAX), RELOADABLE},
/* recording */
{"ENABLE_RECORDING",            FIELD(enable_recording), "true", YES_NO, 0},
{"RECORDING_RETENTION_DAYS",    FIELD(recording_retention_days), "30", NUMBER(1, 3650), 0},
    /* clang-format on */
};

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

/* Pairs of which the first must not exceed the second. */
static const struct {
    const char *low, *high;
} ordered[] = {
    {"PROMPT_INTERVAL_MIN", "PROMPT_INTERVAL_MAX"},
    {"SESSION_MAX_DURATION_FREE", "SESSION_MAX_DURATION_PREMIUM"},
    {"HTTP_MAX_URI_BYTES", "HTTP_MAX_HEADER_BYTES"},
};

#define PROBLEM_SIZE   512
#define SHOWN_MAX      64 /* bytes of a bad value that a problem line repeats */
#define FILE_MAX_BYTES (PEM_MAX * 4)

#define problem_set(problem, ...) ((void)snprintf((problem), PROBLEM_SIZE, __VA_ARGS__), false)

/* The text of each row as found so far; NULL: not given. Owned. */
struct given {
    char *text[ROW_COUNT];
};

static bool read_all(const char *path, struct config *out, char *problem);
static void free_strings(struct config *c);

bool config_load(const char *path, char problem[512])
{
    struct config next = {0};
    if (!read_all(path, &next, problem))
        return false;
    free_strings(&config);
    config = next;
    return true;
}

static void swap_field(const struct row *row, struct config *a, struct config *b)
{
    static const size_t sizes[] = {
        [KIND_STRING] = sizeof(char *),
        [KIND_INT] = sizeof(int),
        [KIND_INT64] = sizeof(int64_t),
        [KIND_BOOL] = sizeof(bool),
    };
    char *pa = (char *)a + row->offset, *pb = (char *)b + row->offset, kept[sizeof(int64_t)];
    memcpy(kept, pa, sizes[row->kind]);
    memcpy(pa, pb, sizes[row->kind]);
    memcpy(pb, kept, sizes[row->kind]);
}

bool config_reload(const char *path, char problem[512])
{
    struct config next = {0};
    if (!read_all(path, &next, problem))
        return false;
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (rows[i].flags & RELOADABLE)
            swap_field(&rows[i], &config, &next);
    free_strings(&next);
    return true;
}

void config_free(void)
{
    free_strings(&config);
    config = (struct config){0};
}

static void free_strings(struct config *c)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (rows[i].kind == KIND_STRING)
            free(*(char **)((char *)c + rows[i].offset));
}

static char *copy_text(const char *p, size_t n)
{
    char *copy = malloc(n + 1);
    if (!copy)
        abort();
    memcpy(copy, p, n);
    copy[n] = '\0';
    return copy;
}

/* -1: no such row. */
static int find_row(struct str name)
{
    for (int i = 0; i < ROW_COUNT; i++)
        if (str_eqz(name, rows[i].name))
            return i;
    return -1;
}

/* --- sources of values --- */

/* 0 or an errno. The files are small and read before the loop runs or on SIGHUP; blocking is fine. */
static int read_file(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return errno;
    char chunk[4096];
    size_t n;
    int error = 0;
    while (!error && (n = fread(chunk, 1, sizeof chunk, file)) > 0) {
        buf_add(out, chunk, n);
        if (out->n > FILE_MAX_BYTES)
            error = EFBIG;
    }
    if (!error && ferror(file))
        error = errno ? errno : EIO;
    fclose(file);
    return error;
}

/* The value of `row` is the content of the file at `path`, without one trailing line end. */
static bool give_content(struct given *given, int row, const char *path, char *problem)
{
    struct buf content = {0};
    int error = read_file(path, &content);
    if (error) {
        buf_done(&content);
        return problem_set(problem, "%s_FILE: cannot read \"%.300s\": %s", rows[row].name, path,
                           strerror(error));
    }
    if (content.n && memchr(content.p, '\0', content.n)) {
        buf_done(&content);
        return problem_set(problem, "%s_FILE: \"%.300s\" is not a text file", rows[row].name, path);
    }
    size_t n = content.n;
    if (n && content.p[n - 1] == '\n')
        n--;
    if (n < content.n && n && content.p[n - 1] == '\r')
        n--;
    given->text[row] = copy_text(n ? content.p : "", n);
    buf_done(&content);
    return true;
}

static bool give_from_environment(struct given *given, char *problem)
{
    for (int i = 0; i < ROW_COUNT; i++) {
        char file_name[64];
        snprintf(file_name, sizeof file_name, "%s_FILE", rows[i].name);
        const char *value = getenv(rows[i].name), *path = getenv(file_name);
        if (value && path)
            return problem_set(problem, "%s: is given twice, also as %s", rows[i].name, file_name);
        if (!value && !path)
            continue;
        free(given->text[i]);
        given->text[i] = NULL;
        if (value)
            given->text[i] = copy_text(value, strlen(value));
        else if (!give_content(given, i, path, problem))
            return false;
    }
    return true;
}

/* "value", 'value' or value. */
static struct str unquote(struct str value)
{
    if (value.n >= 2 && (value.p[0] == '"' || value.p[0] == '\'') && value.p[value.n - 1] == value.p[0])
        return (struct str){value.p + 1, value.n - 2};
    return value;
}

/* Without quotes a value ends where a comment begins: a # after white space. */
static struct str without_comment(struct str value)
{
    if (value.n && (value.p[0] == '"' || value.p[0] == '\''))
        return value;
    for (size_t i = 1; i < value.n; i++) {
        if (value.p[i] == '#' && (value.p[i - 1] == ' ' || value.p[i - 1] == '\t'))
            return (struct str){value.p, i};
    }
    return value;
}

/* One line NAME=value of the file; `where` is "FILE:LINE". */
static bool give_line(struct given *given, struct str line, const char *where, char *problem)
{
    struct str value = line, name = str_trim(str_cut(&value, '='), " \t");
    if (!value.p)
        return problem_set(problem, "%s: is not NAME=value",
                           where); /* not shown: it may be a piece of a secret */
    bool is_path = false;
    int row = find_row(name);
    if (row < 0 && name.n > 5 && str_eqz((struct str){name.p + name.n - 5, 5}, "_FILE")) {
        row = find_row((struct str){name.p, name.n - 5});
        is_path = true;
    }
    if (row < 0)
        return problem_set(problem, "%s: %.*s is not a variable of this service", where,
                           name.n > SHOWN_MAX ? SHOWN_MAX : (int)name.n, name.p);
    if (given->text[row])
        return problem_set(problem, "%s: %s is given twice", where, rows[row].name);
    value = unquote(str_trim(without_comment(str_trim(value, " \t")), " \t"));
    char *text = copy_text(value.n ? value.p : "", value.n);
    if (!is_path) {
        given->text[row] = text;
        return true;
    }
    bool ok = give_content(given, row, text, problem);
    free(text);
    return ok;
}

static bool give_from_file(struct given *given, const char *path, char *problem)
{
    struct buf content = {0};
    int error = read_file(path, &content);
    bool ok = !error || problem_set(problem, "cannot read the configuration file \"%.300s\": %s", path,
                                    strerror(error));
    if (ok && content.n && memchr(content.p, '\0', content.n))
        ok = problem_set(problem, "\"%.300s\" is not a text file", path);
    struct str rest = buf_str(&content);
    for (int number = 1; ok && rest.n; number++) {
        struct str line = str_trim(str_cut(&rest, '\n'), " \t\r");
        if (line.n == 0 || line.p[0] == '#')
            continue;
        char where[320];
        snprintf(where, sizeof where, "%.300s:%d", path, number);
        ok = give_line(given, line, where, problem);
    }
    buf_done(&content);
    return ok;
}

/* --- text to values --- */

static void describe_allowed(const struct row *row, char *out, size_t size)
{
    long long min = row->min, max = row->max;
    if (row->choices) {
        size_t n = (size_t)snprintf(out, size, "one of ");
        for (const char *p = row->choices; *p && n + 3 < size; p++) {
            out[n++] = *p == '|' ? ',' : *p;
            if (*p == '|')
                out[n++] = ' ';
        }
        out[n] = '\0';
    } else if (row->kind == KIND_STRING) {
        snprintf(out, size, "a text of %lld to %lld bytes", min, max);
    } else {
        snprintf(out, size, "an integer from %lld to %lld", min, max);
    }
}

/* `allowed` NULL: what the row says. */
static bool refuse(const struct row *row, const char *text, const char *allowed, char *problem)
{
    char shown[SHOWN_MAX + 6], described[128];
    if (row->flags & SECRET) {
        snprintf(shown, sizeof shown, "this value");
    } else {
        snprintf(shown, sizeof shown, "\"%.*s%s\"", SHOWN_MAX, text, strlen(text) > SHOWN_MAX ? "…" : "");
        for (char *p = shown; *p; p++)
            if ((unsigned char)*p < ' ' || *p == 0x7f)
                *p = '?'; /* the problem is one line */
    }
    if (!allowed) {
        describe_allowed(row, described, sizeof described);
        allowed = described;
    }
    return problem_set(problem, "%s: %s is not allowed: %s", row->name, shown, allowed);
}

static bool is_among(struct str value, const char *choices)
{
    struct str rest = str_of(choices);
    while (rest.p)
        if (str_eq(str_cut(&rest, '|'), value))
            return true;
    return false;
}

/* Puts the value into its field; false: not allowed. */
static bool convert(const struct row *row, const char *text, struct config *out)
{
    struct str value = str_of(text);
    void *field = (char *)out + row->offset;
    int64_t number = 0;
    if (row->choices && !is_among(value, row->choices))
        return false;
    switch (row->kind) {
    case KIND_STRING:
        if (!row->choices && ((int64_t)value.n < row->min || (int64_t)value.n > row->max))
            return false;
        *(char **)field = copy_text(value.p, value.n);
        return true;
    case KIND_INT:
        if (!str_to_int(value, row->min, row->max, &number))
            return false;
        *(int *)field = (int)number; /* no row allows more than an int holds */
        return true;
    case KIND_INT64: return str_to_int(value, row->min, row->max, (int64_t *)field);
    case KIND_BOOL: *(bool *)field = strchr("t1y", text[0]) != NULL; return true;
    }
    return false;
}

static const char *text_of(const struct given *given, int row)
{
    if (given->text[row])
        return given->text[row];
    const char *fallback = rows[row].fallback;
    return fallback[0] == '$' ? text_of(given, find_row(str_of(fallback + 1))) : fallback;
}

/* A number of `c`, which is complete. */
static int64_t number_of(const struct config *c, const struct row *row)
{
    const void *field = (const char *)c + row->offset;
    assert(row->kind == KIND_INT || row->kind == KIND_INT64);
    return row->kind == KIND_INT ? *(const int *)field : *(const int64_t *)field;
}

/* What a match request, which has 5 s, can spend on waiting for the auth-service. */
#define AUTH_SERVICE_TOTAL_MS 4000

static bool check_auth_service(const struct config *c, char *problem)
{
    if (c->auth_service_url[0] && !url_is_base(str_of(c->auth_service_url)))
        return refuse(&rows[find_row(STR("AUTH_SERVICE_URL"))], c->auth_service_url,
                      "http://HOST or https://HOST, with :PORT and a path or without", problem);
    if (!url_text_is_visible(str_of(c->auth_service_token)))
        return refuse(&rows[find_row(STR("AUTH_SERVICE_TOKEN"))], "", "visible ASCII characters", problem);
    int64_t total_ms = c->auth_service_timeout_ms * (1 + c->auth_service_retries);
    if (total_ms > AUTH_SERVICE_TOTAL_MS)
        return problem_set(
            problem,
            "AUTH_SERVICE_TIMEOUT_MS and AUTH_SERVICE_RETRIES: %d tries of %lld ms are more than %d ms",
            1 + c->auth_service_retries, (long long)c->auth_service_timeout_ms, AUTH_SERVICE_TOTAL_MS);
    return true;
}

static bool check_kafka(const struct config *c, char *problem)
{
    bool is_sasl = strncmp(c->kafka_security_protocol, "sasl_", 5) == 0;
    if (is_sasl && (!c->kafka_sasl_username[0] || !c->kafka_sasl_password[0]))
        return problem_set(
            problem, "KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD: KAFKA_SECURITY_PROTOCOL %s needs both",
            c->kafka_security_protocol);
    if (!c->kafka_ssl_cert[0] != !c->kafka_ssl_key[0])
        return problem_set(problem, "KAFKA_SSL_CERT and KAFKA_SSL_KEY: only one is set; set both or neither");
    return true;
}

static bool check_together(const struct config *c, const struct given *given, char *problem)
{
    for (size_t i = 0; i < sizeof ordered / sizeof ordered[0]; i++) {
        int low = find_row(str_of(ordered[i].low)), high = find_row(str_of(ordered[i].high));
        char allowed[96];
        snprintf(allowed, sizeof allowed, "at most %s (%s)", ordered[i].high, text_of(given, high));
        if (number_of(c, &rows[low]) > number_of(c, &rows[high]))
            return refuse(&rows[low], text_of(given, low), allowed, problem);
    }
    if (c->ws_path[0] != '/')
        return refuse(&rows[find_row(STR("WS_PATH"))], c->ws_path, "a path that begins with /", problem);
    if (!c->turn_username[0] != !c->turn_credential[0])
        return problem_set(problem,
                           "TURN_USERNAME and TURN_CREDENTIAL: only one is set; set both or neither");
    if (!c->tls_cert_file[0] != !c->tls_key_file[0])
        return problem_set(problem, "TLS_CERT_FILE and TLS_KEY_FILE: only one is set; set both or neither");
    return check_kafka(c, problem) && check_auth_service(c, problem);
}

static bool read_all(const char *path, struct config *out, char *problem)
{
    struct given given = {0};
    bool ok = (!path || give_from_file(&given, path, problem)) && give_from_environment(&given, problem);
    for (int i = 0; ok && i < ROW_COUNT; i++) {
        const char *text = text_of(&given, i);
        if (!convert(&rows[i], text, out))
            ok = refuse(&rows[i], text, NULL, problem);
    }
    ok = ok && check_together(out, &given, problem);
    for (int i = 0; i < ROW_COUNT; i++)
        free(given.text[i]);
    if (!ok) {
        free_strings(out);
        *out = (struct config){0};
    }
    return ok;
}
