/* The lines of a matchmaking trace (docs/simulation.md, "The trace"): one JSON object each, with everything
 * that is needed to make the same decisions again. The daemon writes them, `conversation-matchsim` writes and
 * reads them. Writing the same event always gives the same bytes, which is how a replay is compared. */
#ifndef CONVERSATION_CODEC_MATCH_TRACE_H
#define CONVERSATION_CODEC_MATCH_TRACE_H

#include <stdbool.h>

#include "conversation/base/arena.h"
#include "conversation/base/str.h"
#include "conversation/domain/pairing.h"

#define MATCH_TRACE_VERSION 1

enum match_trace_kind {
    TRACE_START,      /* an empty index with these rules */
    TRACE_COMPATIBLE, /* the table of compatible topics is replaced */
    TRACE_ADDED,      /* pairing_add */
    TRACE_REMOVED,    /* pairing_remove, and why */
    TRACE_DECISION,   /* pairing_decide gave this pair; all of a call stand together */
    TRACE_NONE,       /* pairing_decide gave none, though somebody was due */
    TRACE_EXPIRED,    /* pairing_expire gave this request */
    TRACE_BEHAVIOUR,  /* generated traces only: what the learner is going to do */
    TRACE_KIND_COUNT
};

enum match_trace_reason { REMOVED_CANCELLED, REMOVED_ELSEWHERE };
extern const char *const match_trace_reason_names[]; /* "cancelled", "elsewhere", NULL-terminated */

struct match_trace_behaviour {
    int64_t cancels_at_ms; /* unless matched before; 0: never */
    bool is_no_show;       /* does not come to the conversation */
};

/* Only the members of the kind are set. Arrays are the arena's that the event was read into. */
struct match_trace_event {
    enum match_trace_kind kind;
    int64_t at_ms;
    struct pairing_rules rules;          /* START; with its table of topics, also COMPATIBLE */
    int64_t phase_start_ms[PHASE_COUNT]; /* START: what `rules` points to */
    struct match_request request;        /* ADDED; without what matching does not look at */
    struct uuid id;                      /* REMOVED, EXPIRED, BEHAVIOUR: the request's */
    enum match_trace_reason reason;      /* REMOVED */
    struct pairing_pair pair;            /* DECISION: the ids, and what is said of the pair */
    struct match_trace_behaviour behaviour;
};

/* Each appends one line. */
void match_trace_write_start(struct buf *out, int64_t at_ms, const struct pairing_rules *rules);
void match_trace_write_compatible(struct buf *out, int64_t at_ms, const struct topic_pair *pairs,
                                  size_t count);
void match_trace_write_added(struct buf *out, int64_t at_ms, const struct match_request *r);
void match_trace_write_removed(struct buf *out, int64_t at_ms, const struct uuid *id,
                               enum match_trace_reason reason);
void match_trace_write_decision(struct buf *out, int64_t at_ms, const struct pairing_pair *pair);
void match_trace_write_none(struct buf *out, int64_t at_ms);
void match_trace_write_expired(struct buf *out, int64_t at_ms, const struct uuid *id);
void match_trace_write_behaviour(struct buf *out, int64_t at_ms, const struct uuid *id,
                                 const struct match_trace_behaviour *behaviour);

/* Reads a line (its end may be there or not). False: *why says what is wrong with it, and *out is undefined.
 * *out must not be moved: after START its rules point into it. */
bool match_trace_read(struct str line, struct arena *arena, struct match_trace_event *out, const char **why);

#endif
