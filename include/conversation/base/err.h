/* Errors: one table says what an error means to a client, to the log and to a caller who could retry.
 * The wire codes are described in docs/api.md, "Errors". */
#ifndef CONVERSATION_BASE_ERR_H
#define CONVERSATION_BASE_ERR_H

#include <stdbool.h>

#include "conversation/base/log.h"

#define MUST_CHECK __attribute__((warn_unused_result))

/* clang-format off */
/*  name                          HTTP wire code (message)          log level  a later retry helps */
#define ERR_TABLE(X)                                                                                  \
    X(ERR_INVALID_REQUEST,         400, "INVALID_REQUEST",         LOG_DEBUG, false)                  \
    X(ERR_UNAUTHORIZED,            401, "UNAUTHORIZED",            LOG_DEBUG, false)                  \
    X(ERR_TOPIC_LOCKED,            403, "TOPIC_LOCKED",            LOG_DEBUG, false)                  \
    X(ERR_DAILY_LIMIT_REACHED,     403, "DAILY_LIMIT_REACHED",     LOG_DEBUG, false)                  \
    X(ERR_PREMIUM_REQUIRED,        403, "PREMIUM_REQUIRED",        LOG_DEBUG, false)                  \
    X(ERR_FORBIDDEN,               403, "FORBIDDEN",               LOG_INFO,  false)                  \
    X(ERR_NOT_FOUND,               404, "NOT_FOUND",               LOG_DEBUG, false)                  \
    X(ERR_SESSION_NOT_FOUND,       404, "SESSION_NOT_FOUND",       LOG_DEBUG, false)                  \
    X(ERR_TOPIC_NOT_FOUND,         404, "TOPIC_NOT_FOUND",         LOG_DEBUG, false)                  \
    X(ERR_MATCH_REQUEST_NOT_FOUND, 404, "MATCH_REQUEST_NOT_FOUND", LOG_DEBUG, false)                  \
    X(ERR_METHOD_NOT_ALLOWED,      405, "METHOD_NOT_ALLOWED",      LOG_DEBUG, false)                  \
    X(ERR_REQUEST_TIMEOUT,         408, "REQUEST_TIMEOUT",         LOG_DEBUG, true)                   \
    X(ERR_ALREADY_IN_SESSION,      409, "ALREADY_IN_SESSION",      LOG_DEBUG, false)                  \
    X(ERR_ALREADY_MATCHED,         409, "ALREADY_MATCHED",         LOG_DEBUG, false)                  \
    X(ERR_SESSION_NOT_ENDED,       409, "SESSION_NOT_ENDED",       LOG_DEBUG, false)                  \
    X(ERR_SESSION_NOT_OPEN,        409, "SESSION_NOT_OPEN",        LOG_DEBUG, false)                  \
    X(ERR_MATCH_EXPIRED,           410, "MATCH_EXPIRED",           LOG_DEBUG, false)                  \
    X(ERR_SESSION_ENDED,           410, "SESSION_ENDED",           LOG_DEBUG, false)                  \
    X(ERR_PAYLOAD_TOO_LARGE,       413, "PAYLOAD_TOO_LARGE",       LOG_DEBUG, false)                  \
    X(ERR_URI_TOO_LONG,            414, "URI_TOO_LONG",            LOG_DEBUG, false)                  \
    X(ERR_UNSUPPORTED_MEDIA,       415, "UNSUPPORTED_MEDIA_TYPE",  LOG_DEBUG, false)                  \
    X(ERR_EXPECTATION_FAILED,      417, "EXPECTATION_FAILED",      LOG_DEBUG, false)                  \
    X(ERR_INVALID_RATING,          422, "INVALID_RATING",          LOG_DEBUG, false)                  \
    X(ERR_KEY_REUSED,              422, "IDEMPOTENCY_KEY_REUSED",  LOG_DEBUG, false)                  \
    X(ERR_RATE_LIMITED,            429, "RATE_LIMITED",            LOG_INFO,  true)                   \
    X(ERR_HEADERS_TOO_LARGE,       431, "HEADERS_TOO_LARGE",       LOG_DEBUG, false)                  \
    X(ERR_INTERNAL,                500, "INTERNAL_ERROR",          LOG_ERROR, false)                  \
    X(ERR_NOT_IMPLEMENTED,         501, "NOT_IMPLEMENTED",         LOG_DEBUG, false)                  \
    X(ERR_KV_UNAVAILABLE,          503, "MATCHING_UNAVAILABLE",    LOG_WARN,  true)                   \
    X(ERR_DB_UNAVAILABLE,          503, "SERVICE_UNAVAILABLE",     LOG_WARN,  true)                   \
    X(ERR_PROFILE_UNAVAILABLE,     503, "SERVICE_UNAVAILABLE",     LOG_WARN,  true)                   \
    X(ERR_TIMEOUT,                 503, "SERVICE_UNAVAILABLE",     LOG_WARN,  true)                   \
    X(ERR_DRAINING,                503, "SERVICE_UNAVAILABLE",     LOG_INFO,  true)                   \
    X(ERR_OVERLOADED,              503, "SERVICE_UNAVAILABLE",     LOG_WARN,  true)                   \
    /* socket events only (docs/signaling.md, "Errors"); the HTTP status is never sent */             \
    X(ERR_UNKNOWN_EVENT,           400, "UNKNOWN_EVENT",           LOG_DEBUG, false)                  \
    X(ERR_NOT_IN_SESSION,          409, "NOT_IN_SESSION",          LOG_DEBUG, false)                  \
    X(ERR_NO_PROMPT_LEFT,          409, "NO_PROMPT_LEFT",          LOG_DEBUG, false)                  \
    X(ERR_SESSION_TAKEN_OVER,      409, "SESSION_TAKEN_OVER",      LOG_INFO,  false)                  \
    X(ERR_INVALID_SDP,             400, "INVALID_SDP",             LOG_DEBUG, false)                  \
    X(ERR_INVALID_CANDIDATE,       400, "INVALID_CANDIDATE",       LOG_DEBUG, false)                  \
    X(ERR_PARTNER_NOT_CONNECTED,   409, "PARTNER_NOT_CONNECTED",   LOG_DEBUG, true)                   \
    /* never leave the process: the client is gone; a unique or guard condition did not hold */       \
    X(ERR_CANCELLED,               499, "CANCELLED",               LOG_DEBUG, false)                  \
    X(ERR_CONFLICT,                409, "CONFLICT",                LOG_DEBUG, false)
/* clang-format on */

enum err {
    OK = 0,
#define ERR_ENUM(name, status, code, level, retry) name,
    ERR_TABLE(ERR_ENUM)
#undef ERR_ENUM
        ERR_COUNT
};

struct err_info {
    const char *name; /* "ERR_TIMEOUT", for logs */
    int http_status;
    const char *wire_code; /* "SERVICE_UNAVAILABLE", the `message` of the error body */
    enum log_level level;
    bool retry_helps; /* the answer carries Retry-After */
};

/* Never NULL; `err` must not be OK. */
const struct err_info *err_info(enum err err);

/* Not OK, and the same call may succeed later: a dependency is away or too slow. */
bool err_is_passing(enum err err);

/* The reason phrase of RFC 9110 section 15 ("Bad Request"); "Error" for a status it does not know. */
const char *err_http_reason(int http_status);

#endif
