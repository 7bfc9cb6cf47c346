/* The claim of a pair: what makes two waiting learners a session. */
#include "conversation/base/clock.h"
#include "conversation/ports/db.h"
#include "db_match.h"

/* $1 first request, $2 second, $3 session, $4 now, $5 score, $6 level difference, $7 tandem, $8 any level, $9
 * the session's level, $10 seconds it lasts, $11 correlation id, $12 conversations a week of a free learner,
 * $13 the week's start, $14 when the session is to be; null: now.
 *
 * locked: both rows in the order of their ids, as by everyone who locks two, and as the last committed writer
 * left them: after a cancel, an expiry or another claim that was awaited here, the status is no longer
 * pending.
 *
 * used_up: of a free learner whose week is, which the request's insert has not seen: they asked twice, and
 * the other request was matched, held and over in between. It would never be claimed, so it is cancelled.
 *
 * Two of whom one has blocked or reported the other since the index read them are not paired.
 *
 * pair: one row when the claim may be made, none otherwise; everything after reads it, so that all of it
 * happens or nothing. A user who got into a live session after this statement's snapshot is caught by the
 * unique index; in one arranged for the same time, by the exclusion constraint. A session now ends a minute
 * before the next one that either of the two has arranged. */
/* clang-format off */
#define BEGIN "coalesce(" PG_AT("$14") ", " PG_AT("$4") ")"
#define END   BEGIN " + $10::int * interval '1 s' + " MATCH_OPENS_EARLY /* the end of what it takes at most */
static const struct pg_statement CLAIM = {
    .name = "match_claim",
    .is_write = true,
    .violations = (const struct pg_violation[]){{"idx_participant_one_live", ERR_CONFLICT},
                                                {"idx_participant_one_booking", ERR_CONFLICT},
                                                {NULL, OK}},
    .sql =
        "WITH locked AS MATERIALIZED ("
        "    SELECT r.*, CASE r.id WHEN $1::uuid THEN 0 ELSE 1 END AS position,"
        "           coalesce(r.scheduled_for, r.created_at) AS waiting_since"
        "      FROM match_requests r WHERE r.id IN ($1::uuid, $2::uuid) ORDER BY r.id FOR UPDATE"
        "), used_up AS MATERIALIZED ("
        "    SELECT l.id FROM locked l" MATCH_WEEK("l.user_id", PG_AT("$13"), "$12::int > 0 AND l.tier = 'free'")
        "     WHERE l.status = 'pending' AND l.tier = 'free' AND $12::int > 0"
        "       AND week.used + week.reserved >= $12::int"
        "), pair AS MATERIALIZED ("
        "    SELECT (array_agg(user_id ORDER BY position))[1] AS first_user,"
        "           (array_agg(user_id ORDER BY position))[2] AS second_user,"
        "           min(waiting_since) AS waiting_since,"
        "           min((SELECT min(lower(p.booked)) FROM session_participants p"
        "                 WHERE p.user_id = locked.user_id AND p.is_live AND p.booked IS NOT NULL"
        "                   AND lower(p.booked) > " BEGIN ")) AS next_booked"
        "      FROM locked"
        "    HAVING count(*) FILTER (WHERE status = 'pending') = 2 AND count(DISTINCT user_id) = 2"
        "       AND NOT EXISTS (SELECT FROM used_up)"
        "       AND NOT EXISTS (SELECT FROM locked l JOIN locked k ON k.position = 1"
        "                        WHERE l.position = 0 AND " MATCH_ARE_APART("l.user_id", "k.user_id") ")"
        "       AND NOT EXISTS (SELECT FROM locked l"
        "                        WHERE " PG_AT("$14") " IS NULL AND " MATCH_IS_TALKING("l.user_id")
        "                           OR " MATCH_IS_BOOKED("l.user_id", BEGIN, "CASE WHEN " PG_AT("$14") " IS NULL THEN "
                                                         PG_AT("$4") " + " MATCH_OPENS_EARLY " ELSE " END " END") ")"
        "), matched AS ("
        "    UPDATE match_requests r"
        "       SET status = 'matched', matched_at = " PG_AT("$4") ", matched_session_id = $3::uuid,"
        "           matched_with_user_id ="
        "               CASE l.position WHEN 0 THEN pair.second_user ELSE pair.first_user END,"
        "           compatibility_score = $5::int, level_difference = $6::int,"
        "           session_scheduled_at = " PG_AT("$14")
        "      FROM locked l CROSS JOIN pair WHERE r.id = l.id"
        "), cancelled AS ("
        "    UPDATE match_requests r SET status = 'cancelled' FROM used_up u WHERE r.id = u.id RETURNING r.*"
        "), cancelled_event AS ("
        "    " OUTBOX_INSERT
        "    SELECT 'match.cancelled', r.user_id, $11, " PG_AT("$4") ", " MATCH_EVENT_PAYLOAD " FROM cancelled r"
        "), s AS ("
        "    INSERT INTO sessions ("
        "        id, target_language_code, topic_code, target_level, session_type, is_any_level,"
        "        scheduled_at, max_duration_seconds, created_at, updated_at)"
        "    SELECT $3::uuid, l.target_language_code, l.topic_code, $9,"
        "           CASE WHEN $7::boolean THEN 'tandem' ELSE 'practice' END, $8::boolean, " PG_AT("$14") ","
        "           least($10::int, floor(extract(epoch FROM pair.next_booked - " BEGIN ")) - 60), " PG_AT("$4") ", " PG_AT("$4")
        "      FROM pair JOIN locked l ON l.position = 0"
        "    RETURNING *"
        "), seats AS ("
        "    INSERT INTO session_participants ("
        "        session_id, user_id, position, role, native_language_code, target_language_code,"
        "        display_name, avatar_url, recording_consent, created_at, booked)"
        "    SELECT s.id, l.user_id, l.position,"
        "           CASE WHEN $7::boolean AND l.position = 1 THEN 'partner' ELSE 'learner' END,"
        "           l.native_language_code, l.target_language_code, l.display_name, l.avatar_url,"
        "           l.recording_consent, s.created_at,"
        "           CASE WHEN s.scheduled_at IS NOT NULL THEN tstzrange(" BEGIN ", " END ") END"
        "      FROM s CROSS JOIN locked l"
        "    RETURNING *"
        "), event AS ("
        "    " OUTBOX_INSERT
        "    SELECT 'conversation.matched', pair.first_user, $11, s.created_at,"
        "           jsonb_build_object("
        "               'sessionId', s.id, 'topicCode', s.topic_code,"
        "               'matchRequestIds', jsonb_build_array($1::uuid, $2::uuid),"
        "               'participants',"
        "               (SELECT jsonb_agg(jsonb_build_object('userId', user_id,"
        "                                                    'targetLanguageCode', target_language_code,"
        "                                                    'nativeLanguageCode', native_language_code)"
        "                                 ORDER BY position) FROM seats),"
        "               'waitTimeSeconds',"
        "               greatest(floor(extract(epoch FROM s.created_at - pair.waiting_since)), 0)::bigint)"
        "           || CASE WHEN s.scheduled_at IS NULL THEN '{}' ELSE jsonb_build_object('scheduledAt',"
        "               to_char(s.scheduled_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')) END"
        "      FROM s CROSS JOIN pair"
        ") "
        "SELECT " SESSION_COLUMNS " FROM s" SESSION_SEATS("seats")};
