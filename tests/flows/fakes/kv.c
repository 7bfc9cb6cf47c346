/* Queue and sessions in memory. */
#include "flows/fakes/kv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flows/fakes/port.h"

enum { QUEUE_MAX = 1024, SESSIONS_MAX = 16 };

static struct uuid queue[QUEUE_MAX];
static size_t queued;
static struct {
    struct uuid id;
    int prompts_shown;
    struct kv_running running;
} sessions[SESSIONS_MAX];
static size_t session_count;
static bool is_down;
static enum { NOBODY_HOLDS, WE_HOLD, ANOTHER_HOLDS } lease;
static bool is_whole;

void fake_kv_is_emptied(void)
{
    queued = session_count = 0;
    lease = NOBODY_HOLDS;
    is_whole = false;
}

void fake_kv_reset(void)
{
    fake_kv_is_emptied();
    is_down = false;
}

void fake_kv_looks_down(void)
{
    is_down = true;
}

void fake_kv_goes_away(void)
{
    is_down = true;
    for (enum port port = KV_QUEUE_ADD; port <= KV_SESSION_CLEAR; port++)
        port_script_always(port, (struct port_script){.err = ERR_KV_UNAVAILABLE});
}

void fake_kv_comes_back(void)
{
    is_down = false;
    for (enum port port = KV_QUEUE_ADD; port <= KV_SESSION_CLEAR; port++)
        port_script_always(port, (struct port_script){0});
}

bool kv_is_up(void)
{
    return !is_down;
}

/* --- the queue --- */

static size_t position_of(const struct uuid *id)
{
    size_t i = 0;
    while (i < queued && !uuid_eq(&queue[i], id))
        i++;
    return i;
}

bool fake_kv_has_request(const struct uuid *id)
{
    return position_of(id) < queued;
}

size_t fake_kv_queue_length(void)
{
    return queued;
}

void kv_queue_add(struct flow *f, const struct match_request *requests, size_t count)
{
    struct port_call *call = port_begin(f, KV_QUEUE_ADD);
    for (size_t i = 0; port_takes_effect(call) && i < count; i++) {
        assert_in_range(queued, 0, QUEUE_MAX - 1);
        if (!fake_kv_has_request(&requests[i].id))
            queue[queued++] = requests[i].id;
    }
    port_answer(call, OK, NULL, NULL, 0);
}

void kv_queue_remove(struct flow *f, const struct uuid *request_ids, size_t count)
{
    struct port_call *call = port_begin(f, KV_QUEUE_REMOVE);
    for (size_t i = 0; port_takes_effect(call) && i < count; i++) {
        size_t at = position_of(&request_ids[i]);
        if (at < queued)
            queue[at] = queue[--queued];
    }
    port_answer(call, OK, NULL, NULL, 0);
}

bool fake_kv_queue_is_whole(void)
{
    return is_whole;
}

void kv_queue_check(struct flow *f, bool *out)
{
    port_answer(port_begin(f, KV_QUEUE_CHECK), OK, out, &is_whole, sizeof is_whole);
}

void kv_queue_filled(struct flow *f)
{
    struct port_call *call = port_begin(f, KV_QUEUE_FILLED);
    if (port_takes_effect(call))
        is_whole = true;
    port_answer(call, OK, NULL, NULL, 0);
}

/* --- the lease --- */

void fake_kv_gives_lease_to_another(void)
{
    lease = ANOTHER_HOLDS;
}

void fake_kv_frees_lease(void)
{
    lease = NOBODY_HOLDS;
}

bool fake_kv_holds_lease(void)
{
    return lease == WE_HOLD;
}

void kv_lease_hold(struct flow *f, const char *name, int64_t ms, enum kv_lease *out)
{
    static const enum kv_lease answers[] = {
        [NOBODY_HOLDS] = KV_LEASE_TAKEN, [WE_HOLD] = KV_LEASE_EXTENDED, [ANOTHER_HOLDS] = KV_LEASE_OTHERS};
    struct port_call *call = port_begin(f, KV_LEASE_HOLD);
    enum kv_lease answer = answers[lease];
    assert_string_equal(name, "matchmaker:leader");
    assert_int_equal(ms, 5000);
    if (port_takes_effect(call) && lease == NOBODY_HOLDS)
        lease = WE_HOLD;
    port_answer(call, OK, out, &answer, sizeof answer);
}

void kv_lease_release(struct flow *f, const char *name)
{
    struct port_call *call = port_begin(f, KV_LEASE_RELEASE);
    assert_string_equal(name, "matchmaker:leader");
    if (port_takes_effect(call) && lease == WE_HOLD)
        lease = NOBODY_HOLDS;
    port_answer(call, OK, NULL, NULL, 0);
}

/* --- sessions --- */

static size_t session_position_of(const struct uuid *id)
{
    size_t i = 0;
    while (i < session_count && !uuid_eq(&sessions[i].id, id))
        i++;
    return i;
}

bool fake_kv_has_session(const struct uuid *id)
{
    return session_position_of(id) < session_count;
}

int fake_kv_prompts_shown(const struct uuid *session_id)
{
    size_t i = session_position_of(session_id);
    assert_true(i < session_count);
    return sessions[i].prompts_shown;
}

static size_t position_to_write(const struct uuid *id)
{
    size_t i = session_position_of(id);
    assert_in_range(i, 0, SESSIONS_MAX - 1);
    if (i == session_count) {
        memset(&sessions[i], 0, sizeof sessions[i]);
        sessions[session_count++].id = *id;
    }
    return i;
}

const struct kv_running *fake_kv_running(const struct uuid *id)
{
    size_t i = session_position_of(id);
    return i < session_count && !uuid_is_nil(&sessions[i].running.id) ? &sessions[i].running : NULL;
}

void kv_sessions_refresh(struct flow *f, const struct kv_running *items, size_t count)
{
    struct port_call *call = port_begin(f, KV_SESSIONS_REFRESH);
    for (size_t i = 0; port_takes_effect(call) && i < count; i++)
        sessions[position_to_write(&items[i].id)].running = items[i];
    port_answer(call, OK, NULL, NULL, 0);
}

void kv_session_put(struct flow *f, const struct session *s, int prompts_shown)
{
    struct port_call *call = port_begin(f, KV_SESSION_PUT);
    if (port_takes_effect(call))
        sessions[position_to_write(&s->id)].prompts_shown = prompts_shown;
    port_answer(call, OK, NULL, NULL, 0);
}

void kv_session_clear(struct flow *f, const struct session *s)
{
    struct port_call *call = port_begin(f, KV_SESSION_CLEAR);
    size_t i = session_position_of(&s->id);
    if (port_takes_effect(call) && i < session_count)
        sessions[i] = sessions[--session_count];
    port_answer(call, OK, NULL, NULL, 0);
}

void kv_rate_take(struct flow *f, const struct rate_limit *limit, const struct uuid *user_id,
                  int64_t *retry_after_ms)
{
    (void)limit;
    (void)user_id;
    (void)retry_after_ms;
    port_answer(port_begin(f, KV_RATE_TAKE), OK, NULL, NULL, 0);
}
