/* A session at several instances: what they tell each other on its channel, `ws_events:{sessionId}`, to
 * which each that holds it listens from live_open until it is freed (docs/signaling.md, "Between instances").
 *
 *     state {instance} {asks} {anew} {join} {join} {shown} {shown at}
 *     emit {who} {join} {event} {json}
 *     speaks {who} {0|1}
 *     ended {who}
 *
 * `state` is the whole truth of its sender, so that one that is lost, or comes twice, does no harm: the
 * numbers of the joins of the sockets that the sender has, 0 for none. Of two sockets of one participant the
 * later one is in the session, and what was sent by the other, which an instance that stood still may pass on
 * late, is not heard: `join` is the sender's. Nothing is said before the sender itself listens: an answer
 * would be missed.
 *
 * Who is asked and not there cannot answer; that nobody else listens is what Redis says to a message. A
 * session in which it is not clear where the partner is stands in `doubts` and asks again every second. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "conversation/base/clock.h"
#include "conversation/base/instance.h"
#include "conversation/ports/sockets.h"
#include "flows/job.h"
#include "flows/live_parts.h"

#define CHANNEL   "ws_events:"
#define ASK_MS    1000
#define ASKED_MAX (NEIGHBOUR_SILENT_MS / ASK_MS)
#define EVENT_MAX 64
#define PARTS_MAX 8

static struct list doubts = {&doubts, &doubts};
static struct timer doubts_timer;

/* A live session may be gone when an answer comes: it is named by its number. */
static void *name_of(const struct live *l)
{
    return (void *)(uintptr_t)l->number;
}

/* --- doubts --- */

static void unhear(struct live *l, int who)
{
    struct uuid at = *neighbour_instance(l->peers[who].at);
    live_place(l, who, UNHEARD, &at);
}

static void nobody_else(struct live *l);

/* Others may listen and know no more: then the one that is looked for is not among them. */
static void on_doubts(struct timer *t)
{
    (void)t;
    LIST_EACH_SAFE (n, after, &doubts) {
        struct live *l = container_of(n, struct live, doubt);
        if (l->asked++ >= ASKED_MAX && neighbours_are_settled())
            nobody_else(l);
        else
            remote_say_state(l, true);
    }
    if (!list_is_empty(&doubts))
        timer_start(&doubts_timer, ASK_MS, on_doubts);
}

void remote_doubt(struct live *l)
{
    if (list_is_linked(&l->doubt))
        return;
    list_add_tail(&doubts, &l->doubt);
    l->asked = 0;
    if (!timer_is_running(&doubts_timer))
        timer_start(&doubts_timer, ASK_MS, on_doubts);
}

static void is_clear(struct live *l)
{
    list_remove(&l->doubt);
    for (int who = 0; l->awaits_state && who < 2; who++)
        if (l->peers[who].place == HERE)
            tell_session_state(l, who);
    l->awaits_state = false;
}

/* Where the others should be nobody listens. */
static void nobody_else(struct live *l)
{
    for (int who = 0; who < 2; who++)
        if (l->peers[who].at)
            live_went(l, who);
    is_clear(l);
}

/* --- saying --- */

/* NULL: it is gone. */
static struct live *take_answer(void *arg)
{
    struct live *l = live_at((uint64_t)(uintptr_t)arg);
    if (l)
        l->answered++;
    return l;
}

/* What others say comes over another connection than the answer, and may overtake it: who was heard since the
 * question came to listen after it. */
static void nobody_heard(struct live *l)
{
    bool is_outdated = l->answered <= l->said_when_heard;
    if (!live_is_shared(l))
        return;
    if (neighbours_are_settled() && !is_outdated)
        nobody_else(l);
    else
        remote_doubt(l);
}

static void on_told(void *arg, int others)
{
    struct live *l = take_answer(arg);
    if (l && others == 0)
        nobody_heard(l);
}

static void on_emit_told(void *arg, int others)
{
    struct live *l = take_answer(arg);
    if (!l || others > 0)
        return;
    l->is_lost = true;
    if (others == 0)
        nobody_heard(l);
    else
        remote_doubt(l);
}

static void on_anew_told(void *arg, int others)
{
    struct live *l = take_answer(arg);
    if (l && others <= 0)
        l->owes_anew = true; /* with the next one */
    if (l && others == 0)
        nobody_heard(l);
}

static bool say(struct live *l, const struct str *parts, int part_count, bus_told *told)
{
    bool is_sent = bus_say(l->channel, parts, part_count, told, name_of(l));
    l->said += is_sent;
    return is_sent;
}

