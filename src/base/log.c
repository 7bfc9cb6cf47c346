/* JSON logs: each line is built in one buffer and written by one write(2). */
#include "conversation/base/log.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "conversation/base/clock.h"
#include "conversation/base/jsonw.h"

#define REPEAT_MS 10000

static const char *const level_names[] = {
    [LOG_DEBUG] = "DEBUG", [LOG_INFO] = "INFO", [LOG_WARN] = "WARN", [LOG_ERROR] = "ERROR"};

static const char *service_name = "conversation-service";
static enum log_level lowest = LOG_INFO;
static struct buf line; /* kept from line to line: logging does not allocate once it has reached its size */
static int64_t lost_lines; /* since the last line that was written */

void log_init(const char *service, enum log_level threshold)
{
    service_name = service;
    lowest = threshold;
    buf_done(&line);
    buf_reserve(&line, 1024);
    /* A reader that went away is an error of write(2), here and on every socket, and must not kill the
     * process. */
    signal(SIGPIPE, SIG_IGN);
}

enum log_level log_threshold(void)
{
    return lowest;
}

bool log_is_time(int64_t *last_ms)
{
    int64_t now_ms = clock_mono_ms();
    if (*last_ms && now_ms - *last_ms < REPEAT_MS)
        return false;
    *last_ms = now_ms;
    return true;
}

void log_set_threshold(enum log_level threshold)
{
    lowest = threshold;
}

bool log_level_parse(const char *name, enum log_level *out)
{
    for (size_t i = 0; i < sizeof level_names / sizeof level_names[0]; i++) {
        if (str_eq_nocase(str_of(name), str_of(level_names[i]))) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

static void write_field(struct jsonw *w, const struct log_field *field)
{
    switch (field->kind) {
    case LOG_KIND_STR:
        if (field->z)
            jsonw_m_z(w, field->name, field->z);
        return;
    case LOG_KIND_UUID: jsonw_m_uuid_opt(w, field->name, field->uuid); return;
    case LOG_KIND_UUIDS:
        jsonw_key(w, field->name);
        jsonw_array(w);
        jsonw_uuid(w, &field->uuid[0]);
        jsonw_uuid(w, &field->uuid[1]);
        jsonw_end_array(w);
        return;
    case LOG_KIND_INT: jsonw_m_int(w, field->name, field->i); return;
    case LOG_KIND_BOOL: jsonw_m_bool(w, field->name, field->i != 0); return;
    }
    assert(!"a field has one of the kinds above");
}

/* A reader that does not keep up must not stop the loop: when standard output has no room the line is lost,
 * and the next one that gets through says how many were. A pipe that polls writable takes PIPE_BUF bytes
 * without blocking. */
static bool write_out(struct str s)
{
    struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};
    if (poll(&p, 1, 0) <= 0 || !(p.revents & POLLOUT))
        return false;
    while (s.n) {
        ssize_t n = write(STDOUT_FILENO, s.p, s.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        s.p += n;
        s.n -= (size_t)n;
    }
    return true;
}

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
    line.n = 0;
    struct jsonw w = jsonw_on(&line);
    jsonw_object(&w);
    jsonw_m_time(&w, "timestamp", clock_now_ms());
    jsonw_m_z(&w, "level", level_names[level]);
    jsonw_m_z(&w, "service", service_name);
    jsonw_m_z(&w, "event", event);
    for (size_t i = 0; i < count; i++)
        write_field(&w, &fields[i]);
    if (lost_lines)
        jsonw_m_int(&w, "lostLines", lost_lines);
    jsonw_end_object(&w);
    jsonw_finish(&w);
    buf_addc(&line, '\n');
    if (write_out(buf_str(&line)))
        lost_lines = 0;
    else
        lost_lines++;
}

void log_done(void)
{
    buf_done(&line);
}
