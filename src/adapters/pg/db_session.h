/* The SQL that the statements about sessions share. */
#ifndef PG_DB_SESSION_H
#define PG_DB_SESSION_H

#include "db_match.h"
#include "db_records.h"

/* clang-format off */

/* The CTEs that every change of one session begins with; $1 is the session, $2 the participant (null: nobody
 * in particular).
 *
 * locked: the session, held against every other change; no row when there is none, or $2 is not in it.
 * seats: its participants. Locked too, although whoever changes them holds the session: only a locking read
 *   returns what a writer committed after this statement's snapshot, while the session's lock was awaited. */
#define SESSION_LOCKED                                                                                       \
    "locked AS MATERIALIZED ("                                                                               \
    "    SELECT s.* FROM sessions s"                                                                         \
    "     WHERE s.id = $1"                                                                                   \
    "       AND ($2::uuid IS NULL OR EXISTS (SELECT FROM session_participants p"                             \
    "                                         WHERE p.session_id = s.id AND p.user_id = $2))"                \
    "       FOR UPDATE"                                                                                      \
    "), seats AS MATERIALIZED ("                                                                             \
    "    SELECT p.* FROM locked l JOIN session_participants p ON p.session_id = l.id"                        \
    "     ORDER BY p.position FOR UPDATE OF p"                                                               \
    ")"

/* The session as it is after the statement: `moved` where it was updated, else `locked`. */
#define SESSION_AFTER                                                                                        \
    "s AS (SELECT * FROM moved UNION ALL SELECT * FROM locked WHERE NOT EXISTS (SELECT FROM moved))"

/* What every ending does besides: of the ended sessions `moved`, the participants `seats_after`, who has
 * talked to whom, and the event, at time `at` for correlation id `correlation`. A session that never began
 * leaves no event. Of the event's payload, averageRating is not known yet, recordingUrl seldom. `seconds` and
 * `turns`: what participant p has spoken as far as is known here. */
#define SESSION_LEFT(at, seconds, turns)                                                                     \
    "seats_after AS ("                                                                                       \
    "    UPDATE session_participants p SET left_at = coalesce(p.left_at, " at "), is_live = false,"          \
    "           spoken_seconds = least(greatest(p.spoken_seconds, " seconds "), moved.duration_seconds),"    \
    "           turn_count = greatest(p.turn_count, " turns ")"                                              \
    "      FROM moved WHERE p.session_id = moved.id RETURNING p.*"                                           \
    "), talked AS ("                                                                                         \
    "    INSERT INTO past_partners (user_id, partner_id, last_spoke_at)"                                     \
    "    SELECT a.user_id, b.user_id, m.ended_at"                                                            \
    "      FROM moved m"                                                                                     \
    "      JOIN seats_after a ON a.session_id = m.id"                                                        \
    "      JOIN seats_after b ON b.session_id = m.id AND b.position <> a.position"                           \
    "     WHERE m.started_at IS NOT NULL"                                                                    \
    "    ON CONFLICT (user_id, partner_id) DO UPDATE SET last_spoke_at = excluded.last_spoke_at"             \
    ")"
#define SESSION_END_EVENT(at, correlation)                                                                   \
    "event AS ("                                                                                             \
    "    " OUTBOX_INSERT                                                                                     \
    "    SELECT 'conversation.' || m.status, a.user_id, " correlation ", " at ","                            \
    "           jsonb_build_object("                                                                         \
    "               'sessionId', m.id, 'durationSeconds', m.duration_seconds, 'topicCode', m.topic_code,"    \
    "               'participants', jsonb_build_array(" SESSION_END_PARTICIPANT("a") ", "                    \
    SESSION_END_PARTICIPANT("b") "))"                                                                        \
    "           || jsonb_strip_nulls(jsonb_build_object("                                                    \
    "               'endReason', CASE m.status WHEN 'aborted' THEN m.end_reason END,"                        \
    "               'recordingUrl', CASE m.status WHEN 'completed' THEN m.recording_url END))"               \
    "      FROM moved m"                                                                                     \
    "      JOIN seats_after a ON a.session_id = m.id AND a.position = 0"                                     \
    "      JOIN seats_after b ON b.session_id = m.id AND b.position = 1"                                     \
    "     WHERE m.status IN ('completed', 'aborted') ORDER BY m.started_at, m.id"                            \
    ")"
