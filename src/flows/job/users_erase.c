/* users.erase: keeps the promises to erase, one user after the other (docs/privacy.md). What goes on is ended
 * first, by the statements that end it for everybody, so that partners are told; then what is over goes, a
 * batch at a time. Whatever fails is tried again, here or elsewhere, when the claim has run out: every step
 * may be taken twice. One flow keeps one promise, and begins the next. */
#include "flows/job.h"
#include "flows/matchmaker.h"
#include "flows/session_ended.h"
#include "flows/user_events.h"

#include "conversation/base/log.h"
#include "conversation/ports/db_privacy.h"
#include "conversation/ports/kv.h"
#include "conversation/ports/kv_user.h"

/* Each goes through the whole outbox and all keys of Redis: thousands of user.deleted must not do so
 * together. */
#define AT_ONCE 2

static struct {
    int count;
    bool is_asked; /* somebody did not begin, for there were enough: whoever ends looks again */
} at_work;

struct users_erase {
    bool is_at_work;
    struct db_erasure erasure;
    struct db_erasure_open open;
    size_t i; /* of what is open */
    struct db_cancel cancelled;
    struct db_session_ending ending;
    struct db_ended ended;
    int changed;
    int64_t event; /* the last one looked at */
    bool is_done;
    enum err
        err; /* of a step whose failure is looked at; of the queue's copies, which run out by themselves */
};

static bool begins(struct users_erase *c)
{
    c->is_at_work = at_work.count < AT_ONCE;
    at_work.count += c->is_at_work;
    at_work.is_asked = at_work.is_asked || !c->is_at_work;
    return c->is_at_work;
}

static void ends(struct users_erase *c)
{
    at_work.count -= c->is_at_work;
    c->is_at_work = false;
}

static void go_on(struct users_erase *c)
{
    bool is_more = c->is_done || at_work.is_asked;
    ends(c);
    at_work.is_asked = false;
    if (is_more)
        job_users_erase_now();
}

/* The open requests come first, then the sessions. */
static bool is_request(const struct users_erase *c)
{
    return c->i < c->open.request_count;
}

static bool has_more_open(const struct users_erase *c)
{
    return c->i < c->open.request_count + c->open.session_count;
}

static void end_next(struct flow *f, struct users_erase *c)
{
    if (is_request(c)) {
        db_match_request_cancel(f, &c->open.request_ids[c->i], &c->erasure.user_id, &c->cancelled);
        return;
    }
    c->ending = (struct db_session_ending){.id = c->open.session_ids[c->i - c->open.request_count],
                                           .by = c->erasure.user_id,
                                           .event = SESSION_EVENT_LEAVE};
    session_end_submit(f, &c->ending, &c->ended);
}

/* False: it could not be ended now. One that is not there any more has ended. */
static bool carry(struct flow *f, struct users_erase *c)
{
    if (c->err && c->err != ERR_MATCH_REQUEST_NOT_FOUND && c->err != ERR_SESSION_NOT_FOUND)
        return false;
    if (is_request(c)) {
        matchmaker_remove(&c->open.request_ids[c->i], WAIT_CANCELLED);
        user_events_request_cancelled(&c->erasure.user_id);
    } else if (!c->err)
        session_ended(f, &c->ended, &c->erasure.user_id);
    c->i++;
    return true;
}

static void log_end(struct flow *f, const struct users_erase *c)
{
    LOG(LOG_INFO, c->is_done ? "privacy.erased" : "privacy.erasing", LOG_UUID("userId", &c->erasure.user_id),
        LOG_Z("correlationId", flow_correlation_id(f)));
}

static void run(struct flow *f)
{
    struct users_erase *c = flow_ctx(f);
    FLOW_BEGIN(f);
    if (!db_is_up() || !begins(c)) /* while it is away it would fail, and be logged, all the time */
        return;
    AWAIT(f, db_erasure_claim(f, &c->erasure));
    if (uuid_is_nil(&c->erasure.user_id)) {
        go_on(c);
        return;
    }
    AWAIT(f, db_erasure_open(f, &c->erasure.user_id, &c->open));
    for (c->i = 0; has_more_open(c);) {
        AWAIT_TRY(f, &c->err, end_next(f, c));
        if (!carry(f, c))
            FLOW_FAIL(f, c->err);
    }
    user_events_erased(&c->erasure.user_id); /* after what they are told of the end */
    AWAIT_TRY(f, &c->err, kv_queue_remove(f, c->open.request_ids, c->open.request_count));
    do
        AWAIT(f, db_erasure_step(f, &c->erasure.user_id, &c->changed));
    while (c->changed > 0);
    do
        AWAIT(f, db_erasure_events(f, &c->erasure.user_id, &c->event));
    while (c->event >= 0);
    AWAIT(f, kv_user_forget(f, &c->erasure.user_id));
    AWAIT(f, db_erasure_finish(f, &c->erasure, &c->is_done));
    log_end(f, c);
    go_on(c); /* not done: there is new data; at the next time, not in a circle */
    FLOW_END(f);
fail:
    ends(c); /* the engine logs it; the claim runs out */
}

/* No deadline: each step has that of its adapter, and how many there are is for the user's past to say. */
const struct flow_spec job_users_erase = {
    .name = "users.erase",
    .run = run,
    .ctx_size = sizeof(struct users_erase),
};

void job_users_erase_now(void)
{
    flow_start(&(struct flow_start){.spec = &job_users_erase});
}
