/* The SQL that the statements about sessions share. */
#ifndef PG_DB_SESSION_H
#define PG_DB_SESSION_H

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
 * leaves no event. Of the event's payload, averageRating is not known yet, recordingUrl seldom. */
#define SESSION_LEFT(at)                                                                                     \
    "seats_after AS ("                                                                                       \
    "    UPDATE session_participants p SET left_at = coalesce(p.left_at, " at "), is_live = false"           \
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

/* clang-format on */

#endif
