/* Live sessions: presence, timers and what the clients are told. Invariant: a socket id in `peers` is of a
 * socket that has entered this session (sockets_enter_session) and belongs to that participant. */
#include "flows/live.h"

#include <assert.h>
#include <stdlib.h>

#include "conversation/base/clock.h"
#include "conversation/base/jsonw.h"
#include "conversation/base/log.h"
#include "conversation/base/map.h"
#include "conversation/base/metrics.h"
#include "conversation/base/slots.h"
#include "conversation/config.h"
#include "conversation/ports/sockets.h"
#include "conversation/rt/timer.h"
#include "flows/job.h"
#include "flows/session_keys.h"
#include "flows/speaking.h"

struct peer {
    uint64_t socket_id; /* 0: not here */
    int join_number;    /* of that socket */
    bool has_been_here;
    uint32_t ufrag_hash;
    int candidates; /* of the current negotiation */
};

/* What a relayed message touches stands first. */
struct live {
    struct map_node node;
    struct uuid user_ids[2]; /* the participants', in their order */
    struct peer peers[2];
    uint64_t number;
    struct session session;
    struct session_run run;
    struct speaking speaking;
    struct session_keys keys;
    struct timer timer;
    struct topic_prompt prompts[];
};

static struct map sessions;
static struct slots numbered; /* the same */
static struct buf scratch;    /* one event's payload; emptied before each use */

static struct session_limits limits(void)
{
    return (struct session_limits){
        .join_window_ms = config.session_join_window_seconds * 1000LL,
        .grace_ms = config.session_reconnect_grace_seconds * 1000LL,
        .prompt_min_ms = config.prompt_interval_min_seconds * 1000LL,
        .prompt_max_ms = config.prompt_interval_max_seconds * 1000LL,
        .prompts_max = config.prompts_max,
        .prompt_request_gap_ms = config.prompt_request_gap_seconds * 1000LL,
        .warn_before_ms = 60000,
    };
}

/* --- what clients are told --- */

static struct jsonw payload_begin(void)
{
    scratch.n = 0;
    struct jsonw w = jsonw_on(&scratch);
    jsonw_object(&w);
    return w;
}

static void payload_send(struct jsonw *w, uint64_t socket_id, const char *event)
{
    jsonw_end_object(w);
    jsonw_finish(w);
    struct str part = buf_str(&scratch);
    sockets_emit(socket_id, event, &part, 1);
}

static void tell_partner_joined(uint64_t socket_id, const struct participant *partner)
{
    struct jsonw w = payload_begin();
    jsonw_m_uuid(&w, "partnerId", &partner->user_id);
    jsonw_m_z(&w, "partnerName", partner->display_name);
    jsonw_m_z_opt(&w, "partnerAvatar", partner->avatar_url);
    jsonw_m_z(&w, "nativeLanguageCode", partner->native_language);
    jsonw_m_z(&w, "targetLanguageCode", partner->target_language);
    payload_send(&w, socket_id, "partner_joined");
}

static void tell_partner_left(uint64_t socket_id, const struct participant *partner, const char *reason)
{
    struct jsonw w = payload_begin();
    jsonw_m_uuid(&w, "partnerId", &partner->user_id);
    jsonw_m_z(&w, "reason", reason);
    payload_send(&w, socket_id, "partner_left");
}

static void tell_prompt(const struct live *l, const char *key, const char *category)
{
    for (int who = 0; who < 2; who++) {
        if (!l->peers[who].socket_id)
            continue;
        struct jsonw w = payload_begin();
        jsonw_m_z(&w, "promptKey", key);
        jsonw_m_z(&w, "category", category);
        payload_send(&w, l->peers[who].socket_id, "new_prompt");
    }
}

/* Where the session stands, for a socket that comes back. */
static void tell_session_state(const struct live *l, int who)
{
    const struct session *s = &l->session;
    struct jsonw w = payload_begin();
    jsonw_m_uuid(&w, "sessionId", &s->id);
    jsonw_m_z(&w, "status", session_status_names[s->status]);
    jsonw_m_uuid(&w, "partnerId", &s->participants[1 - who].user_id);
    jsonw_m_bool(&w, "partnerConnected", l->peers[1 - who].socket_id != 0);
    jsonw_m_time_opt(&w, "startedAt", s->started_at_ms);
    jsonw_m_time_opt(&w, "endsAt", l->run.limit_at_ms);
    jsonw_m_int(&w, "maxDurationSeconds", s->max_duration_seconds);
    jsonw_m_int(&w, "promptsShown", l->run.prompts_shown);
    if (l->run.prompts_shown > 0)
        jsonw_m_z(&w, "promptKey", l->run.shown_keys[l->run.prompts_shown - 1]);
    payload_send(&w, l->peers[who].socket_id, "session_state");
}

