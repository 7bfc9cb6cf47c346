/* Port: what the database holds about one user, told and erased (docs/privacy.md). The rules of ports/db.h
 * hold. */
#ifndef CONVERSATION_PORTS_DB_PRIVACY_H
#define CONVERSATION_PORTS_DB_PRIVACY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conversation/base/str.h"
#include "conversation/base/uuid.h"
#include "conversation/rt/flow.h"

/* --- telling --- */

/* The parts of an export, in their order. */
enum export_part {
    EXPORT_REQUESTS,
    EXPORT_SESSIONS, /* with one's own rating and recordings */
    EXPORT_PARTNERS,
    EXPORT_REPORTS, /* that the user has written */
    EXPORT_BLOCKS,
    EXPORT_SKILLS,
    EXPORT_FLAGS,
    EXPORT_PART_COUNT
};

#define DB_EXPORT_PAGE 500

/* One page, in the order of the rows' ids. */
struct db_export_query {
    struct uuid user_id;
    enum export_part part;
    struct uuid after; /* the last page's `last`; nil: from the begin */
};
struct db_export_page {
    const struct str *items; /* each a JSON object */
    size_t count;            /* less than DB_EXPORT_PAGE: that was the last one */
    struct uuid last;
};
void db_export(struct flow *f, const struct db_export_query *q, struct db_export_page *out);

/* --- erasing --- */

#define DB_ERASE_BATCH       100   /* conversations or requests a statement */
#define DB_ERASE_EVENT_BATCH 5000  /* events looked at by one */
#define DB_ERASE_CLAIM_MS    60000 /* who does not come back within this time has died */

/* The promise that everything about the user will be erased; made again, it holds for what came since. */
void db_erasure_request(struct flow *f, const struct uuid *user_id);

/* The promise that has waited longest and nobody is at; it is the caller's now, for DB_ERASE_CLAIM_MS after
 * each of the calls below that change something. */
struct db_erasure {
    struct uuid user_id; /* nil: there is none */
    int64_t requested_at_ms;
};
void db_erasure_claim(struct flow *f, struct db_erasure *out);

/* What must end before it can be erased. */
struct db_erasure_open {
    const struct uuid *request_ids, *session_ids;
    size_t request_count, session_count;
};
void db_erasure_open(struct flow *f, const struct uuid *user_id, struct db_erasure_open *out);

/* A part of what is over; *changed 0: nothing of it is left. */
void db_erasure_step(struct flow *f, const struct uuid *user_id, int *changed);
/* The next events after *after, which moves on; -1: that were all. */
void db_erasure_events(struct flow *f, const struct uuid *user_id, int64_t *after);

/* Withdraws the promise when it is kept: *is_done. Else, and when it was made again since, the next claim may
 * have it. */
void db_erasure_finish(struct flow *f, const struct db_erasure *erasure, bool *is_done);

#endif