#define SESSION_END_PARTICIPANT(p)                                                                           \
    "jsonb_build_object('userId', " p ".user_id, 'targetLanguageCode', " p ".target_language_code)"          \
    " || CASE m.status WHEN 'completed' THEN jsonb_build_object('spokenSeconds', " p ".spoken_seconds,"      \
    " 'turnCount', " p ".turn_count) ELSE '{}' END"

/* Of the ended sessions `moved`, who goes back into the queue: see db_session_end. `me` is this instance,
 * `alive_since` when another one must have been seen. Lateral, with an order, and without the
 * status, which matched_session_id implies: along the user's requests, whatever the planner makes of the
 * tables' sizes. */
#define SESSION_REQUEUE(at, correlation, me, alive_since)                                                    \
    "requeued AS ("                                                                                          \
    "    INSERT INTO match_requests ("                                                                       \
    "        id, user_id, learning_profile_id, target_language_code, native_language_code, current_level,"   \
    "        preferred_partner_level, preferred_partner_native_language_code, topic_code, topic_category,"   \
    "        preferred_accent, preferred_duration_minutes, mode, scheduled_for, max_wait_seconds,"           \
    "        recording_consent, tier, display_name, avatar_url, created_at, expires_at, requeued_from)"      \
    "    SELECT gen_random_uuid(), r.user_id, r.learning_profile_id, r.target_language_code,"                \
    "           r.native_language_code, r.current_level, r.preferred_partner_level,"                         \
    "           r.preferred_partner_native_language_code, r.topic_code, r.topic_category,"                   \
    "           r.preferred_accent, r.preferred_duration_minutes, r.mode, r.scheduled_for,"                  \
    "           r.max_wait_seconds, r.recording_consent, r.tier, r.display_name, r.avatar_url,"              \
    "           r.created_at, " at " + r.max_wait_seconds * interval '1 s', m.id"                            \
    "      FROM moved m JOIN seats_after a ON a.session_id = m.id"                                           \
    "     CROSS JOIN LATERAL (SELECT * FROM match_requests q"                                                \
    "                          WHERE q.user_id = a.user_id AND q.matched_session_id = m.id"                  \
    "                          ORDER BY q.created_at DESC LIMIT 1) r"                                        \
    "     WHERE m.end_reason = 'no_show' AND a.joined_at IS NOT NULL"                                        \
    "       AND (a.joined_by = " me " OR EXISTS (SELECT FROM instances i WHERE i.id = a.joined_by"           \
    "                                               AND NOT i.is_stopped AND i.seen_at > " alive_since "))"  \
    "       AND NOT " MATCH_IS_BOOKED("r.user_id", at,                                                       \
                                      at " + r.max_wait_seconds * interval '1 s' + " MATCH_OPENS_EARLY)      \
    "     ORDER BY m.id"                                                                                     \
    "    ON CONFLICT DO NOTHING"                                                                             \
    "    RETURNING *"                                                                                        \
    "), requeued_event AS ("                                                                                 \
    "    " OUTBOX_INSERT                                                                                     \
    "    SELECT 'match.requested', r.user_id, " correlation ", " at ", " MATCH_REQUESTED_PAYLOAD             \
    "      FROM requeued r ORDER BY r.requeued_from"                                                         \
    ")"
#define REQUEUED_COLUMNS "q.id, q.user_id, " PG_MS("q.expires_at")

/* clang-format on */

#endif
