/* Sockets and what they were sent. */
#include "flows/fakes/sockets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "conversation/base/clock.h"
#include "flows/fakes/json.h"
#include "flows/live.h"

enum { SOCKETS_MAX = 64, SENT_MAX = 4096 };

static struct {
    uint64_t id;
    struct uuid user_id, session_id, told_end;
    bool is_open, is_in_session;
} all[SOCKETS_MAX];
static int count;

static struct {
    uint64_t socket_id;
    int64_t at_ms;
    char *event, *payload;
    bool is_taken;
} sent[SENT_MAX];
static int sent_count;
static int from; /* where the last forget was */

static int index_of(uint64_t socket_id)
{
    for (int i = 0; i < count; i++) {
        if (all[i].id == socket_id)
            return i;
    }
    return -1;
}

static int open_index_of(uint64_t socket_id)
{
    int i = index_of(socket_id);
    return i >= 0 && all[i].is_open ? i : -1;
}

/* --- the port --- */

void sockets_emit(uint64_t socket_id, const char *event, const struct str *parts, int part_count)
{
    struct buf text = {0};
    if (open_index_of(socket_id) < 0)
        return;
    for (int i = 0; i < part_count; i++)
        buf_add_str(&text, parts[i]);
    assert_in_range(sent_count, 0, SENT_MAX - 1);
    sent[sent_count].socket_id = socket_id;
    sent[sent_count].at_ms = clock_now_ms();
    sent[sent_count].event = strdup(event);
    sent[sent_count].payload = copy_text(buf_str(&text));
    sent_count++;
    buf_done(&text);
}

void sockets_emit_user(const struct uuid *user_id, const char *event, struct str json)
{
    for (int i = 0; i < count; i++) {
        if (uuid_eq(&all[i].user_id, user_id))
            sockets_emit(all[i].id, event, &json, 1);
    }
}

static void emit_ended(int i, const struct uuid *session_id, struct str json)
{
    if (uuid_eq(&all[i].told_end, session_id))
        return;
    all[i].told_end = *session_id;
    sockets_emit(all[i].id, "session_ended", &json, 1);
}

void sockets_emit_ended(uint64_t socket_id, const struct uuid *session_id, struct str json)
{
    int i = open_index_of(socket_id);
    if (i >= 0)
        emit_ended(i, session_id, json);
}

void sockets_emit_user_ended(const struct uuid *user_id, const struct uuid *session_id, struct str json)
{
    for (int i = 0; i < count; i++) {
        bool is_in_it = all[i].is_in_session && uuid_eq(&all[i].session_id, session_id);
        if (uuid_eq(&all[i].user_id, user_id) && !is_in_it)
            emit_ended(i, session_id, json);
    }
}

/* Out of its session, which is told unless it asked for it. */
static void leave(int i, bool tell)
{
    if (!all[i].is_in_session)
        return;
    all[i].is_in_session = false;
    if (tell)
        live_socket_gone(all[i].id, &all[i].session_id, &all[i].user_id);
}

bool sockets_enter_session(uint64_t socket_id, const struct uuid *session_id, uint64_t session)
{
    (void)session;
    int i = open_index_of(socket_id);
    if (i < 0)
        return false;
    if (all[i].is_in_session && !uuid_eq(&all[i].session_id, session_id))
        leave(i, true);
    all[i].is_in_session = true;
    all[i].session_id = *session_id;
    return true;
}

void sockets_leave_session(uint64_t socket_id)
{
    int i = open_index_of(socket_id);
    if (i >= 0)
        leave(i, false);
}

void sockets_disconnect(uint64_t socket_id)
{
    socket_goes(socket_id);
}

void sockets_disconnect_user(const struct uuid *user_id)
{
    for (int i = 0; i < count; i++)
        if (uuid_eq(&all[i].user_id, user_id) && all[i].is_open)
            socket_goes(all[i].id);
}

/* --- the test's side --- */

void socket_opens(uint64_t socket_id, const char *user_id)
{
    assert_int_equal(index_of(socket_id), -1);
    assert_in_range(count, 0, SOCKETS_MAX - 1);
    all[count].id = socket_id;
    all[count].is_open = true;
    all[count].is_in_session = false;
    all[count].told_end = (struct uuid){0};
    assert_true(uuid_parse(str_of(user_id), &all[count].user_id));
    count++;
}

void socket_goes(uint64_t socket_id)
{
    int i = open_index_of(socket_id);
    if (i < 0)
        return;
    all[i].is_open = false;
    leave(i, true);
}

bool socket_is_open(uint64_t socket_id)
{
    return open_index_of(socket_id) >= 0;
}

bool socket_is_in_any(uint64_t socket_id)
{
    int i = open_index_of(socket_id);
    return i >= 0 && all[i].is_in_session;
}

bool socket_is_in(uint64_t socket_id, const char *session_id)
{
    int i = open_index_of(socket_id);
    struct uuid id;
    assert_true(uuid_parse(str_of(session_id), &id));
    return i >= 0 && all[i].is_in_session && uuid_eq(&all[i].session_id, &id);
}

static int next_for(uint64_t socket_id)
{
    for (int i = from; i < sent_count; i++) {
        if (sent[i].socket_id == socket_id && !sent[i].is_taken)
            return i;
    }
    return -1;
}

const char *next_told(uint64_t socket_id, const char *event)
{
    int i = next_for(socket_id);
    if (i < 0)
        fail_msg("socket %d was not sent %s", (int)socket_id, event);
    assert_string_equal(sent[i].event, event);
    sent[i].is_taken = true;
    return sent[i].payload;
}

void assert_told(uint64_t socket_id, const char *event, const char *payload)
{
    if (event) {
        assert_json(next_told(socket_id, event), payload);
        return;
    }
    int i = next_for(socket_id);
    if (i >= 0)
        fail_msg("socket %d was sent %s %s", (int)socket_id, sent[i].event, sent[i].payload);
}

bool told_nth(int n, struct told *out)
{
    int i = from + n;
    if (i >= sent_count)
        return false;
    *out = (struct told){sent[i].at_ms, sent[i].socket_id, sent[i].event, sent[i].payload};
    return true;
}

int times_told(const char *event)
{
    int n = 0;
    for (int i = from; i < sent_count; i++)
        n += strcmp(sent[i].event, event) == 0;
    return n;
}

void sockets_forget(void)
{
    from = sent_count;
}

void sockets_reset(void)
{
    for (int i = 0; i < sent_count; i++) {
        free(sent[i].event);
        free(sent[i].payload);
        sent[i].is_taken = false;
    }
    sent_count = from = count = 0;
}
