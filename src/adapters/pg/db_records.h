/* How rows become the product's structs: for each, the columns a statement selects and the function that
 * reads them, in the same order. Also the pieces of SQL that several statements share. */
#ifndef PG_DB_RECORDS_H
#define PG_DB_RECORDS_H

#include <stdbool.h>

#include "conversation/domain/match.h"
#include "conversation/domain/session.h"
#include "conversation/domain/topic.h"
#include "conversation/ports/db.h"
#include "pg.h"

/* Reads a row column by column, from the left. `ok` turns false at a name this binary does not know (a row
 * written by a newer one), which makes the operation ERR_INTERNAL; check it with cursor_result. */
struct cursor {
    const struct pg_rows *rows;
    int row, col;
    bool ok;
};

static inline struct cursor cursor_at(const struct pg_rows *rows, int row)
{
    return (struct cursor){.rows = rows, .row = row, .ok = true};
}

static inline enum err cursor_result(const struct cursor *c)
{
    return c->ok ? OK : ERR_INTERNAL;
}

struct uuid take_uuid(struct cursor *c);
int64_t take_int(struct cursor *c);
double take_double(struct cursor *c);
bool take_bool(struct cursor *c);
int64_t take_time(struct cursor *c);                                  /* 0 for NULL */
void take_text(struct cursor *c, char *dst, size_t cap);              /* "" for NULL */
const char *take_string(struct cursor *c, struct arena *arena);       /* a copy; NULL for NULL */
int take_name(struct cursor *c, const char *const *names, int count); /* index of the name; 0 for NULL */
const char *const *take_texts(struct cursor *c, struct arena *arena, size_t *n);
struct uuid *take_uuids(struct cursor *c, struct arena *arena, size_t *n);
int64_t *take_times(struct cursor *c, struct arena *arena, size_t *n);
/* Two arrays of one length: who, and when in ms. */
struct match_past_partner *take_history(struct cursor *c, struct arena *arena, size_t *n);

/* clang-format off */

/* --- match requests: of a relation named r --- */
#define MATCH_COLUMNS                                                                                        \
    "r.id, r.user_id, r.learning_profile_id, r.target_language_code, r.native_language_code, "               \
    "r.preferred_partner_native_language_code, r.topic_code, r.preferred_accent, r.display_name, "           \
    "r.avatar_url, r.topic_category, r.current_level, r.preferred_partner_level, r.tier, r.mode, r.status, " \
    "r.recording_consent, r.preferred_duration_minutes, r.max_wait_seconds, " PG_MS("r.created_at") ", "     \
    PG_MS("r.expires_at") ", " PG_MS("r.scheduled_for") ", " PG_MS("r.matched_at") ", "                      \
    "r.matched_session_id, r.matched_with_user_id, r.compatibility_score, r.level_difference, "              \
    PG_MS("r.session_scheduled_at")
enum err read_ids(struct flow *f, const struct pg_rows *rows, void *out); /* struct db_ids: an id a row */
void take_match_request(struct cursor *c, struct match_request *out); /* history unknown, nobody excluded */

/* --- sessions: of relations named s, and a and b for its participants of position 0 and 1 --- */
#define PARTICIPANT_COLUMNS(p)                                                                               \
    p ".user_id, " p ".display_name, " p ".avatar_url, " p ".native_language_code, "                         \
    p ".target_language_code, " p ".spoken_seconds, " p ".turn_count, " PG_MS(p ".joined_at") ", "           \
    PG_MS(p ".left_at")
#define SESSION_COLUMNS                                                                                      \
    "s.id, s.session_type, s.status, s.end_reason, s.target_language_code, s.topic_code, "                   \
    PG_MS("s.scheduled_at") ", " PG_MS("s.created_at") ", " PG_MS("s.first_joined_at") ", " PG_MS("s.started_at") ", "                    \
    PG_MS("s.ended_at") ", s.duration_seconds, s.max_duration_seconds, s.transcript_id, s.recording_url, "   \
    PARTICIPANT_COLUMNS("a") ", " PARTICIPANT_COLUMNS("b")
/* Joins a and b to s out of `seats`: the table, or what a statement has made of its rows. */
#define SESSION_SEATS(seats)                                                                                 \
    " JOIN " seats " a ON a.session_id = s.id AND a.position = 0"                                            \
    " JOIN " seats " b ON b.session_id = s.id AND b.position = 1 "
void take_session(struct cursor *c, struct session *out);

/* --- topics: of a relation named t; the user id is parameter `user` --- */
#define TOPIC_COLUMNS(user)                                                                                  \
    "t.code, t.target_language_code, t.name_key, t.description_key, t.title, t.description, t.image_url, "   \
    "t.level, t.category, t.estimated_duration_minutes, t.popularity_score, t.required_skills, "             \
    "t.required_skills <@ ARRAY(SELECT k.skill_code FROM user_skills k WHERE k.user_id = " user ")"
void take_topic(struct cursor *c, struct arena *arena, struct topic *out); /* without prompts */

/* The prompts of topic t as three arrays, by type, then order. */
#define TOPIC_PROMPT_ORDER                                                                                   \
    " ORDER BY array_position('{icebreaker,main,follow_up}'::text[], p.type), p.sort_order, p.prompt_key"
#define TOPIC_PROMPT_COLUMNS                                                                                 \
    "ARRAY(SELECT p.prompt_key FROM topic_prompts p WHERE p.topic_id = t.id" TOPIC_PROMPT_ORDER "), "        \
    "ARRAY(SELECT p.type FROM topic_prompts p WHERE p.topic_id = t.id" TOPIC_PROMPT_ORDER "), "              \
    "ARRAY(SELECT p.sort_order FROM topic_prompts p WHERE p.topic_id = t.id" TOPIC_PROMPT_ORDER ")"
struct topic_prompt *take_prompts(struct cursor *c, struct arena *arena, size_t *n);

/* clang-format on */

/* The head of every insert of an event; the envelope is made of these columns (docs/events.md). */
#define OUTBOX_INSERT "INSERT INTO event_outbox (event_type, key, correlation_id, created_at, payload) "

#endif
