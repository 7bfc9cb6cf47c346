/* Sessions in memory. */
#include <stdio.h>

#include "conversation/base/arena.h"
#include "conversation/base/clock.h"
#include "conversation/base/instance.h"
#include "flows/fakes/db.h"
#include "flows/fakes/port.h"

struct session *fake_session(const struct uuid *id)
{
    for (size_t i = 0; i < fake_db.session_count; i++) {
        if (uuid_eq(&fake_db.sessions[i].id, id))
            return &fake_db.sessions[i];
    }
    return NULL;
}

static bool is_for_later(const struct session *s, int who)
{
    return s->scheduled_at_ms && !s->participants[who].joined_at_ms;
}

bool fake_user_is_busy(const struct uuid *user_id, const struct db_time *time)
{
    for (size_t i = 0; i < fake_db.session_count; i++) {
        const struct session *s = &fake_db.sessions[i];
        int who = session_is_over(s) ? -1 : session_participant_index(s, user_id);
        int64_t ends_ms = s->scheduled_at_ms + s->max_duration_seconds * 1000LL + SESSION_OPENS_EARLY_MS;
        if (who < 0)
            continue;
        if (is_for_later(s, who) ? s->scheduled_at_ms < time->until_ms && ends_ms > time->from_ms
                                 : time->mode == MATCH_NOW)
            return true;
    }
    return false;
}

bool fake_user_is_in_live_session(const struct uuid *user_id)
{
    const struct db_time now = {
        .mode = MATCH_NOW, .from_ms = clock_now_ms(), .until_ms = clock_now_ms() + SESSION_OPENS_EARLY_MS};
    return fake_user_is_busy(user_id, &now);
}

void db_session_get(struct flow *f, const struct uuid *id, struct session *out)
{
    struct port_call *call = port_begin(f, DB_SESSION_GET);
    const struct session *s = fake_session(id);
    port_answer(call, s ? OK : ERR_SESSION_NOT_FOUND, out, s, s ? sizeof *s : 0);
}

/* --- prompts --- */

static const struct topic *topic_of(const struct session *s)
{
    for (size_t i = 0; i < fake_db.topic_count; i++) {
        const struct topic *t = &fake_db.topics[i];
        if (strcmp(t->code, s->topic_code) == 0 && strcmp(t->language, s->target_language) == 0)
            return t;
    }
    return NULL;
}

void db_session_prompts(struct flow *f, const struct session *s, struct db_session_prompts *out)
{
    struct port_call *call = port_begin(f, DB_SESSION_PROMPTS);
    const struct topic *t = topic_of(s);
    struct db_shown_prompt *shown = ARENA_ARRAY(flow_arena(f), struct db_shown_prompt, FAKE_SHOWN_MAX);
    struct db_session_prompts prompts = {.shown = shown};
    if (t) {
        prompts.topic_name_key = t->name_key;
        prompts.prompts = t->prompts;
        prompts.prompt_count = t->prompt_count;
    }
    for (size_t i = 0; i < fake_db.shown_count; i++) {
        const struct fake_shown *row = &fake_db.shown[i];
        if (uuid_eq(&row->session_id, &s->id))
            shown[prompts.shown_count++] =
                (struct db_shown_prompt){arena_strz(flow_arena(f), str_of(row->key)), row->at_ms};
    }
    port_answer(call, OK, out, &prompts, sizeof prompts);
}

void db_session_prompt_shown(struct flow *f, const struct uuid *id, const struct topic_prompt *prompt,
                             int64_t displayed_at_ms)
{
    struct port_call *call = port_begin(f, DB_SESSION_PROMPT_SHOWN);
    const struct session *s = fake_session(id);
    bool is_active = s && s->status == SESSION_ACTIVE;
    if (is_active && port_takes_effect(call)) {
        struct fake_shown *row = &fake_db.shown[fake_db.shown_count++];
        row->session_id = *id;
        row->at_ms = displayed_at_ms;
        memcpy(row->key, prompt->key, sizeof row->key);
    }
    port_answer(call, is_active ? OK : ERR_CONFLICT, NULL, NULL, 0);
}

/* --- join --- */

static bool enter(struct session *s, int who)
{
    int64_t now = clock_now_ms();
    if (!s->participants[who].joined_at_ms || s->status == SESSION_WAITING)
        s->participants[who].joined_at_ms = now;
    if (!s->first_joined_at_ms)
        s->first_joined_at_ms = now;
    bool activates = s->status == SESSION_WAITING && s->participants[1 - who].joined_at_ms;
    if (activates) {
        s->status = SESSION_ACTIVE;
        s->started_at_ms = now;
    }
    return activates;
}

