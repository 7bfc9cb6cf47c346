/* Invariant: while `file` is open, what it holds and then `lines` are the whole trace since
 * match_trace_start. */
#include "flows/match_trace.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conversation/base/clock.h"
#include "conversation/base/log.h"
#include "conversation/config.h"
#include "conversation/rt/timer.h"

#define WRITE_BYTES 65536 /* collected lines of this size are written at once */
#define WRITE_MS    1000

static int file = -1;
static int64_t file_bytes;
static struct buf lines;
static struct timer write_timer;
static int64_t looked_at_ms; /* the latest time at which the index was asked for a pair */

static void end_trace(const char *why)
{
    LOG(LOG_ERROR, "match_trace.ended", LOG_Z("file", config.match_trace_file), LOG_Z("problem", why));
    timer_stop(&write_timer);
    if (file >= 0)
        close(file);
    file = -1;
    buf_done(&lines);
}

static void write_lines(void)
{
    size_t done = 0;
    if (file_bytes + (int64_t)lines.n > config.match_trace_max_bytes) {
        end_trace("MATCH_TRACE_MAX_BYTES reached");
        return;
    }
    while (done < lines.n) {
        ssize_t n = write(file, lines.p + done, lines.n - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            end_trace(n < 0 ? strerror(errno) : "nothing could be written");
            return;
        }
        done += (size_t)n;
    }
    file_bytes += (int64_t)done;
    lines.n = 0;
}

static void on_write(struct timer *t)
{
    (void)t;
    write_lines();
}

static void line_added(void)
{
    if (lines.n >= WRITE_BYTES)
        write_lines();
    else if (!timer_is_running(&write_timer))
        timer_start(&write_timer, WRITE_MS, on_write);
}

void match_trace_start(const struct pairing_rules *rules)
{
    if (!config.match_trace_file || !config.match_trace_file[0])
        return;
    struct stat st;
    file = open(config.match_trace_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
    if (file < 0 || fstat(file, &st) != 0) {
        end_trace(strerror(errno));
        return;
    }
    file_bytes = st.st_size;
    looked_at_ms = 0;
    match_trace_write_start(&lines, clock_now_ms(), rules);
    line_added();
}

void match_trace_stop(void)
{
    if (file < 0)
        return;
    write_lines();
    if (file < 0)
        return;
    timer_stop(&write_timer);
    close(file);
    file = -1;
    buf_done(&lines);
}

void match_trace_compatible(const struct topic_pair *pairs, size_t count)
{
    if (file < 0)
        return;
    match_trace_write_compatible(&lines, clock_now_ms(), pairs, count);
    line_added();
}

void match_trace_added(const struct match_request *r)
{
    if (file < 0)
        return;
    match_trace_write_added(&lines, clock_now_ms(), r);
    line_added();
}

void match_trace_removed(const struct uuid *request_id, enum match_trace_reason reason)
{
    if (file < 0)
        return;
    match_trace_write_removed(&lines, clock_now_ms(), request_id, reason);
    line_added();
}

/* For the index, a clock that steps back stands still. */
static int64_t not_before_last(int64_t now_ms)
{
    if (now_ms > looked_at_ms)
        looked_at_ms = now_ms;
    return looked_at_ms;
}

void match_trace_decision(int64_t now_ms, const struct pairing_pair *pair)
{
    if (file < 0)
        return;
    match_trace_write_decision(&lines, not_before_last(now_ms), pair);
    line_added();
}

void match_trace_none(int64_t now_ms)
{
    if (file < 0)
        return;
    match_trace_write_none(&lines, not_before_last(now_ms));
    line_added();
}

void match_trace_expired(int64_t now_ms, const struct uuid *request_id)
{
    if (file < 0)
        return;
    match_trace_write_expired(&lines, now_ms, request_id);
    line_added();
}
