/* The REST routes: one row is one endpoint (docs/ARCHITECTURE.md, "Adding an endpoint"). The dispatcher
 * enforces the columns. */
#include "tables.h"

#include "conversation/config.h"
#include "flows/handlers.h"

/* Limits are filled from the configuration by routes_init; 0 is off. */
static struct rate_limit match_requests = {.what = "match_requests", .window_ms = 3600 * 1000};
static struct rate_limit session_joins = {.what = "session_joins", .window_ms = 60 * 1000};
static struct rate_limit exports = {.what = "exports", .window_ms = 3600 * 1000};
static struct rate_limit blocks = {.what = "blocks", .window_ms = 3600 * 1000};
struct rate_limit limit_reports = {.what = "reports", .window_ms = 3600 * 1000};

static const struct route routes[] = {
    {POST, "/match-request", &rest_match_create, AUTH_USER, &match_requests, ROUTE_REPEATABLE},
    {DELETE, "/match-request/:id", &rest_match_cancel, AUTH_USER, NULL, 0},
    {GET, "/match-request/status", &rest_match_status, AUTH_USER, NULL, 0},
    {GET, "/match-request/explain", &rest_match_explain, AUTH_USER, NULL, 0},
    {GET, "/topics", &rest_topics_list, AUTH_USER, NULL, ROUTE_ETAG},
    {GET, "/topics/:code", &rest_topic_get, AUTH_USER, NULL, ROUTE_ETAG},
    {POST, "/sessions/:id/join", &rest_session_join, AUTH_USER, &session_joins, 0},
    {POST, "/sessions/:id/leave", &rest_session_leave, AUTH_USER, NULL, 0},
    {POST, "/sessions/:id/end", &rest_session_end, AUTH_USER, NULL, 0},
    {GET, "/sessions/:id", &rest_session_get, AUTH_USER, NULL, 0},
    {POST, "/sessions/:id/rate", &rest_session_rate, AUTH_USER, NULL, 0},
    {POST, "/sessions/:id/report", &rest_session_report, AUTH_USER, &limit_reports, 0},
    {GET, "/sessions/:id/transcript", &rest_session_transcript, AUTH_USER, NULL, 0},
    {GET, "/history", &rest_history, AUTH_USER, NULL, 0},
    {GET, "/users/me/export", &rest_user_export, AUTH_USER, &exports, 0},
    {DELETE, "/users/me/data", &rest_user_erase, AUTH_USER, NULL, 0},
    {POST, "/users/:userId/block", &rest_user_block, AUTH_USER, &blocks, 0},
    {DELETE, "/users/:userId/block", &rest_user_unblock, AUTH_USER, NULL, 0},
    {GET, "/users/me/blocks", &rest_user_blocks, AUTH_USER, NULL, 0},
    {GET, "/moderation/flags", &rest_flags_list, AUTH_MODERATOR, NULL, 0},
    {POST, "/moderation/flags/:userId/review", &rest_flag_review, AUTH_MODERATOR, NULL, 0},
    {GET, "/healthz", &ops_healthz, AUTH_NONE, NULL, ROUTE_OPS},
    {GET, "/readyz", &ops_readyz, AUTH_NONE, NULL, ROUTE_OPS},
    {GET, "/metrics", &ops_metrics, AUTH_NONE, NULL, ROUTE_OPS},
    {GET, "/openapi.json", &ops_openapi, AUTH_NONE, NULL, ROUTE_OPS | ROUTE_ETAG},
};

void routes_init(void)
{
    match_requests.limit = config.rate_limit_match_requests;
    session_joins.limit = config.rate_limit_session_joins;
    exports.limit = config.rate_limit_exports;
    blocks.limit = config.rate_limit_blocks;
    limit_reports.limit = config.rate_limit_reports;
    router_init(routes, sizeof routes / sizeof routes[0]);
}