static void say_state(struct live *l, bool asks, bool is_gone)
{
    bool anew = l->owes_anew;
    int joins[2];
    char text[192];
    if (!l->is_listening)
        return; /* it will be said then */
    for (int who = 0; who < 2; who++)
        joins[who] = l->peers[who].place == HERE && !is_gone ? l->peers[who].join_number : 0;
    int n = snprintf(text, sizeof text, "state %s %d %d %d %d %d %lld", UUIDZ(instance_id()), asks, anew,
                     joins[0], joins[1], l->run.prompts_shown, (long long)l->run.last_prompt_at_ms);
    const struct str part = {text, (size_t)n};
    if (say(l, &part, 1, anew ? on_anew_told : on_told))
        l->owes_anew = false;
    else if (live_is_shared(l))
        remote_doubt(l);
}

void remote_say_state(struct live *l, bool asks)
{
    say_state(l, asks, false);
}

void remote_say_gone(struct live *l)
{
    say_state(l, false, true);
}

/* What is lost is made up for by partner_joined, to both, once they hear of each other again. */
bool remote_emit(struct live *l, int to, const char *event, const struct str *parts, int part_count)
{
    char head[EVENT_MAX + 32];
    struct str all[PARTS_MAX];
    assert(part_count < PARTS_MAX);
    int join = l->peers[1 - to].join_number;
    all[0] = (struct str){head, (size_t)snprintf(head, sizeof head, "emit %d %d %s ", to, join, event)};
    for (int i = 0; i < part_count; i++)
        all[i + 1] = parts[i];
    if (say(l, all, part_count + 1, on_emit_told))
        return true;
    l->is_lost = true;
    remote_doubt(l);
    return false;
}

void remote_say_speaks(struct live *l, int who, bool is_speaking)
{
    char text[16];
    const struct str part = {text, (size_t)snprintf(text, sizeof text, "speaks %d %d", who, is_speaking)};
    (void)bus_say(l->channel, &part, 1, NULL, NULL); /* lost: it is said again when they hear of each other */
}

/* --- its end --- */

void remote_say_ended(const struct session *ended, int by)
{
    char text[16];
    const struct str part = {text, (size_t)snprintf(text, sizeof text, "ended %d", by)};
    /* Lost: who holds it looks when it is back on the bus, and compares (sessions.reconcile). */
    bus_publish(bus_name_of(CHANNEL, &ended->id).z, part);
}

/* --- hearing --- */

static bool take_number(struct str *text, int64_t max, int64_t *out)
{
    return str_to_int(str_cut(text, ' '), 0, max, out);
}

struct state {
    struct uuid from;
    bool asks, anew;
    int joins[2];
    int shown;
    int64_t shown_at_ms;
};

static bool read_state(struct str text, struct state *out)
{
    int64_t numbers[6];
    if (!uuid_parse(str_cut(&text, ' '), &out->from))
        return false;
    for (int i = 0; i < 6; i++)
        if (!take_number(&text, i < 5 ? INT32_MAX : INT64_MAX, &numbers[i]))
            return false;
    out->asks = numbers[0];
    out->anew = numbers[1];
    out->joins[0] = (int)numbers[2];
    out->joins[1] = (int)numbers[3];
    out->shown = (int)numbers[4];
    out->shown_at_ms = numbers[5];
    return true;
}

/* The sender has this participant's socket. */
static void hear_present(struct live *l, int who, const struct state *s)
{
    struct peer *p = &l->peers[who];
    if (p->place == HERE)
        live_outdone(l, who);
    p->join_number = s->joins[who];
    l->said_when_heard = l->said;
    live_place(l, who, ELSEWHERE, &s->from);
    if (speech_is_speaking(&l->speaking.speech, 1 - who) && p->told_number != p->join_number)
        remote_say_speaks(l, 1 - who, true);
}

/* Returns whether the sender does not know something that this instance does. */
static bool hear_seat(struct live *l, int who, const struct state *s)
{
    struct peer *p = &l->peers[who];
    bool was_there = p->at && neighbour_is(p->at, &s->from);
    if (s->joins[who] == 0) {
        if (was_there)
            live_went(l, who);
    } else if (s->joins[who] > p->join_number || (s->joins[who] == p->join_number && p->place != HERE)) {
        hear_present(l, who, s);
    } else {
        return p->place == HERE;
    }
    return false;
}

/* Both negotiate anew when something between them was lost: here by partner_joined, there by `anew`. */
static void make_up_for_losses(struct live *l, const struct state *s)
{
    bool is_back = false;
    for (int who = 0; who < 2; who++) {
        struct peer *p = &l->peers[who];
        if (p->place != ELSEWHERE || !neighbour_is(p->at, &s->from))
            continue;
        is_back = true;
        if (l->is_lost || s->anew)
            p->told_number = 0;
    }
    if (!is_back)
        return;
    l->owes_anew = l->owes_anew || (l->is_lost && !s->anew);
    l->is_lost = false;
}

