/* Port: PostgreSQL, the system of record, in the product's words. Every call is one operation of a flow:
 * arguments are copied before it returns, outputs are written before the flow resumes and only on success,
 * pointers in them are the flow arena's. Any call may report ERR_DB_UNAVAILABLE (at once while the database
 * is known to be away) or ERR_INTERNAL (a statement failed: logged with its SQLSTATE). Other errors are named
 * at the call. Every write is one statement: it happens wholly or not, with its outbox rows (docs/events.md).
 */
#ifndef CONVERSATION_PORTS_DB_H
#define CONVERSATION_PORTS_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conversation/domain/match.h"
#include "conversation/domain/pairing.h"
#include "conversation/domain/session.h"
#include "conversation/domain/speech.h"
#include "conversation/domain/topic.h"
#include "conversation/rt/flow.h"

void db_start(void); /* connects, and reconnects until db_stop */
void db_stop(void);
bool db_is_up(void); /* at least one connection is usable */
enum db_schema { DB_SCHEMA_UNKNOWN, DB_SCHEMA_OK, DB_SCHEMA_OLDER, DB_SCHEMA_NEWER };
enum db_schema db_schema_state(void); /* migrations of the database against this binary's */
/* Blocking, for --migrate: 0, or an exit status after one line on stderr. */
int db_migrate_now(void);

/* --- topics --- */
struct db_topic_query {
    struct uuid user_id; /* for has_required_skills */
    const char *code;
    const char *language; /* NULL: any. Without a topic of "en-GB" it is that of "en" */
};
struct db_topics {
    const struct topic *items;
    size_t count;
};
/* A language's, by level, then code. For nobody in particular: has_required_skills is true where none is
 * required. */
void db_topics_list(struct flow *f, const char *language, struct db_topics *out);
void db_topic_get(struct flow *f, const struct db_topic_query *q,
                  struct db_topics *out); /* with prompts; 0..n */
struct db_topic_pairs {
    const struct topic_pair *items;
    size_t count;
};
void db_topic_pairs(struct flow *f, struct db_topic_pairs *out); /* the table of compatible codes */

/* --- match requests --- */

/* How a retry of a request is known: the same key of the same user within DB_KEY_KEPT_MS. */
#define DB_KEY_KEPT_MS (24 * 3600 * 1000LL)
struct db_repeatable {
    struct str key;   /* {NULL,0}: none; then nothing is found */
    struct str asked; /* everything that was asked for with it, as text of any form */
};
/* What a retry gets again. */
struct db_first_result {
    bool is_found, is_same; /* same: what was asked for is, too */
    struct uuid request_id;
    int estimated_wait_seconds;
    int64_t expires_at_ms;
};

/* The time that a request asks its maker to be free in: from the begin of its wait to the latest end that
 * counts. */
struct db_time {
    enum match_mode mode;
    int64_t from_ms, until_ms;
};

/* A user's conversations of a calendar week. */
struct db_week {
    int used;     /* that were active and not aborted */
    int reserved; /* that have not begun, and would be this week's */
};

/* Everything that decides whether a request is admitted and how it is matched, in one read. */
struct db_admission {
    struct db_first_result first; /* of the query's `repeatable` */
    bool topic_found;
    struct topic topic;
    struct db_week week;   /* that from `week_start_ms` */
    bool has_live_session; /* now, when the mode is now; or one arranged within the query's time */
    bool has_live_request; /* of the query's mode */
    const struct match_past_partner *history;
    size_t history_count;
    const struct uuid *excluded;
    size_t excluded_count;
};
struct db_admission_query {
    struct uuid user_id;
    const char *language, *topic_code; /* as in db_topic_query */
    int64_t week_start_ms;
    struct db_repeatable repeatable;
    struct db_time time;
};
void db_match_admission(struct flow *f, const struct db_admission_query *q, struct db_admission *out);

/* Stores a pending request and match.requested. ERR_ALREADY_MATCHED: a live request exists, or the key has
 * been used; ERR_ALREADY_IN_SESSION: a live session exists; ERR_DAILY_LIMIT_REACHED: the limit is used up or
 * reserved. *week is what it was compared with; written also when the insert is refused. */
struct db_insert_terms {
    struct db_repeatable repeatable;
    int estimated_wait_seconds; /* as the maker is told */
    int64_t free_until_ms;      /* as db_time.until_ms */
    int weekly_limit;           /* conversations in the week from `week_start_ms`; 0: no limit */
    int64_t week_start_ms;
};
void db_match_request_insert(struct flow *f, const struct match_request *r,
                             const struct db_insert_terms *terms, struct db_week *week);

/* The request that came in between, when an insert was refused. */
void db_match_first_result(struct flow *f, const struct uuid *user_id, const struct db_repeatable *repeatable,
                           struct db_first_result *out);

/* pending -> cancelled and match.cancelled. *out is the request as it is afterwards, *changed whether this
 * call moved it. ERR_MATCH_REQUEST_NOT_FOUND: none of that id of this user. */
