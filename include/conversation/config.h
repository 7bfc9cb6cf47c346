/* The configuration: one table in src/config.c names every variable, its type, range and default
 * (docs/configuration.md says the same for people, and a check compares the two). Read once at start; the
 * rows marked reloadable again on SIGHUP. Strings are owned by the configuration and never NULL; "" is "not
 * set". */
#ifndef CONVERSATION_CONFIG_H
#define CONVERSATION_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

struct config {
    /* service */
    const char *node_env, *service_name, *log_level;
    int port, ops_port; /* ops_port 0: on `port` */
    const char *bind_address;
    int shutdown_timeout_seconds;
    /* PostgreSQL */
    const char *db_host, *db_name, *db_user, *db_password, *db_sslmode;
    int db_port, db_pool_size, db_writers;
    bool db_auto_migrate;
    int64_t db_statement_timeout_ms, db_connect_timeout_ms;
    /* Redis */
    const char *redis_host, *redis_password;
    int redis_port, redis_db;
    int64_t redis_command_timeout_ms;
    /* Kafka */
    const char *kafka_brokers, *kafka_client_id, *kafka_group_id;
    const char *kafka_security_protocol, *kafka_sasl_mechanism, *kafka_sasl_username, *kafka_sasl_password;
    const char *kafka_ssl_ca, *kafka_ssl_cert, *kafka_ssl_key; /* PEM; cert and key both set, or none */
    const char *kafka_topic_conversations, *kafka_topic_user, *kafka_topic_lessons, *kafka_topic_feedback;
    int kafka_session_timeout_ms; /* after which a silent consumer has left its group */
    int event_retention_days;
    /* HTTP */
    const char *cors_allowed_origins; /* comma-separated, or * */
    int64_t http_max_body_bytes, http_max_header_bytes, http_max_uri_bytes;
    int64_t http_header_timeout_ms, http_body_timeout_ms, http_keep_alive_timeout_ms;
    int http_max_connections, http_max_connections_per_address;
    int64_t http_write_buffer_bytes;
    /* TLS: paths; both set, or none */
    const char *tls_cert_file, *tls_key_file;
    /* WebSocket, Engine.IO, Socket.IO */
    int ws_port, ws_max_connections;
    const char *ws_path;
    int64_t ws_heartbeat_interval_ms, ws_heartbeat_timeout_ms, ws_max_payload_bytes, ws_send_buffer_bytes;
    int ws_recovery_seconds; /* 0: off */
    int64_t ws_recovery_bytes, ws_recovery_total_bytes;
    int64_t ws_recovery_shared_bytes; /* 0: not shared */
    int64_t ws_deflate_threshold_bytes, ws_connect_timeout_ms, ws_auth_timeout_ms;
    bool ws_require_handshake_auth;
    /* WebRTC */
    const char *turn_server_url, *turn_username, *turn_credential, *turn_secret, *stun_server_url;
    int turn_ttl_seconds;
    /* storage */
    const char *r2_bucket_name, *r2_account_id, *r2_access_key, *r2_secret_key, *r2_recordings_prefix;
    /* tokens */
    const char *jwt_public_key, *jwt_issuer, *jwt_audience;
    int jwt_leeway_seconds, jwt_cache_entries;
    /* auth-service: profiles; auth_service_url "" is off */
    const char *auth_service_url, *auth_service_token;
    int64_t auth_service_timeout_ms; /* of one try */
    int auth_service_retries, auth_service_cache_seconds;
    int auth_service_breaker_failures, auth_service_breaker_seconds; /* failures 0: no breaker */
    /* topics */
    int topics_cache_seconds;
    int64_t popularity_interval_ms;
    /* matching */
    int match_timeout_seconds, min_compatibility_score, match_status_max_waiting;
    int64_t match_queue_cleanup_interval_ms;
    int match_lease_seconds;
    const char *match_trace_file; /* "": no trace */
    int64_t match_trace_max_bytes;
    /* sessions */
    int session_max_duration_free_seconds, session_max_duration_premium_seconds;
    int64_t session_cleanup_interval_ms;
    int session_join_window_seconds, session_abandoned_seconds, session_reconnect_grace_seconds;
    int prompt_interval_min_seconds, prompt_interval_max_seconds, prompt_request_gap_seconds, prompts_max;
    /* quotas and limits */
    int free_tier_weekly_limit;
    int rate_limit_match_requests, rate_limit_session_joins, rate_limit_ws_messages,
        rate_limit_ice_candidates, rate_limit_exports, rate_limit_reports, rate_limit_blocks;
    /* recording */
    bool enable_recording;
    int recording_retention_days;
};

/* The process's configuration; read-only for everyone but config.c. */
extern struct config config;

/* Reads defaults, then `path` (may be NULL), then the environment (NAME, or NAME_FILE naming a file with the
 * value; giving both is an error). False: one line that names the variable, the value and what is allowed is
 * in `problem`. A secret's value is not. */
bool config_load(const char *path, char problem[512]);
/* Again, changing only the reloadable rows; false and nothing changed when any value is bad. */
bool config_reload(const char *path, char problem[512]);
void config_free(void);

#endif