/* Who asks may have missed it. */
static void say_who_speaks(struct live *l)
{
    for (int who = 0; who < 2; who++)
        if (l->peers[who].place == HERE && speech_is_speaking(&l->speaking.speech, who))
            remote_say_speaks(l, who, true);
}

static void hear_state(struct live *l, struct str text)
{
    struct state s;
    if (!read_state(text, &s))
        return;
    bool must_say = s.asks;
    for (int who = 0; who < 2; who++)
        must_say = hear_seat(l, who, &s) || must_say;
    make_up_for_losses(l, &s);
    bool is_known = l->peers[0].place != UNHEARD && l->peers[1].place != UNHEARD;
    if (is_known)
        is_clear(l);
    live_introduce(l);
    live_catch_up(l, s.shown, s.shown_at_ms);
    if (must_say || l->owes_anew)
        say_state(l, false, false);
    if (s.asks)
        say_who_speaks(l);
    if (l->session.status == SESSION_WAITING && peer_is_present(&l->peers[0]) &&
        peer_is_present(&l->peers[1]))
        job_session_look(&l->session.id);
    live_count(l);
    live_arm(l);
    live_give_up_idle(l, &s.from);
}

static void hear_emit(struct live *l, struct str text)
{
    int64_t to, join;
    char event[EVENT_MAX];
    if (!take_number(&text, 1, &to) || !take_number(&text, INT32_MAX, &join) ||
        !str_copy(str_cut(&text, ' '), event, sizeof event) || !text.p)
        return;
    if (join < l->peers[1 - to].join_number)
        return; /* by a socket that another has followed */
    if (l->peers[to].place == HERE)
        sockets_emit(l->peers[to].socket_id, event, &text, 1);
    else
        remote_say_state(l, false); /* so that the sender knows */
}

static void hear_speaks(struct live *l, struct str text)
{
    int64_t who, is_speaking;
    if (!take_number(&text, 1, &who) || !take_number(&text, 1, &is_speaking) || l->peers[who].place == HERE)
        return;
    if (l->session.status == SESSION_ACTIVE)
        speaking_note(&l->speaking, (int)who, is_speaking);
    if (l->peers[1 - who].place == HERE)
        tell_partner_speaking(l->peers[1 - who].socket_id, &l->user_ids[who], is_speaking);
}

/* The row says how, and is looked at even when the sender should be wrong. */
static void hear_ended(struct live *l, struct str text)
{
    static const struct uuid nobody;
    int64_t by;
    if (!str_to_int(text, -1, 1, &by))
        return;
    job_session_look_ended(&l->session.id, by < 0 ? &nobody : &l->user_ids[by]);
}

static void hear(void *arg, struct str text)
{
    static const struct {
        const char *kind;
        void (*hear)(struct live *l, struct str text);
    } kinds[] = {{"emit", hear_emit}, {"state", hear_state}, {"speaks", hear_speaks}, {"ended", hear_ended}};
    struct str kind = str_cut(&text, ' ');
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (str_eqz(kind, kinds[i].kind)) {
            kinds[i].hear(arg, text);
            return;
        }
    }
}

/* From now on nothing is missed; what was said before may have been. */
static void on_listening(void *arg)
{
    struct live *l = arg;
    l->is_listening = true;
    for (int who = 0; who < 2; who++) {
        if (l->peers[who].place != ELSEWHERE)
            continue;
        unhear(l, who);
        speaking_note(&l->speaking, who, false); /* it may have stopped unheard; else it says it again */
        l->awaits_state = true;
    }
    if (live_is_shared(l))
        remote_doubt(l);
    remote_say_state(l, true);
    job_session_look(&l->session.id);
}

void remote_open(struct live *l)
{
    const struct bus_member member = {.hear = hear, .listening = on_listening, .arg = l};
    l->channel = bus_join(bus_name_of(CHANNEL, &l->session.id).z, &member);
}

void remote_close(struct live *l)
{
    bus_part(l->channel);
    list_remove(&l->doubt);
}

/* --- instances that are in doubt --- */

struct doubted {
    const struct neighbour *at;
    bool is_silent;
};

static void doubt_at(struct live *l, void *arg)
{
    const struct doubted *d = arg;
    for (int who = 0; who < 2; who++) {
        struct peer *p = &l->peers[who];
        if (p->at != d->at)
            continue;
        if (d->is_silent)
            live_went(l, who);
        else
            unhear(l, who);
        remote_doubt(l);
        remote_say_state(l, true);
    }
}

static void on_neighbour_doubted(const struct neighbour *n, bool is_silent)
{
    live_each(doubt_at, &(struct doubted){n, is_silent});
}

void live_start(void)
{
    neighbours_start(on_neighbour_doubted);
}

void remote_done(void)
{
    timer_stop(&doubts_timer);
    neighbours_stop();
}