struct db_cancel {
    struct match_request request;
    bool changed;
};
void db_match_request_cancel(struct flow *f, const struct uuid *id, const struct uuid *user_id,
                             struct db_cancel *out);
/* The same for a request whose maker is told that it failed: its key is free for the retry. */
void db_match_request_take_back(struct flow *f, const struct uuid *id, const struct uuid *user_id,
                                struct db_cancel *out);

/* The user's live request or else the latest. ERR_MATCH_REQUEST_NOT_FOUND. */
void db_match_request_latest(struct flow *f, const struct uuid *user_id, struct match_request *out);

/* This one. ERR_MATCH_REQUEST_NOT_FOUND: none of that id of this user. */
void db_match_request_get(struct flow *f, const struct uuid *id, const struct uuid *user_id,
                          struct match_request *out);
/* The users of those among these requests that are not pending any more. */
struct db_ids {
    const struct uuid *items;
    size_t count;
};
void db_match_requests_settled(struct flow *f, const struct uuid *request_ids, size_t count,
                               struct db_ids *out);

/* Claims a pair: both pending -> matched, session + participants (names and languages from the requests) and
 * conversation.matched. ERR_CONFLICT: one of them is no longer pending, or one of the users is in a live
 * session already; nothing has changed. Nor is there a session when the week of a free learner has been used
 * up since the request was made: then that request is cancelled. */
struct db_claim {
    struct uuid first_id, second_id; /* requests; the first waited longer */
    int score, level_difference;
    bool is_tandem, is_any_level;
    struct uuid session_id;
    enum level level;         /* of the session */
    int max_duration_seconds; /* of the session; less when one of the two has another one arranged soon after
                               */
    int64_t scheduled_at_ms;  /* arranged ahead for this time; 0: for now */
    int free_weekly_limit;    /* as in db_insert_terms */
    int64_t week_start_ms;
};
void db_match_claim(struct flow *f, const struct db_claim *claim, struct session *out);

/* pending and past expires_at -> expired, and match.expired, among these ids. *out: the ones that are expired
 * now, by this call or by one before whose answer was lost. */
struct db_match_requests {
    const struct match_request *items;
    size_t count;
};
void db_match_requests_expire(struct flow *f, const struct uuid *ids, size_t count,
                              struct db_match_requests *out);

/* The ids of the pending requests after `after` (nil: from the first), in their order, at most `limit`. */
void db_match_requests_pending(struct flow *f, const struct uuid *after, int limit, struct db_ids *out);

/* Of these, the ones that are pending and could be claimed, with history and exclusions: what the index is
 * given. */
void db_match_requests_by_id(struct flow *f, const struct uuid *ids, size_t count,
                             struct db_match_requests *out);

/* Participants of sessions made since `since_ms` that still wait, who have not joined: the newest 1,000. */
struct db_paired {
    struct uuid request_id;
    struct session session;
    int who; /* of the participants */
    int level_difference;
    bool is_any_level;
};
struct db_paired_list {
    const struct db_paired *items;
    size_t count;
};
void db_match_unjoined(struct flow *f, int64_t since_ms, struct db_paired_list *out);

/* The waits that ended within the last hour, the latest 4000 by expiry, oldest end first. */
struct db_wait {
    char language[LANG_MAX], topic[TOPIC_MAX];
    enum level level;
    bool is_matched; /* else expired */
    bool is_tandem_seeker;
    enum partner_level wish;
    int64_t ended_at_ms, wait_ms;
};
struct db_waits {
    const struct db_wait *items;
    size_t count;
};
void db_match_waits(struct flow *f, struct db_waits *out);

/* --- sessions --- */

void db_session_get(struct flow *f, const struct uuid *id, struct session *out); /* ERR_SESSION_NOT_FOUND */

/* The prompts of the session's topic, those shown so far (oldest first), and the topic's name key. */
struct db_shown_prompt {
    const char *key;
    int64_t displayed_at_ms;
};
struct db_session_prompts {
    const char *topic_name_key;
    const struct topic_prompt *prompts;
    size_t prompt_count;
    const struct db_shown_prompt *shown;
    size_t shown_count;
};
void db_session_prompts(struct flow *f, const struct session *s, struct db_session_prompts *out);

/* A participant's socket is there: joined_at set (while waiting also when it was), first_joined_at if null;
 * when both are joined and the session was waiting: active, started_at, conversation.started. A join of a
 * waiting session at an instance that is dead does not count. ERR_SESSION_NOT_FOUND (also: not a
 * participant), ERR_SESSION_ENDED, ERR_ALREADY_IN_SESSION (another one; only for one that was arranged
 * ahead). */
struct db_join {
    struct session session; /* as it is afterwards */
    bool activated;         /* by this call */
    int number;             /* of this user's joins of the session, the last one; rising */
    struct uuid partner_at; /* the living instance at which the partner joined last; nil: there is none */
};
void db_session_join(struct flow *f, const struct uuid *id, const struct uuid *user_id, struct db_join *out);
/* The socket of this join is gone while the session is waiting: joined_at null again. No effect otherwise,
 * nor on a participant who has joined again since, on another socket. */
