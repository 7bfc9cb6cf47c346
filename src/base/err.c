/* The error table and HTTP reason phrases. */
#include "conversation/base/err.h"

#include <assert.h>
#include <stddef.h>

#define ERR_CHECK(name, status, code, level, retry)                                                   \
    static_assert((status) >= 400 && (status) < 600, #name ": an error's HTTP status is 4xx or 5xx"); \
    static_assert(sizeof(code) > 1, #name ": an error has a wire code");
ERR_TABLE(ERR_CHECK)
static_assert(OK == 0, "errors are tested as truth values");

static const struct err_info infos[ERR_COUNT] = {
#define ERR_ROW(name, status, code, level, retry) [name] = {#name, status, code, level, retry},
    ERR_TABLE(ERR_ROW)};

const struct err_info *err_info(enum err err)
{
    assert(err > OK && err < ERR_COUNT);
    return &infos[err];
}

/* RFC 9110 section 15, RFC 6585 for 429 and 431. */
static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

bool err_is_passing(enum err err)
{
    return err != OK && err_info(err)->retry_helps;
}

const char *err_http_reason(int http_status)
{
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i].status == http_status)
            return reasons[i].reason;
    }
    return "Error";
}
