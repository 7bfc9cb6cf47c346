/* What the parts of live sessions share: live.c (who is in them), live_run.c (their timers), live_tell.c
 * (what clients are told) and live_remote.c (what other instances are told, and say). */
#ifndef FLOWS_LIVE_PARTS_H
#define FLOWS_LIVE_PARTS_H

#include "flows/live.h"

#include "conversation/base/list.h"
#include "conversation/base/map.h"
#include "conversation/ports/bus.h"
#include "conversation/rt/timer.h"
#include "flows/neighbours.h"
#include "flows/session_keys.h"
#include "flows/speaking.h"

/* Where a participant's socket in the session is, as far as this instance knows. */
enum place {
    NOWHERE,
    HERE,
    ELSEWHERE, /* another instance has said so */
    UNHEARD    /* it should be at another instance, which has not said so, or not since the bus was lost */
};

struct peer {
    uint64_t socket_id; /* HERE, else 0 */
    enum place place;
    int join_number; /* of the latest socket known of, wherever; the later one of two is in the session */
    int told_number; /* join_number when the partner's socket here was told that this one is there; 0: not */
    int row_number;  /* of the latest join that was made here, or that the row has told of; 0: none. The
                        socket in the session may be of an earlier one: it may join more than once */
    struct neighbour *at; /* ELSEWHERE, UNHEARD: which instance */
    uint32_t ufrag_hash;
    int candidates; /* of the current negotiation */
};

/* What a relayed message touches stands first. */
struct live {
    struct map_node node;
    struct uuid user_ids[2]; /* the participants', in their order */
    struct peer peers[2];
    struct bus_channel *channel;
    uint64_t number;
    bool is_listening; /* to the channel, since it was opened; what is said before that is not answered */
    struct list doubt; /* linked: other instances are asked until it is clear where the partner is */
    int asked;         /* how often in a row, without an answer */
    uint32_t said, answered;  /* messages, and Redis' answers: they come in the order of what they answer */
    uint32_t said_when_heard; /* `said` when another instance last said that it has somebody */
    bool is_lost;             /* something for the partner, at another instance, may not have arrived */
    bool owes_anew;           /* … and the other instance has not been told so yet */
    bool
        awaits_state; /* the bus was lost: whoever is here gets session_state when the others have answered */
    bool is_counted;  /* among conversations_active */
    bool is_marked;   /* live_mark */
    struct session session;
    struct session_run run;
    struct speaking speaking;
    struct session_keys keys;
    struct timer timer;
    struct topic_prompt prompts[];
};

static inline bool peer_is_present(const struct peer *p)
{
    return p->place != NOWHERE;
}

/* One of the two is, or may be, at another instance. */
static inline bool live_is_shared(const struct live *l)
{
    return l->peers[0].at || l->peers[1].at;
}

/* --- live.c --- */

/* The one place where a participant's place changes. `at`: ELSEWHERE and UNHEARD. */
void live_place(struct live *l, int who, enum place place, const struct uuid *at);
/* The participant has no socket in it any more, as far as is known: the grace begins, the partner is told. */
void live_went(struct live *l, int who);
/* A socket here was outdone by a later one. */
void live_outdone(struct live *l, int who);
/* Tells those who are here of a partner who is there, unless they know. */
void live_introduce(struct live *l);
/* Frees it when nobody is here and `to`, which has just said so, has somebody: it has the timers. Only then:
 * two that each believe the other has somebody, when both are just losing theirs, would leave it to nobody.
 * Who says so later than this instance has said that nobody is here, knows it, and will not give up. */
void live_give_up_idle(struct live *l, const struct uuid *to);
/* Whether this instance stores, counts and logs what the session shows: one instance of those that hold it.
 */
bool live_runs(const struct live *l);
void live_count(struct live *l);
void live_each(void (*visit)(struct live *l, void *arg), void *arg);

/* --- live_run.c --- */

void live_arm(struct live *l);
void live_run_due(struct live *l);
/* Another instance has shown `shown` prompts, the last one then: those that were not shown here are. */
void live_catch_up(struct live *l, int shown, int64_t at_ms);

/* --- live_tell.c: events to one socket --- */

void tell_partner_joined(uint64_t socket_id, const struct participant *partner);
void tell_partner_left(uint64_t socket_id, const struct participant *partner, const char *reason);
void tell_partner_speaking(uint64_t socket_id, const struct uuid *partner_id, bool is_speaking);
void tell_prompt(const struct live *l, const char *key, const char *category); /* to whoever is here */
void tell_session_state(const struct live *l, int who);
void tell_taken_over(uint64_t socket_id);
/* To the socket that is in the session, or, 0, to all of the user's sockets, wherever they are. */
void tell_session_ended(const struct session *ended, int who, uint64_t socket_id);
void tell_done(void);

/* --- live_remote.c --- */

void remote_open(struct live *l);
void remote_close(struct live *l);
/* Says who is here and how far the prompts are; with `asks` the others answer with theirs. */
void remote_say_state(struct live *l, bool asks);
void remote_say_gone(struct live *l); /* the same, as if nobody were here */
bool remote_emit(struct live *l, int to, const char *event, const struct str *parts, int part_count);
void remote_say_speaks(struct live *l, int who, bool is_speaking);
/* Who holds the session shall look at the row. */
void remote_say_ended(const struct session *ended, int by);
void remote_doubt(struct live *l);
void remote_done(void);

#endif
