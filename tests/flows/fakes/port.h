/* What all fake adapters share: every call of a port function is recorded and, unless a script says
 * otherwise, answered on the next loop turn with what the fake's memory says. A script makes the answer an
 * error, late, lost (the effect took place, the answer says it failed), or withheld until the test releases
 * it. */
#ifndef TESTS_FLOWS_FAKES_PORT_H
#define TESTS_FLOWS_FAKES_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conversation/rt/flow.h"

#define PORT_TABLE(X)                                         \
    X(DB_TOPICS_LIST, "db_topics_list")                       \
    X(DB_TOPIC_GET, "db_topic_get")                           \
    X(DB_TOPIC_PAIRS, "db_topic_pairs")                       \
    X(DB_MATCH_ADMISSION, "db_match_admission")               \
    X(DB_MATCH_REQUEST_INSERT, "db_match_request_insert")     \
    X(DB_MATCH_REQUEST_CANCEL, "db_match_request_cancel")     \
    X(DB_MATCH_TAKE_BACK, "db_match_request_take_back")       \
    X(DB_MATCH_FIRST_RESULT, "db_match_first_result")         \
    X(DB_MATCH_REQUEST_LATEST, "db_match_request_latest")     \
    X(DB_MATCH_REQUEST_GET, "db_match_request_get")           \
    X(DB_MATCH_REQUESTS_SETTLED, "db_match_requests_settled") \
    X(DB_MATCH_CLAIM, "db_match_claim")                       \
    X(DB_MATCH_REQUESTS_EXPIRE, "db_match_requests_expire")   \
    X(DB_MATCH_REQUESTS_PENDING, "db_match_requests_pending") \
    X(DB_MATCH_REQUESTS_BY_ID, "db_match_requests_by_id")     \
    X(DB_MATCH_WAITS, "db_match_waits")                       \
    X(DB_MATCH_UNJOINED, "db_match_unjoined")                 \
    X(DB_SESSION_GET, "db_session_get")                       \
    X(DB_SESSION_PROMPTS, "db_session_prompts")               \
    X(DB_SESSION_JOIN, "db_session_join")                     \
    X(DB_SESSION_HAND_OVER, "db_session_hand_over")           \
    X(DB_SESSION_UNJOIN, "db_session_unjoin")                 \
    X(DB_SESSIONS_LEFT, "db_sessions_left")                   \
    X(DB_SESSIONS_OWN, "db_sessions_own")                     \
    X(DB_INSTANCE_BEAT, "db_instance_beat")                   \
    X(DB_SESSION_END, "db_session_end")                       \
    X(DB_SESSION_PROMPT_SHOWN, "db_session_prompt_shown")     \
    X(DB_SESSION_RATE, "db_session_rate")                     \
    X(DB_HISTORY, "db_history")                               \
    X(DB_SESSIONS_ABANDONED, "db_sessions_abandoned")         \
    X(DB_SPEECH_CARRY, "db_speech_carry")                     \
    X(DB_SKILL_STORE, "db_skill_store")                       \
    X(DB_UNLOCKED_TOPICS, "db_unlocked_topics")               \
    X(DB_TRANSCRIPT_STORE, "db_transcript_store")             \
    X(DB_POPULARITY_COMPUTE, "db_popularity_compute")         \
    X(DB_EXPORT, "db_export")                                 \
    X(DB_ERASURE_REQUEST, "db_erasure_request")               \
    X(DB_ERASURE_CLAIM, "db_erasure_claim")                   \
    X(DB_ERASURE_OPEN, "db_erasure_open")                     \
    X(DB_ERASURE_STEP, "db_erasure_step")                     \
    X(DB_ERASURE_EVENTS, "db_erasure_events")                 \
    X(DB_ERASURE_FINISH, "db_erasure_finish")                 \
    X(DB_SESSION_REPORT, "db_session_report")                 \
    X(DB_USER_BLOCK, "db_user_block")                         \
    X(DB_USER_UNBLOCK, "db_user_unblock")                     \
    X(DB_USER_BLOCKS, "db_user_blocks")                       \
    X(DB_FLAGS, "db_flags")                                   \
    X(DB_FLAG_REVIEW, "db_flag_review")                       \
    X(DB_SESSIONS_SWEEP, "db_sessions_sweep")                 \
    X(KV_RATE_TAKE, "kv_rate_take")                           \
    X(KV_QUEUE_ADD, "kv_queue_add")                           \
    X(KV_QUEUE_REMOVE, "kv_queue_remove")                     \
    X(KV_QUEUE_CHECK, "kv_queue_check")                       \
    X(KV_QUEUE_FILLED, "kv_queue_filled")                     \
    X(KV_LEASE_HOLD, "kv_lease_hold")                         \
    X(KV_LEASE_RELEASE, "kv_lease_release")                   \
    X(KV_TOPICS_GET, "kv_topics_get")                         \
    X(KV_TOPICS_PUT, "kv_topics_put")                         \
    X(KV_UNLOCKED_GET, "kv_unlocked_get")                     \
    X(KV_UNLOCKED_PUT, "kv_unlocked_put")                     \
    X(KV_UNLOCKED_DROP, "kv_unlocked_drop")                   \
    X(KV_USER_FORGET, "kv_user_forget")                       \
    X(KV_SESSION_PUT, "kv_session_put")                       \
    X(KV_SESSIONS_REFRESH, "kv_sessions_refresh")             \
    X(KV_SESSION_CLEAR, "kv_session_clear")                   \
    X(PROFILE_GET, "profile_get")                             \
    X(DB_OUTBOX_CLAIM, "db_outbox_claim")                     \
    X(DB_OUTBOX_READ, "db_outbox_read")                       \
    X(DB_OUTBOX_MARK, "db_outbox_mark")                       \
    X(DB_OUTBOX_OTHER, "db_outbox_refuse, _backlog, _purge")  \
    X(PUBLISH_ALL, "publish_all")

