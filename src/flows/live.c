/* Live sessions: which there are, and where their participants are. Invariants: a socket id in `peers` is of
 * a socket that has entered this session (sockets_enter_session) and belongs to that participant; of two
 * sockets of one participant, wherever, the one with the higher number of its join is in the session. */
#include "flows/live_parts.h"

#include <assert.h>
#include <stdlib.h>

#include "conversation/base/clock.h"
#include "conversation/base/instance.h"
#include "conversation/base/log.h"
#include "conversation/base/metrics.h"
#include "conversation/base/slots.h"
#include "conversation/ports/sockets.h"
#include "flows/job.h"

static struct map sessions;
static struct slots numbered; /* the same */

/* --- who counts and stores --- */

/* The instance that has the first participant, when that one is there, else the one that has the second. */
bool live_runs(const struct live *l)
{
    const struct peer *decisive = &l->peers[peer_is_present(&l->peers[0]) ? 0 : 1];
    return decisive->place == HERE || decisive->place == NOWHERE;
}

void live_count(struct live *l)
{
    bool counts = l->session.status == SESSION_ACTIVE && live_runs(l);
    if (counts != l->is_counted)
        metric_add(M_CONVERSATIONS_ACTIVE, counts ? 1 : -1, NULL, NULL, NULL);
    l->is_counted = counts;
}

/* --- the registry --- */

/* The one place where a live session takes over what the database says. */
static void take(struct live *l, const struct session *s)
{
    l->session = *s;
    for (int who = 0; who < 2; who++)
        l->user_ids[who] = s->participants[who].user_id;
    live_count(l);
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

/* The same at every instance: they show the same prompts. */
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
    memcpy(l->prompts, p->prompts, p->prompt_count * sizeof l->prompts[0]);
    session_run_init(&l->run, s, l->prompts, p->prompt_count, seed_of(&s->id));
    for (size_t i = 0; s->status == SESSION_ACTIVE && i < p->shown_count; i++)
        session_run_was_shown(&l->run, p->shown[i].key, p->shown[i].displayed_at_ms);
    speaking_begin(&l->speaking, s);
    session_keys_begin(&l->keys);
    map_put(&sessions, &s->id, &l->node);
    l->number = slots_put(&numbered, l);
    take(l, s);
    remote_open(l);
    return l;
}

static void live_free(struct live *l)
{
    for (int who = 0; who < 2; who++)
        live_place(l, who, NOWHERE, NULL);
    l->session.status = SESSION_COMPLETED;
    live_count(l);
    remote_close(l);
    timer_stop(&l->timer);
    speaking_end(&l->speaking);
    session_keys_end(&l->keys);
    map_remove(&sessions, &l->session.id);
    slots_remove(&numbered, l->number);
    free(l);
}

/* --- where they are --- */

void live_place(struct live *l, int who, enum place place, const struct uuid *at)
{
    struct peer *p = &l->peers[who];
    struct neighbour *before = p->at;
    p->at = at ? neighbour_take(at) : NULL;
    if (before)
        neighbour_give_back(before);
    bool was_present = peer_is_present(p);
    p->place = place;
    if (place != HERE)
        p->socket_id = 0;
    if (peer_is_present(p) && !was_present)
        session_run_present(&l->run, who, clock_now_ms());
}

void live_went(struct live *l, int who)
{
    struct peer *p = &l->peers[who], *partner = &l->peers[1 - who];
    live_place(l, who, NOWHERE, NULL);
    session_run_absent(&l->run, who, clock_now_ms());
    speaking_note(&l->speaking, who, false);
    if (partner->place == HERE && p->told_number)
        tell_partner_left(partner->socket_id, &l->session.participants[who], "disconnect");
    p->told_number = 0;
    live_count(l);
    live_arm(l);
}

static void outdone(uint64_t socket_id)
{
    tell_taken_over(socket_id);
    sockets_leave_session(socket_id);
    sockets_disconnect(socket_id);
}

void live_outdone(struct live *l, int who)
{
    uint64_t socket_id = l->peers[who].socket_id;
    l->peers[who].socket_id = 0;             /* its end is no drop */
    speaking_note(&l->speaking, who, false); /* the new one has not said so */
    outdone(socket_id);
}

/* A take-over, too, is told: they must negotiate anew. */
static void introduce(struct live *l, int who)
{
    struct peer *p = &l->peers[who], *to = &l->peers[1 - who];
    bool is_there = p->place == HERE || p->place == ELSEWHERE;
    if (to->place != HERE || !is_there || p->told_number == p->join_number)
        return;
    p->told_number = p->join_number;
    tell_partner_joined(to->socket_id, &l->session.participants[who]);
    if (speech_is_speaking(&l->speaking.speech, who))
        tell_partner_speaking(to->socket_id, &l->user_ids[who], true);
}

