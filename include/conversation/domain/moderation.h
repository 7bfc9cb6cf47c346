/* Reports of participants on each other, and what becomes of them (docs/moderation.md). */
#ifndef CONVERSATION_DOMAIN_MODERATION_H
#define CONVERSATION_DOMAIN_MODERATION_H

enum report_reason {
    REPORT_INAPPROPRIATE,
    REPORT_HARASSMENT,
    REPORT_SPAM,
    REPORT_MINOR_SAFETY,
    REPORT_OTHER,
    REPORT_REASON_COUNT
};
extern const char *const report_reason_names[]; /* ended by NULL */

#define REPORT_DETAILS_MAX 1000 /* code points; of a reviewer's notes, too */

/* Reported by more distinct users than this since the last review: flagged for human review. */
#define REPORTERS_TOLERATED 3

enum flag_decision { FLAG_DISMISSED, FLAG_CONFIRMED, FLAG_DECISION_COUNT };
extern const char *const flag_decision_names[]; /* ended by NULL */

#endif