enum port {
#define PORT_ENUM(id, name) id,
    PORT_TABLE(PORT_ENUM)
#undef PORT_ENUM
        PORT_COUNT
};

extern const char *const port_names[PORT_COUNT];

struct port_script {
    enum err err;     /* reported instead of the fake's own answer; the effect does not take place… */
    bool is_lost;     /* …except with this: done, but the answer says `err` */
    int64_t delay_ms; /* virtual */
    bool is_held;     /* no answer before port_release */
};

/* The next call of `port` for which nothing is scripted yet. */
void port_script_next(enum port port, struct port_script script);
/* Every call of `port` for which nothing else is scripted, until changed. */
void port_script_always(enum port port, struct port_script script);
/* The call that comes as the `number`th from now, whatever its port; the first one is 1. */
void port_script_call(int number, struct port_script script);
/* Answers the oldest call that is held; false when none is. */
bool port_release(void);
/* The same for the oldest held call of one port; fails the test when there is none. */
void port_release_of(enum port port);

/* Calls since port_reset or port_forget. The lease, which is asked for all the time, is not among them. */
int port_calls(enum port port);
int port_calls_in_all(void);
enum port port_of_call(int number);
/* All of them, in order: "profile_get db_match_admission". */
void assert_calls(const char *names);
void port_forget(void); /* counts from 0 again */
void port_reset(void);  /* also drops the scripts; nothing may be held any more */

/* --- for the fakes --- */

struct port_call;
/* Records the call. */
struct port_call *port_begin(struct flow *f, enum port port);
/* Whether the effect takes place. */
bool port_takes_effect(const struct port_call *call);
/* The last thing a fake does: `err` and, when that is OK, `size` bytes at `result` copied to `out` when the
 * flow is told. */
void port_answer(struct port_call *call, enum err err, void *out, const void *result, size_t size);

#endif