void db_session_unjoin(struct flow *f, const struct uuid *id, const struct uuid *user_id, int join_number);
/* This instance has nobody in the session any more, and `to` has: whoever joined here, by these joins at the
 * latest, is for `to` to wait for, and for others when that is dead. */
struct db_hand_over {
    struct uuid session_id, to;
    int joins[2];
};
void db_session_hand_over(struct flow *f, const struct db_hand_over *h);

/* Ends a session as domain/session.h's table says, with its event in the outbox; idempotent: on a session
 * that is over nothing changes and `changed` is false. `by` is the participant, nil for the daemon itself.
 * Of what was spoken the larger counts, of what is given here and of what is stored, but no more seconds than
 * the session had. A drop ends nothing when there is a later join than the one given, at an instance
 * that is alive. ERR_SESSION_NOT_FOUND (also: `by` is not in it). ERR_CONFLICT: the event is not legal in
 * its status.
 *
 * After a no-show the participant who has joined, at an instance that is alive, has a new pending request
 * that has waited since the first one was made and expires as late as one made now, with match.requested;
 * unless it has another one, or a session arranged too soon for it. */
struct db_session_ending {
    struct uuid id, by;
    enum session_event event;
    int64_t at_ms; /* when it happened (a drop: when the socket went); 0: now */
    int join; /* of a drop: the number of the latest join known of who is gone; of nobody in particular: 0 */
    struct speech_total speech[2];
};
struct db_requeued {
    struct uuid request_id, user_id; /* nil: none */
    int64_t expires_at_ms;
};
struct db_ended {
    struct session session; /* as it is afterwards */
    bool changed;
    struct uuid back_at;         /* nil; or where who should be gone has come back: the session goes on */
    int back_join;               /* by this join */
    struct db_requeued requeued; /* by this call or by one before, and still pending */
};
void db_session_end(struct flow *f, const struct db_session_ending *ending, struct db_ended *out);

/* Stores a prompt as shown. ERR_CONFLICT: the session is not active. */
void db_session_prompt_shown(struct flow *f, const struct uuid *id, const struct topic_prompt *prompt,
                             int64_t displayed_at_ms);

/* One's rating of an ended session, replaced when given again, and conversation.rated; the same one again
 * changes nothing. ERR_SESSION_NOT_FOUND, ERR_SESSION_NOT_ENDED. */
struct db_rating {
    struct uuid session_id, user_id;
    int rating;
    struct str feedback; /* {NULL,0}: none */
};
struct db_rated {
    double average; /* of the session's ratings */
    const char *topic_code;
    bool is_first; /* the first of this participant */
};
void db_session_rate(struct flow *f, const struct db_rating *rating, struct db_rated *out);

struct db_history_query {
    struct uuid user_id;
    const char *language; /* "" : any */
    int limit, offset;
};
struct history_entry {
    struct uuid session_id;
    const char *topic_code, *topic_name_key, *partner_display_name; /* name key NULL when the topic is gone */
    int duration_seconds;
    int64_t completed_at_ms;
    int my_rating; /* 0: not rated */
    bool transcript_available;
};
struct db_history {
    const struct history_entry *items;
    size_t count;
    int64_t total;
};
void db_history(struct flow *f, const struct db_history_query *q, struct db_history *out); /* newest first */

/* What a crashed instance left: active sessions past their limit by `slack_ms` -> completed (timeout);
 * waiting ones past the join window by `slack_ms` -> expired. Counts are of this call. */
struct db_sweep_query {
    int64_t slack_ms, join_window_ms;
};
struct db_swept {
    const struct db_ended *ended; /* completed or expired by this call */
    size_t ended_count;
};
void db_sessions_sweep(struct flow *f, const struct db_sweep_query *q, struct db_swept *out);
/* Waiting ones that nobody has joined for this long, since they were made or since the time they were
 * arranged for, are deleted. */
void db_sessions_abandoned(struct flow *f, int64_t abandoned_ms, int *deleted);

/* --- instances --- */

#define DB_INSTANCE_BEAT_MS   5000  /* how often an instance says that it is alive */
#define DB_INSTANCE_SILENT_MS 15000 /* one that has been silent for this long is dead */

/* This instance is alive; or, once and for all, stops. */
void db_instance_beat(struct flow *f, bool is_stopping);

/* Active sessions that no living instance runs, and none that was alive less than `grace_ms` before it was
 * dead. */
struct db_left_session {
    struct session session;
    int64_t left_at_ms; /* when who ran it was last alive */
};
struct db_left_sessions {
    const struct db_left_session *items;
    size_t count;
};
void db_sessions_left(struct flow *f, int64_t grace_ms, struct db_left_sessions *out);

/* Active sessions of which the rows say that a participant is, or was last, at this instance. */
struct db_own_session {
    struct uuid id;
    int joins[2]; /* the number of the participant's join here; 0: its last one was elsewhere, or nowhere */
};
struct db_own_sessions {
    const struct db_own_session *items;
    size_t count;
};
void db_sessions_own(struct flow *f, struct db_own_sessions *out);

#endif