void live_introduce(struct live *l)
{
    introduce(l, 0);
    introduce(l, 1);
}

static bool is_here(const struct live *l)
{
    return l->peers[0].place == HERE || l->peers[1].place == HERE;
}

static bool is_at(const struct peer *p, const struct uuid *instance)
{
    return p->place == ELSEWHERE && neighbour_is(p->at, instance);
}

void live_give_up_idle(struct live *l, const struct uuid *to)
{
    if (is_here(l) || (!is_at(&l->peers[0], to) && !is_at(&l->peers[1], to)))
        return;
    if (l->peers[0].row_number || l->peers[1].row_number)
        job_session_hand_over(
            &(struct db_hand_over){l->session.id, *to, {l->peers[0].row_number, l->peers[1].row_number}});
    live_free(l);
}

/* --- joining and leaving --- */

static void note_row_number(struct peer *p, int join_number)
{
    if (p->row_number < join_number)
        p->row_number = join_number;
}

/* A socket here has gone. */
static void absent(struct live *l, int who, int join_number)
{
    live_went(l, who);
    if (l->session.status == SESSION_WAITING)
        job_session_unjoin(&l->session.id, &l->session.participants[who].user_id, join_number);
    remote_say_state(l, live_is_shared(l));
}

/* As the row has it, when nobody has been heard yet. */
static void expect_partner(struct live *l, int who, const struct uuid *at)
{
    bool is_elsewhere = !uuid_is_nil(at) && !uuid_eq(at, instance_id());
    if (!is_elsewhere || l->is_listening || l->peers[who].place != NOWHERE)
        return;
    live_place(l, who, UNHEARD, at);
    remote_doubt(l);
}

/* False: it has gone since it asked, or a later one is in the session already. */
static bool sit_down(struct live *l, const struct live_seat *seat)
{
    struct peer *me = &l->peers[seat->who];
    if (seat->join_number < me->join_number) {
        outdone(seat->socket_id);
        return false;
    }
    if (!sockets_enter_session(seat->socket_id, &l->session.id, l->number)) {
        if (me->place == NOWHERE) /* the database has it as joined */
            absent(l, seat->who, seat->join_number);
        return false;
    }
    if (me->place == HERE)
        live_outdone(l, seat->who);
    me->socket_id = seat->socket_id;
    me->join_number = seat->join_number;
    live_place(l, seat->who, HERE, NULL);
    return true;
}

void live_join(struct live *l, const struct live_seat *seat)
{
    int who = seat->who;
    struct peer *me = &l->peers[who], *partner = &l->peers[1 - who];
    bool is_return = me->row_number || peer_is_present(me);
    note_row_number(me, seat->join_number);
    if (me->socket_id == seat->socket_id)
        return;
    expect_partner(l, 1 - who, &seat->partner_at);
    if (!sit_down(l, seat))
        return;
    partner->told_number = 0; /* to this socket */
    if (is_return || l->session.status == SESSION_ACTIVE)
        tell_session_state(l, who);
    introduce(l, 1 - who);
    introduce(l, who);
    remote_say_state(l, partner->place != HERE);
    live_count(l);
    live_run_due(l);
}

/* Whoever holds it answers, and it is given up to them; else the grace runs from now on. */
void live_adopt(struct live *l, const int joins[2])
{
    for (int who = 0; who < 2; who++) {
        l->peers[who].row_number = joins[who];
        session_run_absent(&l->run, who, clock_now_ms());
    }
    live_count(l);
    live_arm(l);
}

void live_activate(struct live *l, const struct session *s)
{
    if (l->session.status != SESSION_WAITING)
        return; /* told already: by the other participant's join, or by a second look at the row */
    take(l, s);
    session_run_activate(&l->run, s->started_at_ms, s->max_duration_seconds);
    if (live_runs(l))
        LOG(LOG_INFO, "conversation.started", LOG_UUID("sessionId", &s->id),
            LOG_Z("topicCode", s->topic_code));
    live_run_due(l);
}

/* At another instance it is looked for. If it is not there, or the answer to its join here was lost, it has
 * the grace once more. */
void live_came_back(struct live *l, int who, const struct uuid *at, int join_number)
{
    session_run_goes_on(&l->run, who, clock_now_ms());
    if (who >= 0)
        note_row_number(&l->peers[who], join_number);
    if (who >= 0 && l->peers[who].place == NOWHERE && !uuid_eq(at, instance_id())) {
        live_place(l, who, UNHEARD, at);
        remote_doubt(l);
        remote_say_state(l, true);
    }
    live_count(l);
    live_arm(l);
}

