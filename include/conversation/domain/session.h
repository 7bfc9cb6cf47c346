/* A session's states, participants and timers (docs/sessions.md). The data is plain; the rules are pure. */
#ifndef CONVERSATION_DOMAIN_SESSION_H
#define CONVERSATION_DOMAIN_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conversation/base/err.h"
#include "conversation/base/uuid.h"
#include "conversation/domain/level.h"
#include "conversation/domain/topic.h"

enum session_status {
    SESSION_WAITING,
    SESSION_ACTIVE,
    SESSION_COMPLETED,
    SESSION_ABORTED,
    SESSION_EXPIRED,
    SESSION_CANCELLED,
    SESSION_STATUS_COUNT
};
extern const char *const session_status_names[];

enum session_end_reason {
    END_NONE,
    END_COMPLETED,
    END_DROPPED,
    END_TIMEOUT,
    END_REPORTED,
    END_LEFT,
    END_NO_SHOW,
    END_REASON_COUNT
};
extern const char *const session_end_reason_names[]; /* [END_NONE] is "" */

enum session_type { SESSION_PRACTICE, SESSION_TANDEM };
extern const char *const session_type_names[];

struct participant {
    struct uuid user_id;
    char display_name[NAME_MAX_BYTES], avatar_url[512];
    char native_language[LANG_MAX], target_language[LANG_MAX];
    int spoken_seconds, turn_count;
    int64_t joined_at_ms, left_at_ms; /* 0: not */
};

struct session {
    struct uuid id;
    enum session_type type;
    enum session_status status;
    enum session_end_reason end_reason;
    char target_language[LANG_MAX], topic_code[TOPIC_MAX];
    int64_t created_at_ms, first_joined_at_ms, started_at_ms, ended_at_ms; /* 0: not yet */
    int64_t scheduled_at_ms; /* when it was arranged for; 0: for now */
    int duration_seconds, max_duration_seconds;
    bool transcript_available;
    struct uuid transcript_id;          /* nil: none */
    char recording_url[512];            /* "" when none */
    struct participant participants[2]; /* [0] waited longer */
};

static inline bool session_is_over(const struct session *s)
{
    return s->status != SESSION_WAITING && s->status != SESSION_ACTIVE;
}

/* A session that was arranged for later can be joined from 5 minutes before. So long before it, too, its
 * participants are not given another one. */
#define SESSION_OPENS_EARLY_MS (5 * 60 * 1000)
static inline int64_t session_opens_at_ms(const struct session *s)
{
    return s->scheduled_at_ms ? s->scheduled_at_ms - SESSION_OPENS_EARLY_MS : 0;
}

/* Index of the user among the participants, or -1. */
int session_participant_index(const struct session *s, const struct uuid *user_id);

/* What makes a session end. */
enum session_event {
    SESSION_EVENT_END,     /* a participant said "end" */
    SESSION_EVENT_LEAVE,   /* a participant left */
    SESSION_EVENT_DROP,    /* a participant did not come back within the grace */
    SESSION_EVENT_LIMIT,   /* the time limit */
    SESSION_EVENT_NO_SHOW, /* the second participant did not join in time */
    SESSION_EVENT_REPORT,  /* a participant reported the other */
    SESSION_EVENT_COUNT
};

struct session_ending {
    enum session_status status;
    enum session_end_reason reason;
};

#define SESSION_ABORT_WINDOW_MS 60000 /* leaving or dropping out earlier aborts */

/* The legal endings: what `event` makes of a session in `status` that has been active for `active_ms`. False
 * when the event cannot end a session in that status (it is over, or a time limit on a waiting one). For a
 * drop-out, `active_ms` is counted up to the moment the socket was lost when that is known, else up to now.
 * The SQL that ends a session follows the same table and a test compares the two. */
bool session_ending_of(enum session_status status, enum session_event event, int64_t active_ms,
                       struct session_ending *out);

/* What the clients are told: `session_ended.reason`, one of completed, partner_left, timeout, error. */
const char *session_end_wire_reason(enum session_end_reason reason);

/* --- the running session: presence, timers, prompts --- */

