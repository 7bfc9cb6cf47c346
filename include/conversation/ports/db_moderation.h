/* Port: PostgreSQL, reports, blocks and flags; the rules are those of ports/db.h. */
#ifndef CONVERSATION_PORTS_DB_MODERATION_H
#define CONVERSATION_PORTS_DB_MODERATION_H

#include "conversation/domain/moderation.h"
#include "conversation/ports/db.h"

/* --- reports --- */

/* Stores it, with conversation.reported and, where it is due, the flag. One of a reporter and session: again,
 * the first one is kept. ERR_SESSION_NOT_FOUND (also: the reporter is not in it). */
struct db_report {
    struct uuid session_id, reporter_id;
    enum report_reason reason;
    struct str details; /* {NULL,0}: none */
};
struct db_reported {
    struct uuid report_id, reported_user_id;
    bool is_new;            /* stored by this call */
    bool is_running;        /* the session is waiting or active: it must be ended */
    bool is_flagged;        /* by this call */
    struct db_ids requests; /* of both users, pending: they exclude one more */
    struct db_ids arranged; /* other sessions of the two, for later */
};
void db_session_report(struct flow *f, const struct db_report *report, struct db_reported *out);

/* --- blocks --- */

struct db_block {
    struct uuid user_id, blocked_id;
};
struct db_blocked {
    bool changed;           /* by this call */
    struct db_ids requests; /* of both users, pending: whom they exclude has changed */
    struct db_ids arranged; /* sessions of the two that a block calls off: those for later */
};
void db_user_block(struct flow *f, const struct db_block *block, struct db_blocked *out);
void db_user_unblock(struct flow *f, const struct db_block *block, struct db_blocked *out);

/* Whom a user has blocked, the latest first. */
struct db_blocks_query {
    struct uuid user_id;
    int limit, offset;
};
struct db_block_entry {
    struct uuid user_id;
    const char *display_name; /* as the blocker last met them in a session; NULL: never, or without a name */
    int64_t blocked_at_ms;
};
struct db_blocks {
    const struct db_block_entry *items;
    size_t count;
    int64_t total;
};
void db_user_blocks(struct flow *f, const struct db_blocks_query *q, struct db_blocks *out);

/* --- flags --- */

#define DB_FLAG_REPORTS_MAX 20 /* of a flag's reports, the latest are told */

struct db_flag_report {
    struct uuid id, session_id, reporter_id;
    enum report_reason reason;
    const char *details; /* NULL: none */
    int64_t created_at_ms;
};
struct db_flag {
    struct uuid id, user_id;
    int reporter_count;
    int64_t created_at_ms, reviewed_at_ms; /* 0: open, and the next three say nothing */
    struct uuid reviewed_by;
    int decision;      /* enum flag_decision; -1: none was given */
    const char *notes; /* NULL: none */
    /* Of db_flags alone: those not reviewed yet, or reviewed with the flag. */
    int report_count, reason_counts[REPORT_REASON_COUNT];
    const struct db_flag_report *reports; /* the latest first */
    size_t listed_count;
};
/* Open ones, the oldest first; or reviewed ones, the latest review first. */
struct db_flags_query {
    bool is_reviewed;
    int limit, offset;
};
struct db_flags {
    const struct db_flag *items;
    size_t count;
    int64_t total;
};
void db_flags(struct flow *f, const struct db_flags_query *q, struct db_flags *out);

/* Closes the user's open flag; its reports are reviewed with it. Without an open one *out is the one that was
 * closed last, unchanged. ERR_NOT_FOUND: never flagged. */
struct db_review {
    struct uuid user_id, reviewer_id;
    int decision;     /* as in db_flag */
    struct str notes; /* {NULL,0}: none */
};
void db_flag_review(struct flow *f, const struct db_review *review, struct db_flag *out);

#endif