bool live_must_not_drop(struct live *l, const struct uuid *user_id)
{
    int who = live_participant(l, user_id);
    if (who >= 0 && !peer_is_present(&l->peers[who]))
        return false;
    session_run_goes_on(&l->run, who, clock_now_ms());
    live_arm(l);
    return true;
}

void live_socket_gone(uint64_t socket_id, const struct uuid *session_id, const struct uuid *user_id)
{
    struct live *l = live_get(session_id);
    int who = l ? live_participant(l, user_id) : -1;
    if (who < 0 || l->peers[who].socket_id != socket_id)
        return; /* ended meanwhile, or taken over by a newer socket */
    absent(l, who, l->peers[who].row_number);
}

/* --- the end --- */

static const char *left_reason(const struct session *s)
{
    return s->end_reason == END_DROPPED || s->end_reason == END_NO_SHOW ? "timeout" : "ended";
}

static void close_seat(struct live *l, const struct session *ended, int who, int by)
{
    uint64_t socket_id = l->peers[who].socket_id;
    if (by == 1 - who && ended->end_reason != END_COMPLETED)
        tell_partner_left(socket_id, &ended->participants[by], left_reason(ended));
    tell_session_ended(ended, who, socket_id);
    sockets_leave_session(socket_id);
}

/* Who is here is told here, when the row says so. All others are told by the instance that ended it, whatever
 * it believes of where they are: the instance that has, or had, their socket may have died. A socket that is
 * in the session elsewhere is told there instead, and none is told twice (sockets_emit_user_ended). */
void live_close(const struct session *ended, int by, bool is_news)
{
    struct live *l = live_get(&ended->id);
    if (is_news)
        remote_say_ended(ended, by);
    for (int who = 0; who < 2; who++) {
        if (l && l->peers[who].place == HERE)
            close_seat(l, ended, who, by);
        else if (is_news)
            tell_session_ended(ended, who, 0);
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
    enum place place = l->peers[1 - from].place;
    return place == HERE || place == ELSEWHERE;
}

enum err live_emit_to_partner(struct live *l, int from, const char *event, const struct str *parts,
                              int part_count)
{
    const struct peer *to = &l->peers[1 - from];
    if (to->place == HERE) {
        sockets_emit(to->socket_id, event, parts, part_count);
        return OK;
    }
    bool is_sent = to->place == ELSEWHERE && remote_emit(l, 1 - from, event, parts, part_count);
    return is_sent ? OK : ERR_PARTNER_NOT_CONNECTED;
}

void live_speaks(struct live *l, int who, bool is_speaking)
{
    const struct peer *partner = &l->peers[1 - who];
    if (l->session.status == SESSION_ACTIVE)
        speaking_note(&l->speaking, who, is_speaking);
    if (partner->place == HERE) /* who is not there is told when it comes back */
        tell_partner_speaking(partner->socket_id, &l->user_ids[who], is_speaking);
    else if (partner->place == ELSEWHERE)
        remote_say_speaks(l, who, is_speaking);
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
                               .is_owner = live_runs(l)};
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

/* --- all of them --- */

struct visit {
    void (*visit)(struct live *l, void *arg);
    void *arg;
};

static void visit_node(struct map_node *n, void *arg)
{
    const struct visit *v = arg;
    v->visit(container_of(n, struct live, node), v->arg);
}

void live_each(void (*visit)(struct live *l, void *arg), void *arg)
{
    map_each(&sessions, visit_node, &(struct visit){visit, arg});
}

bool live_mark(const struct uuid *session_id)
{
    struct live *l = live_get(session_id);
    if (l)
        l->is_marked = true;
    return l;
}

static void look_at_unmarked(struct live *l, void *arg)
{
    (void)arg;
    bool is_as_the_row_says = l->is_marked && l->session.status == SESSION_ACTIVE;
    l->is_marked = false; /* for the next time */
    if (!is_as_the_row_says && is_here(l))
        job_session_look(&l->session.id);
}

void live_look_at_unmarked(void)
{
    live_each(look_at_unmarked, NULL);
}

static void hand_over(struct live *l, void *arg)
{
    (void)arg;
    remote_say_gone(l);
    live_free(l);
}

void live_hand_over(void)
{
    live_each(hand_over, NULL);
}

static void drop(struct live *l, void *arg)
{
    (void)arg;
    live_free(l);
}

void live_done(void)
{
    live_each(drop, NULL);
    map_done(&sessions);
    slots_done(&numbered);
    remote_done();
    tell_done();
}