void db_session_join(struct flow *f, const struct uuid *id, const struct uuid *user_id, struct db_join *out)
{
    struct port_call *call = port_begin(f, DB_SESSION_JOIN);
    struct session *s = fake_session(id);
    int who = s ? session_participant_index(s, user_id) : -1;
    enum err err = who < 0 ? ERR_SESSION_NOT_FOUND : session_is_over(s) ? ERR_SESSION_ENDED : OK;
    struct db_join join = {.activated = false};
    if (err == OK && port_takes_effect(call)) {
        join.activated = enter(s, who);
        join.session = *s;
        join.number = ++fake_db.joins[s - fake_db.sessions][who];
        join.partner_at = fake_db.partner_at;
    }
    port_answer(call, err, out, &join, sizeof join);
}

/* It does not concern one who has joined again since. */
static void unjoin(struct session *s, int who, int join_number)
{
    if (s->status == SESSION_WAITING && fake_db.joins[s - fake_db.sessions][who] <= join_number)
        s->participants[who].joined_at_ms = 0;
}

void db_session_unjoin(struct flow *f, const struct uuid *id, const struct uuid *user_id, int join_number)
{
    struct port_call *call = port_begin(f, DB_SESSION_UNJOIN);
    struct session *s = fake_session(id);
    int who = s ? session_participant_index(s, user_id) : -1;
    if (who >= 0 && port_takes_effect(call))
        unjoin(s, who, join_number);
    port_answer(call, OK, NULL, NULL, 0);
}

void db_session_hand_over(struct flow *f, const struct db_hand_over *h)
{
    struct port_call *call = port_begin(f, DB_SESSION_HAND_OVER);
    if (port_takes_effect(call))
        fake_db.handed_over = *h;
    port_answer(call, OK, NULL, NULL, 0);
}

/* Everything that is active counts as left by another process. */
void db_sessions_left(struct flow *f, int64_t grace_ms, struct db_left_sessions *out)
{
    struct port_call *call = port_begin(f, DB_SESSIONS_LEFT);
    struct db_left_session *items =
        ARENA_ARRAY(flow_arena(f), struct db_left_session, fake_db.session_count + 1);
    struct db_left_sessions left = {.items = items};
    fake_db.asked.left_grace_ms = grace_ms;
    for (size_t i = 0; i < fake_db.session_count; i++) {
        if (fake_db.sessions[i].status == SESSION_ACTIVE)
            items[left.count++] = (struct db_left_session){fake_db.sessions[i], fake_db.left_at_ms};
    }
    port_answer(call, OK, out, &left, sizeof left);
}

void db_sessions_own(struct flow *f, struct db_own_sessions *out)
{
    struct port_call *call = port_begin(f, DB_SESSIONS_OWN);
    struct db_own_session *items =
        ARENA_ARRAY(flow_arena(f), struct db_own_session, fake_db.session_count + 1);
    struct db_own_sessions own = {.items = items};
    for (size_t i = 0; i < fake_db.session_count; i++) {
        const int *joins = fake_db.joins[i];
        if (fake_db.has_own && fake_db.sessions[i].status == SESSION_ACTIVE)
            items[own.count++] = (struct db_own_session){fake_db.sessions[i].id, {joins[0], joins[1]}};
    }
    port_answer(call, OK, out, &own, sizeof own);
}

void db_instance_beat(struct flow *f, bool is_stopping)
{
    struct port_call *call = port_begin(f, DB_INSTANCE_BEAT);
    if (port_takes_effect(call)) {
        fake_db.beats++;
        fake_db.is_stopped |= is_stopping;
    }
    port_answer(call, OK, NULL, NULL, 0);
}

/* --- end --- */

static int larger(int a, int b)
{
    return a > b ? a : b;
}

void fake_speech_stays(struct session *s, const struct speech_total totals[2])
{
    for (int who = 0; who < 2; who++) {
        struct participant *p = &s->participants[who];
        p->spoken_seconds = larger(p->spoken_seconds, totals[who].spoken_seconds);
        p->turn_count = larger(p->turn_count, totals[who].turn_count);
    }
}

static struct db_requeued last_requeued; /* one is enough for a test */

/* Who has joined a session that the other has not is asking again, since when it first did. */
static void requeue(const struct session *s, struct db_requeued *out)
{
    *out = (struct db_requeued){.expires_at_ms = 0};
    for (size_t i = 0; s->end_reason == END_NO_SHOW && i < fake_db.request_count; i++) {
        struct match_request *r = &fake_db.requests[i], *again = &fake_db.requests[fake_db.request_count];
        int who = session_participant_index(s, &r->user_id);
        if (!uuid_eq(&r->session_id, &s->id) || who < 0 || !s->participants[who].joined_at_ms)
            continue;
        *again = *r;
        again->id = uuid_random();
        again->status = MATCH_PENDING;
        again->session_id = again->partner_id = (struct uuid){{0}};
        again->matched_at_ms = 0;
        again->expires_at_ms = clock_now_ms() + r->max_wait_seconds * 1000LL;
        fake_db.request_count++;
        *out = (struct db_requeued){again->id, again->user_id, again->expires_at_ms};
        return;
    }
}