static void tell_taken_over(uint64_t socket_id)
{
    struct jsonw w = payload_begin();
    jsonw_m_z(&w, "status", "error");
    jsonw_m_z(&w, "code", err_info(ERR_SESSION_TAKEN_OVER)->wire_code);
    jsonw_m_z(&w, "message", "another socket of this user has joined the session");
    jsonw_m_z(&w, "event", "join_session");
    payload_send(&w, socket_id, "exception");
}

/* To the socket that is in the session, or to all of the user's sockets when none is. */
static void tell_session_ended(const struct session *s, int who, uint64_t socket_id)
{
    struct jsonw w = payload_begin();
    jsonw_m_uuid(&w, "sessionId", &s->id);
    jsonw_m_z(&w, "reason", session_end_wire_reason(s->end_reason));
    jsonw_m_int(&w, "durationSeconds", s->duration_seconds);
    if (socket_id) {
        payload_send(&w, socket_id, "session_ended");
        return;
    }
    jsonw_end_object(&w);
    sockets_emit_user(&s->participants[who].user_id, "session_ended", buf_str(&scratch));
}

/* A partner who is not there is told when it comes back. */
static void tell_partner_speaking(struct live *l, int who, bool is_speaking)
{
    char user_id[UUID_TEXT_LENGTH + 1];
    uuid_format(&l->user_ids[who], user_id);
    const struct str parts[] = {STR("{\"partnerId\":\""),
                                {user_id, UUID_TEXT_LENGTH},
                                is_speaking ? STR("\",\"speaking\":true}") : STR("\",\"speaking\":false}")};
    if (live_has_partner(l, who))
        (void)!live_emit_to_partner(l, who, "partner_speaking", parts, sizeof parts / sizeof parts[0]);
}

/* --- timers --- */

static void on_timer(struct timer *t);

static void arm(struct live *l)
{
    struct session_limits lim = limits();
    int64_t next = session_run_next_ms(&l->run, &lim);
    if (next == INT64_MAX) {
        timer_stop(&l->timer);
        return;
    }
    int64_t wait = next - clock_now_ms();
    timer_start(&l->timer, wait > 0 ? wait : 0, on_timer);
}

static void show_prompt(struct live *l, const struct topic_prompt *prompt)
{
    tell_prompt(l, prompt->key, prompt_category_names[prompt->type]);
    metric_inc(M_PROMPTS, prompt_type_names[prompt->type]);
    LOG(LOG_INFO, "prompt.displayed", LOG_UUID("sessionId", &l->session.id), LOG_Z("promptKey", prompt->key));
    job_prompt_store(&l->session.id, prompt);
    session_keys_changed(&l->keys);
}

static const struct topic_prompt switch_prompt = {.key = SESSION_SWITCH_KEY, .type = PROMPT_MAIN};

static void act(struct live *l, const struct session_action *a)
{
    static const struct uuid nobody;
    switch (a->kind) {
    case ACTION_END:
        job_session_end(&(struct db_session_ending){
            .id = l->session.id,
            .by = a->who >= 0 ? l->session.participants[a->who].user_id : nobody,
            .event = a->event,
            .at_ms = a->at_ms,
        });
        break;
    case ACTION_SHOW_PROMPT: show_prompt(l, a->prompt); break;
    case ACTION_WARN_LIMIT: tell_prompt(l, "session.one_minute_left", "main_topic"); break;
    case ACTION_SWITCH_LANGUAGE:
        tell_prompt(l, switch_prompt.key, prompt_category_names[switch_prompt.type]);
        job_prompt_store(&l->session.id, &switch_prompt); /* so that a restart does not tell it again */
        break;
    case ACTION_NONE: break;
    }
}

static void run_due(struct live *l)
{
    struct session_limits lim = limits();
    struct session_action a;
    while ((a = session_run_due(&l->run, &lim, clock_now_ms())).kind != ACTION_NONE)
        act(l, &a);
    arm(l);
}

static void on_timer(struct timer *t)
{
    run_due(container_of(t, struct live, timer));
}

/* --- the registry --- */

