/* GET /match-request/status: the caller's live request, or the last one, or the one that is named. With
 * `wait` the answer comes when a pending request is pending no longer, or when the time is over: then as it
 * still stands. */
#include "flows/handlers.h"
#include "flows/match_watch.h"
#include "flows/wait_times.h"

#include <stddef.h>

#include "conversation/base/clock.h"
#include "conversation/ports/db.h"

#define READ_MS 3000 /* for what is not the wait */

struct status_input {
    int wait_seconds;
    struct uuid id; /* nil: the live one, or the last */
};

struct status {
    struct status_input in;
    struct match_request request;
    struct match_watch watch;
    int64_t until_ms;      /* clock_mono_ms, of `wait` */
    int64_t idle_since_ms; /* of the wait that goes on */
    int64_t idle_ms;
};

static const struct field status_fields[] = {
    {"wait", FIELD_INT, .offset = offsetof(struct status_input, wait_seconds), .min = 0, .max = 25},
    {"id", FIELD_UUID, .offset = offsetof(struct status_input, id)},
    FIELDS_END,
};

/* From the begin of the wait to its end; a scheduled request whose time has not come has not waited. */
static int64_t waited_seconds(const struct match_request *r)
{
    int64_t end = clock_now_ms();
    if (r->status == MATCH_MATCHED)
        end = r->matched_at_ms;
    else if (end > r->expires_at_ms)
        end = r->expires_at_ms;
    int64_t waited = end - match_wait_start_ms(r);
    return waited > 0 ? waited / 1000 : 0;
}

static void answer(struct flow *f, const struct match_request *r)
{
    struct jsonw *w = reply_begin(f, 200);
    jsonw_object(w);
    jsonw_key(w, "matchRequest");
    jsonw_object(w);
    jsonw_m_uuid(w, "id", &r->id);
    jsonw_m_z(w, "status", match_status_names[r->status]);
    jsonw_m_uuid_opt(w, "sessionId", &r->session_id);
    jsonw_m_time_opt(w, "scheduledFor", r->scheduled_for_ms);
    jsonw_m_time_opt(w, "scheduledAt", r->session_scheduled_at_ms);
    jsonw_m_int(w, "waitedSeconds", waited_seconds(r));
    jsonw_m_time(w, "expiresAt", r->expires_at_ms);
    if (r->status == MATCH_MATCHED)
        jsonw_m_int(w, "levelDifference", r->level_difference);
    if (r->status == MATCH_PENDING)
        wait_times_write(w, r);
    jsonw_end_object(w);
    jsonw_end_object(w);
    reply_send(f);
}

static void begin_watch(struct flow *f, struct status *c)
{
    c->until_ms = clock_mono_ms() + c->in.wait_seconds * 1000LL;
    if (c->in.wait_seconds == 0)
        return;
    flow_set_deadline(f, c->in.wait_seconds * 1000LL + READ_MS);
    if (!match_watch_begin(&c->watch, caller_user_id(f)))
        flow_set_error(f, ERR_OVERLOADED);
}

/* Only what is pending can change. */
static int64_t left_ms(const struct status *c)
{
    if (c->request.status != MATCH_PENDING || edge_is_draining())
        return 0;
    return c->until_ms - clock_mono_ms();
}

static void wait_for_news(struct flow *f, struct status *c)
{
    c->idle_since_ms = clock_mono_ms();
    match_watch_wait(f, &c->watch, &c->request.id, left_ms(c));
}

static void look_up(struct flow *f, struct status *c)
{
    if (uuid_is_nil(&c->in.id))
        db_match_request_latest(f, caller_user_id(f), &c->request);
    else
        db_match_request_get(f, &c->in.id, caller_user_id(f), &c->request);
}

static void run(struct flow *f)
{
    struct status *c = flow_ctx(f);
    FLOW_BEGIN(f);
    begin_watch(f, c);
    if (flow_error(f))
        goto fail;
    AWAIT(f, look_up(f, c));
    while (left_ms(c) > 0) {
        AWAIT(f, wait_for_news(f, c));
        c->idle_ms += clock_mono_ms() - c->idle_since_ms;
        AWAIT(f, db_match_request_get(f, &c->request.id, caller_user_id(f), &c->request));
    }
    match_watch_end(&c->watch);
    reply_waited_ms(f, c->idle_ms);
    answer(f, &c->request);
    FLOW_END(f);
fail:
    match_watch_end(&c->watch);
    reply_error(f);
}

const struct handler rest_match_status = {
    .flow = {.name = "match_request.status",
             .run = run,
             .ctx_size = sizeof(struct status),
             .deadline_ms = READ_MS},
    .input = status_fields,
};
