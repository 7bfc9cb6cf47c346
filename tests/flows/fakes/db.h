/* Fake of ports/db.h: a small database in memory that keeps the port's promises (guarded transitions, one
 * live request a user, claims that move both or none). Tests put rows in and look at them; port.h scripts
 * failures. */
#ifndef TESTS_FLOWS_FAKES_DB_H
#define TESTS_FLOWS_FAKES_DB_H

#include "conversation/ports/db.h"

enum {
    FAKE_REQUESTS_MAX = 700,
    FAKE_SESSIONS_MAX = 16,
    FAKE_TOPICS_MAX = 8,
    FAKE_SHOWN_MAX = 64,
    FAKE_HISTORY_MAX = 8
};

struct fake_shown {
    struct uuid session_id;
    char key[PROMPT_KEY_MAX];
    int64_t at_ms;
};

struct fake_db {
    enum db_schema schema;
    struct topic topics[FAKE_TOPICS_MAX];
    size_t topic_count;
    struct {
        struct uuid user_id;
        const char *code;
    } skills[4];
    size_t skill_count;
    struct topic_pair pairs[4];
    size_t pair_count;
    struct match_request requests[FAKE_REQUESTS_MAX];
    size_t request_count;
    struct fake_key {
        char key[64], asked[256];
        int estimated_wait_seconds;
    } keys[FAKE_REQUESTS_MAX]; /* of `requests`; "" when it has none */
    struct session sessions[FAKE_SESSIONS_MAX];
    int joins[FAKE_SESSIONS_MAX][2]; /* of each one's participants */
    struct db_hand_over handed_over; /* the latest */
    struct db_ended back;            /* what a drop is answered with, by an earlier join than back_join */
    struct uuid partner_at;          /* where whoever joins finds the partner */
    size_t session_count;
    struct fake_shown shown[FAKE_SHOWN_MAX];
    size_t shown_count;
    struct history_entry history[FAKE_HISTORY_MAX];
    size_t history_count;
    int64_t history_total;
    struct db_week week; /* everybody's */
    struct db_wait waits[32];
    size_t wait_count;
    struct db_rated rated;
    int64_t left_at_ms; /* of db_sessions_left: all active sessions are left */
    bool has_own;       /* of db_sessions_own: all active sessions are this instance's; else none */
    int beats;          /* signs of life */
    bool is_stopped;

    /* what the flows asked with, last */
    struct {
        char topics_language[LANG_MAX], topics_code[TOPIC_MAX]; /* "": NULL was given */
        struct uuid topic_user_id;
        struct db_admission_query admission;
        char admission_language[LANG_MAX], admission_topic[TOPIC_MAX];
        struct match_request inserted;
        struct db_insert_terms terms; /* its strings are gone */
        struct db_claim claim;
        struct uuid expired[FAKE_REQUESTS_MAX];
        size_t expired_count;
        struct db_session_ending ending;
        struct db_rating rating;
        char feedback[512];
        struct db_history_query history;
        char history_language[LANG_MAX];
        struct db_sweep_query sweep;
        int64_t left_grace_ms;
    } asked;
};
extern struct fake_db fake_db;

void fake_db_reset(void);
void fake_db_goes_away(void); /* db_is_up is false, and every call answers ERR_DB_UNAVAILABLE */
void fake_db_comes_back(void);

struct match_request *fake_request(const struct uuid *id); /* NULL: none */
/* Of what is stored and what is given, the larger. */
void fake_speech_stays(struct session *s, const struct speech_total totals[2]);
struct session *fake_session(const struct uuid *id);
bool fake_user_is_in_live_session(const struct uuid *user_id); /* not one that is arranged for later */
/* In a live session now, when the mode is now; or in one arranged within the time. */
bool fake_user_is_busy(const struct uuid *user_id, const struct db_time *time);

#endif
