/* users.erase: keeps the promises to erase, one user after the other (docs/privacy.md). What goes on is ended
 * first, by the statements that end it for everybody, so that partners are told; then what is over goes, a
 * batch at a time. Whatever fails is tried again, here or elsewhere, when the claim has run out: every step
 * may be taken twice. */
#include "flows/job.h"
#include "flows/matchmaker.h"
#include "flows/session_ended.h"
#include "flows/user_events.h"

#include "conversation/base/log.h"
#include "conversation/ports/db_privacy.h"
#include "conversation/ports/kv.h"
#include "conversation/ports/kv_user.h"

struct users_erase {
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
    if (!db_is_up()) /* it would fail, and be logged, all the time */
        return;
    do {
        AWAIT(f, db_erasure_claim(f, &c->erasure));
        if (uuid_is_nil(&c->erasure.user_id))
            return;
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
        c->event = 0;
        do
            AWAIT(f, db_erasure_events(f, &c->erasure.user_id, &c->event));
        while (c->event >= 0);
        AWAIT(f, kv_user_forget(f, &c->erasure.user_id));
        AWAIT(f, db_erasure_finish(f, &c->erasure, &c->is_done));
        log_end(f, c);
    } while (c->is_done); /* else there is new data: at the next time, not in a circle */
    FLOW_END(f);
fail:
    return; /* the engine logs it; the claim runs out */
}

/* No deadline: each step has that of its adapter, and how many there are is for the user's past to say. Who
 * takes longer than the claim lasts may get company, which does no harm. */
const struct flow_spec job_users_erase = {
    .name = "users.erase",
    .run = run,
    .ctx_size = sizeof(struct users_erase),
};

void job_users_erase_now(void)
{
    flow_start(&(struct flow_start){.spec = &job_users_erase});
}