static void count_active(enum session_status from, enum session_status to)
{
    int delta = (to == SESSION_ACTIVE) - (from == SESSION_ACTIVE);
    if (delta)
        metric_add(M_CONVERSATIONS_ACTIVE, delta, NULL, NULL, NULL);
}

/* The one place where a live session takes over what the database says. */
static void take(struct live *l, const struct session *s)
{
    count_active(l->session.status, s->status);
    l->session = *s;
    for (int who = 0; who < 2; who++)
        l->user_ids[who] = s->participants[who].user_id;
}

struct live *live_get(const struct uuid *session_id)
{
    struct map_node *n = map_get(&sessions, session_id);
    return n ? container_of(n, struct live, node) : NULL;
}

struct live *live_at(uint64_t number)
{
    return slots_get(&numbered, number);
}

uint64_t live_number(const struct live *l)
{
    return l->number;
}

const struct session *live_session(const struct live *l)
{
    return &l->session;
}

static uint64_t seed_of(const struct uuid *id)
{
    uint64_t seed;
    memcpy(&seed, id->b, sizeof seed);
    return seed;
}

struct live *live_open(const struct session *s, const struct db_session_prompts *p)
{
    struct live *l = live_get(&s->id);
    if (l)
        return l;
    l = calloc(1, sizeof *l + p->prompt_count * sizeof l->prompts[0]);
    if (!l)
        abort();
    take(l, s);
    memcpy(l->prompts, p->prompts, p->prompt_count * sizeof l->prompts[0]);
    session_run_init(&l->run, s, l->prompts, p->prompt_count, seed_of(&s->id));
    for (size_t i = 0; s->status == SESSION_ACTIVE && i < p->shown_count; i++)
        session_run_was_shown(&l->run, p->shown[i].key, p->shown[i].displayed_at_ms);
    speaking_begin(&l->speaking, s);
    session_keys_begin(&l->keys);
    map_put(&sessions, &s->id, &l->node);
    l->number = slots_put(&numbered, l);
    return l;
}

static void live_free(struct live *l)
{
    count_active(l->session.status, SESSION_COMPLETED);
    timer_stop(&l->timer);
    speaking_end(&l->speaking);
    session_keys_end(&l->keys);
    map_remove(&sessions, &l->session.id);
    slots_remove(&numbered, l->number);
    free(l);
}

static void absent(struct live *l, int who, int join_number)
{
    session_run_absent(&l->run, who, clock_now_ms());
    speaking_note(&l->speaking, who, false);
    if (l->peers[1 - who].socket_id)
        tell_partner_left(l->peers[1 - who].socket_id, &l->session.participants[who], "disconnect");
    if (l->session.status == SESSION_WAITING)
        job_session_unjoin(&l->session.id, &l->session.participants[who].user_id, join_number);
    arm(l);
}

void live_join(struct live *l, const struct live_seat *seat)
{
    int who = seat->who;
    uint64_t socket_id = seat->socket_id;
    struct peer *me = &l->peers[who], *other = &l->peers[1 - who];
    uint64_t older = me->socket_id;
    bool is_return = me->has_been_here;
    if (older == socket_id)
        return;
    if (!sockets_enter_session(socket_id, &l->session.id, l->number)) {
        if (!older) /* gone since it asked: the database has it as joined */
            absent(l, who, seat->join_number);
        return;
    }
    me->join_number = seat->join_number;
    me->socket_id = socket_id;
    me->has_been_here = true;
    if (older) {
        speaking_note(&l->speaking, who, false); /* the new one has not said so */
        tell_taken_over(older);
        sockets_leave_session(older);
        sockets_disconnect(older);
    }
    session_run_present(&l->run, who, clock_now_ms());
    if (is_return || l->session.status == SESSION_ACTIVE)
        tell_session_state(l, who);
    if (other->socket_id) {
        tell_partner_joined(socket_id, &l->session.participants[1 - who]);
        if (speech_is_speaking(&l->speaking.speech, 1 - who))
            tell_partner_speaking(l, 1 - who, true);
        tell_partner_joined(other->socket_id,
                            &l->session.participants[who]); /* a take-over, too: it must renegotiate */
    }
    run_due(l);
}

void live_activate(struct live *l, const struct session *s)
{
    if (l->session.status != SESSION_WAITING)
        return; /* told already: by the other participant's join, or by a second look at the row */
    take(l, s);
    session_run_activate(&l->run, s->started_at_ms, s->max_duration_seconds);
    LOG(LOG_INFO, "conversation.started", LOG_UUID("sessionId", &s->id), LOG_Z("topicCode", s->topic_code));
    run_due(l);
}

