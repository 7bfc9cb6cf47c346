/* The pairing index: the waiting requests, and who is paired with whom (docs/matchmaking.md, "The index").
 * No I/O, no clock of its own; the same calls with the same times give the same pairs.
 *
 * What it decides, exactly. A request sleeps until its wait starts. Its phase then follows its wait, and is
 * the any-level one from `last_pass_ms` before its expiry. It is due when its wait starts and whenever its
 * phase rises; a scheduled one also when it was created, if that is before. pairing_decide takes the requests
 * due at `now_ms` in the order of due time (the earliest untried one), wait start, id, and tries each once:
 * of the requests that pairing_admits lets it have at `now_ms`, it gets the one with the highest score, then
 * the earliest wait start, then the smallest id. A pair's phase is the higher of the two, so a fresh arrival
 * finds an old waiter on the old one's terms.
 *
 * When several were tried at one moment, those who are awake then exchange partners where that raises the sum
 * of the scores or makes one pair more of the same sum: all of them have been tried, or found by one who was;
 * every new pair is one that pairing_admits at `now_ms`; whoever had a partner has one afterwards. So a
 * request may get less than its best partner in favour of others of the same moment, but never nobody instead
 * of somebody. Up to four pairs change partners at a time; the search is bounded
 * (src/domain/pairing_batch.c), not exhaustive. Where one pair is found and at most one request is left
 * alone, there is nothing to exchange.
 *
 * Scheduled requests that both still sleep are paired ahead of time when their wait starts are at most
 * PAIRING_AHEAD_MS apart and they fit by the strict phase, talks reckoned from the later wait start. One that
 * sleeps is never paired with one that is awake.
 *
 * Work per try grows with the distinct kinds of request (level, wishes, tier, accent) in the reachable
 * topics, not with the requests of a kind and not with the queue. */
#ifndef CONVERSATION_DOMAIN_PAIRING_H
#define CONVERSATION_DOMAIN_PAIRING_H

#include <stdbool.h>
#include <stddef.h>

#include "conversation/domain/match.h"

struct pairing;

#define PAIRING_BATCH_MAX 2048
#define PAIRING_AHEAD_MS  (5 * 60 * INT64_C(1000))

struct pairing_rules {
    int min_score;        /* from 30 s on: MIN_COMPATIBILITY_SCORE */
    int64_t last_pass_ms; /* how long before its expiry a request gets its one any-level pass */
    const struct topic_pair *compatible; /* borrowed for the index's life */
    size_t compatible_count;
    /* When each phase begins, PHASE_COUNT of them, the first 0, none before its predecessor (borrowed for the
     * index's life). NULL: match_phase_start_ms. */
    const int64_t *phase_start_ms;
    size_t batch_max; /* requests tried and found by one pairing_decide; 0: PAIRING_BATCH_MAX */
};

/* When a phase begins under these rules. */
int64_t pairing_phase_start_ms(const struct pairing_rules *rules, enum match_phase phase);

struct topic_pair {
    char a[TOPIC_MAX], b[TOPIC_MAX];
};

/* What the index gives back of a request: the database row has the rest. */
struct pairing_ticket {
    struct uuid request_id, user_id;
    char target_language[LANG_MAX];
    int64_t wait_start_ms, expires_at_ms;
    enum level level;
    enum tier tier;
};

struct pairing_pair {
    struct pairing_ticket first, second; /* first: earlier wait start; its topic is the session's */
    int score, level_difference;         /* difference in levels, 0 = same */
    bool is_tandem;
    bool is_any_level; /* came from the any-level phase: both get the notice */
    bool is_ahead;     /* two scheduled requests before their time */
    enum match_phase phase;
    int64_t scheduled_at_ms; /* when is_ahead: the later wait start, when they meet; else 0 */
};

struct pairing *pairing_new(const struct pairing_rules *rules);
void pairing_free(struct pairing *p);

/* Replaces the table of compatible topics (borrowed). Counts from the next try on; makes nobody due. */
void pairing_set_compatible(struct pairing *p, const struct topic_pair *pairs, size_t count);

/* Puts a request in (copied with its history and exclusions). False when its id is in already. */
bool pairing_add(struct pairing *p, const struct match_request *r);
bool pairing_remove(struct pairing *p, const struct uuid *request_id); /* false: not in it */
bool pairing_contains(const struct pairing *p, const struct uuid *request_id);

/* Whether somebody is due at `now_ms` and has not been tried: pairing_decide has something to do. */
bool pairing_has_due(const struct pairing *p, int64_t now_ms);

/* Tries those who are due, at most as many as keep the work within some milliseconds, and gives the pairs in
 * the order in which they were found; they leave the index. Returns how many; `pairs` is valid until the next
 * call with the index. Decide again while pairing_has_due, also after 0. Time that steps back is taken as
 * standing still. */
size_t pairing_decide(struct pairing *p, int64_t now_ms, const struct pairing_pair **pairs);

/* Moves the index towards `now_ms` without pairing anybody: what has become due is tried by the next
 * pairing_decide, in the same order as if that had been the first to see it. For who only looks. False: it
 * has done as much as may be done at once, and is not there yet. */
bool pairing_advance(struct pairing *p, int64_t now_ms);

/* Takes out a request whose expiry has come, the earliest first; false when none. Call until false, when
 * pairing_has_due says no, so that the last any-level pass has been made. An expires_at_ms of 0 never comes.
 */
bool pairing_expire(struct pairing *p, int64_t now_ms, struct pairing_ticket *out);

/* When pairing_decide or pairing_expire can next have something to do without a new arrival; INT64_MAX:
 * never.
 */
int64_t pairing_next_due_ms(const struct pairing *p);

size_t pairing_count(const struct pairing *p);
/* Calls back once per request, in no order; nothing may be changed meanwhile. */
void pairing_each(const struct pairing *p, void (*each)(const struct uuid *request_id, void *arg), void *arg);
/* What a target language's requests are like. */
struct pairing_queue {
    const char *language;         /* valid during the call */
    size_t waiting, scheduled;    /* scheduled: their time has not come */
    int64_t oldest_wait_start_ms; /* INT64_MAX: nobody's wait has begun, by the last move of the index */
};

/* Calls back once for each target language. The work grows with the kinds of request. */
void pairing_each_queue(const struct pairing *p, void (*each)(const struct pairing_queue *queue, void *arg),
                        void *arg);
/* How many wait for the language. */
size_t pairing_count_of(const struct pairing *p, const char *language);

/* The rule itself: whether two requests may be paired at `now_ms`, and how. The index decides by the same
 * terms without looking at every request. */
bool pairing_admits(const struct pairing_rules *rules, const struct match_request *a,
                    const struct match_request *b, int64_t now_ms, struct pairing_pair *out);

#endif
