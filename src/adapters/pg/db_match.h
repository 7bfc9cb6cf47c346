/* The SQL that the statements about match requests share. */
#ifndef PG_DB_MATCH_H
#define PG_DB_MATCH_H

#include "conversation/ports/db.h"
#include "db_records.h"

/* clang-format off */

/* Joins `past`, one row: the partners `user` has had, and, in the same order, when they last spoke; both null
 * when there is none. */
#define MATCH_PAST(user)                                                                                     \
    " CROSS JOIN LATERAL (SELECT array_agg(h.partner_id) AS partners,"                                       \
    " array_agg(" PG_MS("h.last_spoke_at") ") AS times FROM past_partners h WHERE h.user_id = " user ") past "

/* Everyone whom `user` must never meet: blocked or reported, in either direction. */
#define MATCH_EXCLUDED(user)                                                                                 \
    "ARRAY(SELECT b.blocked_id FROM user_blocks b WHERE b.blocker_id = " user                                \
    " UNION SELECT b.blocker_id FROM user_blocks b WHERE b.blocked_id = " user                               \
    " UNION SELECT c.reported_user_id FROM reports c WHERE c.reporter_id = " user                            \
    " UNION SELECT c.reporter_id FROM reports c WHERE c.reported_user_id = " user ")"

/* Whether one of the two must never meet the other. */
#define MATCH_ARE_APART(one, other)                                                                          \
    "(EXISTS (SELECT FROM user_blocks b WHERE b.blocker_id = " one " AND b.blocked_id = " other ")"          \
    " OR EXISTS (SELECT FROM user_blocks b WHERE b.blocker_id = " other " AND b.blocked_id = " one ")"       \
    " OR EXISTS (SELECT FROM reports c WHERE c.reporter_id = " one " AND c.reported_user_id = " other ")"    \
    " OR EXISTS (SELECT FROM reports c WHERE c.reporter_id = " other " AND c.reported_user_id = " one "))"

/* Joins `first`, the request that `user` made with `key` and that is not too old at `now`; at most one row. Its columns
 * are those of a db_first_result, null without one. */
#define MATCH_KEY_KEPT "interval '24 hours'" /* DB_KEY_KEPT_MS */
#define MATCH_FIRST(user, key, now)                                                                          \
    " LEFT JOIN match_requests first ON first.user_id = " user " AND first.idempotency_key = " key           \
    " AND first.created_at > " now " - " MATCH_KEY_KEPT " "
#define MATCH_FIRST_COLUMNS(asked)                                                                           \
    "first.id, first.idempotency_digest = " MATCH_DIGEST(asked) ", first.estimated_wait_seconds, "           \
    PG_MS("first.expires_at")
#define MATCH_DIGEST(asked) "sha256(convert_to(" asked ", 'UTF8'))"

/* Whether `user` is in a session that is not for later; and whether one that was arranged ahead takes any of the time.
 * OFFSET 0 keeps the planner from the other way to answer an EXISTS of many users: reading all live participants into a
 * hash. With a plan made while there were few of them, each claim would go on doing so. */
#define MATCH_IS_TALKING(user)                                                                               \
    "EXISTS (SELECT FROM session_participants p WHERE p.user_id = " user " AND p.is_live AND p.booked IS NULL"  \
    " OFFSET 0)"
#define MATCH_IS_BOOKED(user, from, until)                                                                   \
    "EXISTS (SELECT FROM session_participants p"                                                             \
    " WHERE p.user_id = " user " AND p.is_live AND p.booked IS NOT NULL"                                     \
    " AND p.booked && tstzrange(" from ", " until ") OFFSET 0)"
#define MATCH_OPENS_EARLY "interval '5 minutes'" /* SESSION_OPENS_EARLY_MS */

/* Joins `week`, one row: how many conversations of the week from `start` the user has used up, and how many are reserved.
 * Sessions created up to eight days earlier are looked at: a scheduled one is paired up to seven days ahead. Nothing is
 * counted where `wanted` is false. */
#define MATCH_WEEK(user, start, wanted)                                                                      \
    " CROSS JOIN LATERAL ("                                                                                  \
    "    SELECT count(*) FILTER (WHERE s.started_at >= " start " AND s.status <> 'aborted') AS used,"        \
    "           count(*) FILTER (WHERE s.status = 'waiting' AND coalesce(s.scheduled_at, s.created_at)"      \
    "                                  < " start " + interval '7 days') AS reserved"                         \
    "      FROM session_participants p JOIN sessions s ON s.id = p.session_id"                               \
    "     WHERE " wanted " AND p.user_id = " user " AND p.created_at >= " start " - interval '8 days') week "

/* The payload of match.cancelled and match.expired, of a request named r. */
#define MATCH_EVENT_PAYLOAD                                                                                  \
    "jsonb_build_object('matchRequestId', r.id, 'userId', r.user_id,"                                        \
    " 'targetLanguageCode', r.target_language_code, 'topicCode', r.topic_code)"

/* The payload of match.requested, likewise. */
#define MATCH_REQUESTED_PAYLOAD                                                                              \
    "jsonb_build_object('matchRequestId', r.id, 'userId', r.user_id,"                                        \
    " 'targetLanguageCode', r.target_language_code, 'topicCode', r.topic_code,"                              \
    " 'preferredPartnerLevel', r.preferred_partner_level)"

/* clang-format on */

struct db_first_result take_first_result(struct cursor *c);
struct db_week take_week(struct cursor *c); /* used, reserved */

#endif