void live_socket_gone(uint64_t socket_id, const struct uuid *session_id, const struct uuid *user_id)
{
    struct live *l = live_get(session_id);
    int who = l ? live_participant(l, user_id) : -1;
    if (who < 0 || l->peers[who].socket_id != socket_id)
        return; /* ended meanwhile, or taken over by a newer socket */
    l->peers[who].socket_id = 0;
    absent(l, who, l->peers[who].join_number);
}

enum err live_request_prompt(struct live *l)
{
    struct session_limits lim = limits();
    enum err err = session_run_request_prompt(&l->run, &lim, clock_now_ms());
    if (err)
        return err;
    run_due(l);
    return OK;
}

static const char *left_reason(const struct session *s)
{
    return s->end_reason == END_DROPPED || s->end_reason == END_NO_SHOW ? "timeout" : "ended";
}

void live_close(const struct session *ended, int by)
{
    struct live *l = live_get(&ended->id);
    for (int who = 0; who < 2; who++) {
        uint64_t socket_id = l ? l->peers[who].socket_id : 0;
        bool partner_went = by == 1 - who && ended->end_reason != END_COMPLETED;
        if (socket_id && partner_went)
            tell_partner_left(socket_id, &ended->participants[by], left_reason(ended));
        tell_session_ended(ended, who, socket_id);
        if (socket_id)
            sockets_leave_session(socket_id);
    }
    if (l)
        live_free(l);
}

void live_forget(const struct uuid *session_id)
{
    struct live *l = live_get(session_id);
    if (!l)
        return;
    for (int who = 0; who < 2; who++)
        if (l->peers[who].socket_id)
            sockets_leave_session(l->peers[who].socket_id);
    live_free(l);
}

/* --- from one participant to the other --- */

int live_participant(const struct live *l, const struct uuid *user_id)
{
    for (int who = 0; who < 2; who++)
        if (uuid_eq(&l->user_ids[who], user_id))
            return who;
    return -1;
}

const struct uuid *live_user_id(const struct live *l, int who)
{
    return &l->user_ids[who];
}

bool live_has_partner(const struct live *l, int from)
{
    return l->peers[1 - from].socket_id != 0;
}

enum err live_emit_to_partner(struct live *l, int from, const char *event, const struct str *parts,
                              int part_count)
{
    uint64_t socket_id = l->peers[1 - from].socket_id;
    if (!socket_id)
        return ERR_PARTNER_NOT_CONNECTED;
    sockets_emit(socket_id, event, parts, part_count);
    return OK;
}

void live_speaks(struct live *l, int who, bool is_speaking)
{
    if (l->session.status == SESSION_ACTIVE)
        speaking_note(&l->speaking, who, is_speaking);
    tell_partner_speaking(l, who, is_speaking);
}

struct speaking *live_speaking(struct live *l)
{
    return &l->speaking;
}

struct live *live_of_keys(struct session_keys *k)
{
    return container_of(k, struct live, keys);
}

void live_running(const struct live *l, struct kv_running *out)
{
    *out = (struct kv_running){.id = l->session.id,
                               .user_ids = {l->user_ids[0], l->user_ids[1]},
                               .status = l->session.status,
                               .started_at_ms = l->session.started_at_ms,
                               .prompts_shown = l->run.prompts_shown,
                               .is_owner = true};
    for (int who = 0; who < 2; who++)
        if (l->peers[who].socket_id)
            out->heartbeat_ms[who] = clock_now_ms();
}

bool live_count_candidate(struct live *l, int who, int limit)
{
    if (limit == 0)
        return true;
    if (l->peers[who].candidates >= limit)
        return false;
    l->peers[who].candidates++;
    return true;
}

void live_note_ufrag(struct live *l, int who, struct str ufrag)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < ufrag.n; i++)
        hash = (hash ^ (uint8_t)ufrag.p[i]) * 16777619u;
    if (hash == l->peers[who].ufrag_hash)
        return;
    l->peers[who].ufrag_hash = hash;
    l->peers[who].candidates = 0;
}

static void free_node(struct map_node *n, void *arg)
{
    (void)arg;
    live_free(container_of(n, struct live, node));
}

void live_done(void)
{
    map_each(&sessions, free_node, NULL);
    map_done(&sessions);
    slots_done(&numbered);
    buf_done(&scratch);
}
