/* Queue and sessions in memory. */
#include "flows/fakes/kv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "flows/fakes/port.h"

enum { QUEUE_MAX = 1024, SESSIONS_MAX = 16 };

static struct uuid queue[QUEUE_MAX];
static size_t queued;
static struct {
    struct uuid id;
    int prompts_shown;
} sessions[SESSIONS_MAX];
static size_t session_count;
static bool is_down;

void fake_kv_reset(void)
{
    queued = session_count = 0;
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

void kv_session_put(struct flow *f, const struct session *s, int prompts_shown)
{
    struct port_call *call = port_begin(f, KV_SESSION_PUT);
    size_t i = session_position_of(&s->id);
    if (port_takes_effect(call)) {
        assert_in_range(i, 0, SESSIONS_MAX - 1);
        if (i == session_count)
            session_count++;
        sessions[i].id = s->id;
        sessions[i].prompts_shown = prompts_shown;
    }
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
