/* What the matchmaker's parts tell each other: the index (matchmaker.c), looking up requests by id
 * (match_lookup.c) and the comparison with the database (match_reconcile.c), with their jobs. */
#ifndef FLOWS_MATCHMAKER_PARTS_H
#define FLOWS_MATCHMAKER_PARTS_H

#include "conversation/base/list.h"
#include "conversation/domain/pairing.h"
#include "conversation/ports/db.h"
#include "conversation/rt/flow.h"

/* NULL while stopped: flows that finish during a stop find nothing to do. */
struct pairing *matchmaker_pairing(void);
/* A request is pending no longer, nobody has said why: out of the index. */
void matchmaker_drop(const struct uuid *request_id);
void matchmaker_set_compatible(const struct db_topic_pairs *pairs); /* copies */
/* Index and database agree; a new leader decides from now on. */
void matchmaker_reconciled(void);

/* --- reads under way --- */

/* Requests that are being read, by id, in order. One that goes meanwhile is not taken from what was read. */
struct match_read {
    struct list link;
    struct uuid *ids;
    size_t count;
};
void match_read_begin(struct match_read *read, struct uuid *ids, size_t count); /* sorts the ids */
void match_read_end(struct match_read *read);                                   /* harmless when not begun */
/* Into the index, but those that have gone; then the read is over. */
void match_read_take(struct match_read *read, const struct db_match_requests *found);
void match_read_forget(const struct uuid *request_id);

/* --- looking up --- */

enum match_lookup {
    LOOKUP_ELSEWHERE, /* stored by another instance, which has put it into Redis */
    LOOKUP_DOUBTFUL,
    LOOKUP_KINDS
};

#define LOOKUP_MAX 256 /* requests looked up by one job */

void match_lookup_start(void);
void match_lookup_stop(void);
void match_lookup_add(enum match_lookup kind, const struct uuid *request_id);
/* From the job. It failed: match_reconcile_soon finds what was missed. */
void match_lookup_done(bool is_ok);
void job_match_lookup(enum match_lookup kind, const struct uuid *ids, size_t count);

/* --- comparing --- */

#define RECONCILE_PAGE 512 /* requests compared by one job: bounds its memory */

/* One comparison, page by page, of what the index held at its begin. */
struct reconcile {
    struct uuid *ids; /* the index's, in order */
    size_t count, passed;
    struct uuid after; /* the page before ended here */
    bool must_fill;    /* Redis was emptied: everything pending goes into it */
    bool is_first_page, is_fill_broken;
};

void match_reconcile_start(void);
void match_reconcile_stop(void);
void match_reconcile_soon(void);
struct reconcile *match_reconcile_current(void); /* for its job: the one that runs */
/* Takes out of the index what is not among `pending`, a page after `after`; writes the ids that must be read
 * to `missing`, which has room for all of them, and returns how many. */
size_t match_reconcile_page(struct reconcile *r, const struct db_ids *pending, struct uuid *missing);
void match_reconcile_page_done(bool is_ok, bool is_last);
void job_match_reconcile(void);

#endif