static enum err end(struct session *s, const struct db_session_ending *ending, bool *changed)
{
    struct session_ending into;
    int64_t now = clock_now_ms(), at = ending->at_ms ? ending->at_ms : now;
    *changed = false;
    if (session_is_over(s))
        return OK;
    if (!session_ending_of(s->status, ending->event, at - s->started_at_ms, &into))
        return ERR_CONFLICT;
    s->duration_seconds = s->started_at_ms ? (int)((at - s->started_at_ms) / 1000) : 0;
    s->status = into.status;
    s->end_reason = into.reason;
    s->ended_at_ms = at;
    fake_speech_stays(s, ending->speech);
    *changed = true;
    return OK;
}

/* As the test says, or by a join that was made here. */
static bool is_back(const struct session *s, const struct db_session_ending *ending, struct db_ended *out)
{
    struct db_ended back = fake_db.back;
    for (int who = 0; who < 2; who++) {
        int joins = fake_db.joins[s - fake_db.sessions][who];
        bool is_meant = uuid_is_nil(&ending->by) || uuid_eq(&ending->by, &s->participants[who].user_id);
        if (is_meant && joins > back.back_join && joins > ending->join)
            back = (struct db_ended){.back_at = *instance_id(), .back_join = joins};
    }
    if (ending->event != SESSION_EVENT_DROP || back.back_join <= ending->join)
        return false;
    *out = back;
    return true;
}

void db_session_end(struct flow *f, const struct db_session_ending *ending, struct db_ended *out)
{
    struct port_call *call = port_begin(f, DB_SESSION_END);
    struct session *s = fake_session(&ending->id);
    struct db_ended ended = {.changed = false};
    enum err err = OK;
    fake_db.asked.ending = *ending;
    if (!s || (!uuid_is_nil(&ending->by) && session_participant_index(s, &ending->by) < 0))
        err = ERR_SESSION_NOT_FOUND;
    else if (!session_is_over(s) && is_back(s, ending, &ended))
        ended.changed = false;
    else if (port_takes_effect(call))
        err = end(s, ending, &ended.changed);
    if (s)
        ended.session = *s;
    if (ended.changed)
        requeue(s, &last_requeued);
    if (s && s->end_reason == END_NO_SHOW)
        ended.requeued = last_requeued;
    port_answer(call, err, out, &ended, sizeof ended);
}

static bool is_overdue(const struct session *s, const struct db_sweep_query *q)
{
    int64_t now = clock_now_ms();
    if (s->status == SESSION_ACTIVE)
        return s->started_at_ms + s->max_duration_seconds * 1000LL + q->slack_ms <= now;
    return s->status == SESSION_WAITING && s->first_joined_at_ms &&
           s->first_joined_at_ms + q->join_window_ms + q->slack_ms <= now;
}

void db_sessions_abandoned(struct flow *f, int64_t abandoned_ms, int *out)
{
    struct port_call *call = port_begin(f, DB_SESSIONS_ABANDONED);
    int deleted = 0;
    for (size_t i = fake_db.session_count; port_takes_effect(call) && i > 0; i--) {
        struct session *s = &fake_db.sessions[i - 1];
        if (s->status == SESSION_WAITING && !s->first_joined_at_ms &&
            s->created_at_ms + abandoned_ms <= clock_now_ms()) {
            *s = fake_db.sessions[--fake_db.session_count];
            deleted++;
        }
    }
    port_answer(call, OK, out, &deleted, sizeof deleted);
}

void db_sessions_sweep(struct flow *f, const struct db_sweep_query *q, struct db_swept *out)
{
    struct port_call *call = port_begin(f, DB_SESSIONS_SWEEP);
    struct db_ended *items = ARENA_ARRAY(flow_arena(f), struct db_ended, FAKE_SESSIONS_MAX);
    struct db_swept swept = {.ended = items};
    fake_db.asked.sweep = *q;
    for (size_t i = fake_db.session_count; port_takes_effect(call) && i > 0; i--) {
        struct session *s = &fake_db.sessions[i - 1];
        bool changed;
        if (is_overdue(s, q)) {
            enum session_event event =
                s->status == SESSION_ACTIVE ? SESSION_EVENT_LIMIT : SESSION_EVENT_NO_SHOW;
            if (end(s, &(struct db_session_ending){.event = event}, &changed) == OK) {
                struct db_ended *e = &items[swept.ended_count++];
                *e = (struct db_ended){.session = *s, .changed = true};
                requeue(s, &e->requeued);
            }
        }
    }
    port_answer(call, OK, out, &swept, sizeof swept);
}