/* clang-format on */

static enum err read_claimed(struct flow *f, const struct pg_rows *rows, void *out)
{
    (void)f;
    if (pg_row_count(rows) == 0)
        return ERR_CONFLICT;
    struct cursor c = cursor_at(rows, 0);
    struct session session;
    take_session(&c, &session);
    if (c.ok)
        *(struct session *)out = session;
    return cursor_result(&c);
}

void db_match_claim(struct flow *f, const struct db_claim *claim, struct session *out)
{
    struct pg_args args = {0};
    pg_arg_uuid(&args, &claim->first_id);
    pg_arg_uuid(&args, &claim->second_id);
    pg_arg_uuid(&args, &claim->session_id);
    pg_arg_time(&args, clock_now_ms());
    pg_arg_int(&args, claim->score);
    pg_arg_int(&args, claim->level_difference);
    pg_arg_bool(&args, claim->is_tandem);
    pg_arg_bool(&args, claim->is_any_level);
    pg_arg_text(&args, level_names[claim->level]);
    pg_arg_int(&args, claim->max_duration_seconds);
    pg_arg_text(&args, flow_correlation_id(f));
    pg_arg_int(&args, claim->free_weekly_limit);
    pg_arg_time(&args, claim->week_start_ms);
    pg_arg_time(&args, claim->scheduled_at_ms);
    pg_run(f, &CLAIM, &args, read_claimed, out);
}