struct session_limits {
    int64_t join_window_ms; /* waiting: after the first join, 60 s */
    int64_t grace_ms;       /* active: a dropped socket may return, 20 s */
    int64_t prompt_min_ms, prompt_max_ms;
    int prompts_max;               /* 5 */
    int64_t prompt_request_gap_ms; /* 10 s */
    int64_t warn_before_ms;        /* 60 s before the limit */
};

#define SESSION_PROMPTS_MAX 16 /* bounds prompts_max */
#define SESSION_SWITCH_KEY  "tandem.switch_language"

/* One running session in the instance that owns its timers. Times are wall-clock ms, 0: not set. */
struct session_run {
    enum session_status status;
    enum session_type type;
    bool is_present[2];
    int64_t dropped_at_ms[2];
    int64_t scheduled_at_ms, first_joined_at_ms, started_at_ms, limit_at_ms;
    int64_t next_prompt_at_ms; /* icebreaker or asked for; 0: the interval after last_prompt_at_ms decides */
    int64_t last_prompt_at_ms, last_request_at_ms;
    bool is_warned, is_switched; /* limit warning sent; tandem half-time told */
    int prompts_shown;
    const char *shown_keys[SESSION_PROMPTS_MAX]; /* point into `prompts` */
    const struct topic_prompt *prompts;          /* borrowed from the owner of this struct */
    size_t prompt_count;
    uint64_t random; /* state of the seeded generator for the prompt interval */
};

enum session_action_kind {
    ACTION_NONE,
    ACTION_END,            /* `event` says why, `who` the participant that caused it or -1 */
    ACTION_SHOW_PROMPT,    /* `prompt` */
    ACTION_WARN_LIMIT,     /* one minute left */
    ACTION_SWITCH_LANGUAGE /* tandem half-time */
};

struct session_action {
    enum session_action_kind kind;
    enum session_event event;
    int who;
    int64_t at_ms; /* ACTION_END by a drop or the limit: when that was; else 0 */
    const struct topic_prompt *prompt;
};

/* Starts from the stored session, waiting or active, with nobody present and no prompt shown. */
void session_run_init(struct session_run *run, const struct session *s, const struct topic_prompt *prompts,
                      size_t prompt_count, uint64_t seed);
/* Only after session_run_init of an active session, in the order of display: a prompt was shown before this
 * run began. A key that is not among the prompts counts as shown too; SESSION_SWITCH_KEY means that half-time
 * has been told. */
void session_run_was_shown(struct session_run *run, const char *key, int64_t displayed_at_ms);
/* A participant's socket is there / is gone. In an active session being absent starts the grace, once; so
 * does being the one that has not come back yet when the other has. */
void session_run_present(struct session_run *run, int who, int64_t now_ms);
void session_run_absent(struct session_run *run, int who, int64_t now_ms);
/* The session became active: arms limit, half-time; the icebreaker is due at once. */
void session_run_activate(struct session_run *run, int64_t started_at_ms, int max_duration_seconds);
/* A participant asked for the next prompt: OK and the prompt is due at once, or ERR_RATE_LIMITED within the
 * gap after the last one asked for, ERR_CONFLICT when all prompts of the session have been shown or it is not
 * active. */
enum err session_run_request_prompt(struct session_run *run, const struct session_limits *limits,
                                    int64_t now_ms) MUST_CHECK;

/* The next thing due at or before `now_ms`, the earliest first; marks it done. Call until ACTION_NONE. After
 * ACTION_END the run is over and nothing is due any more. */
struct session_action session_run_due(struct session_run *run, const struct session_limits *limits,
                                      int64_t now_ms);
/* The drop that was due did not end it: the timers go on. `who` has come back, and has the grace anew if it
 * is not present; -1: nobody in particular. */
void session_run_goes_on(struct session_run *run, int who, int64_t now_ms);
/* When session_run_due will next return something; INT64_MAX: never. */
int64_t session_run_next_ms(const struct session_run *run, const struct session_limits *limits);

/* The next prompt: first an icebreaker; then unused ones, follow_up before main before icebreaker, by order;
 * when all are used, main ones again (the least recently shown). NULL when the topic has no prompt at all. */
const struct topic_prompt *session_choose_prompt(const struct topic_prompt *prompts, size_t count,
                                                 const char *const *shown, int shown_count);

#endif
