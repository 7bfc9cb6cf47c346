/* user.catch_up: a socket has come from another instance, and what its user was told between the two may have
 * reached nobody. What still matters of it is told again, to this socket alone: a session that waits for the
 * user, or that the request's time ran out meanwhile. Clients ignore what they know. */
#include "flows/job.h"
#include "flows/match_found.h"

#include "conversation/base/clock.h"
#include "conversation/config.h"
#include "conversation/ports/sockets.h"

struct catch_up {
    uint64_t socket_id;
    struct uuid user_id;
    struct match_request request;
    struct session session;
};

/* For how long a client may have been without a socket, its loss unnoticed. */
static int64_t away_max_ms(void)
{
    return config.ws_recovery_seconds * 1000LL + config.ws_heartbeat_interval_ms +
           config.ws_heartbeat_timeout_ms;
}

static bool has_just_expired(const struct match_request *r)
{
    return r->status == MATCH_EXPIRED && clock_now_ms() - r->expires_at_ms < away_max_ms();
}

static void tell(const struct catch_up *c, const char *event, struct buf *text)
{
    struct str json = buf_str(text);
    sockets_emit(c->socket_id, event, &json, 1);
    buf_done(text);
}

static void tell_expired(const struct catch_up *c)
{
    struct buf text = {0};
    struct jsonw w = jsonw_on(&text);
    jsonw_object(&w);
    jsonw_m_uuid(&w, "matchRequestId", &c->request.id);
    jsonw_end_object(&w);
    tell(c, "match_expired", &text);
}

/* One that the user has been in is gone back to by its id. */
static void tell_found(const struct catch_up *c)
{
    struct buf text = {0};
    struct jsonw w = jsonw_on(&text);
    int who = session_participant_index(&c->session, &c->user_id);
    if (who < 0 || session_is_over(&c->session) || c->session.participants[who].joined_at_ms)
        return;
    match_found_write(&w, &c->request.id, &c->session, who, c->request.level_difference);
    jsonw_end_object(&w);
    tell(c, "match_found", &text);
}

static void run(struct flow *f)
{
    struct catch_up *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT(f, db_match_request_latest(f, &c->user_id, &c->request));
    if (has_just_expired(&c->request))
        tell_expired(c);
    if (c->request.status == MATCH_MATCHED) {
        AWAIT(f, db_session_get(f, &c->request.session_id, &c->session));
        tell_found(c);
    }
    FLOW_END(f);
fail:
    return; /* nothing to tell, or nobody knows: the client can still ask */
}

static const struct flow_spec user_catch_up = {
    .name = "user.catch_up",
    .run = run,
    .ctx_size = sizeof(struct catch_up),
    .deadline_ms = 5000,
};

void job_user_catch_up(uint64_t socket_id, const struct uuid *user_id)
{
    struct catch_up *c = flow_ctx(flow_start(&(struct flow_start){.spec = &user_catch_up}));
    c->socket_id = socket_id;
    c->user_id = *user_id;
}
