/* Participants come to a waiting session, and the second one makes it active. */
#include "conversation/base/clock.h"
#include "conversation/base/instance.h"
#include "conversation/ports/db.h"
#include "db_session.h"

/* --- join --- */

/* $1 session, $2 participant, $3 now, $4 correlation id, $5 this instance, $6 since when an instance must
 * have been seen to be alive.
 *
 * seats_after: the participants with the caller joined. It is made of the locked rows, so of two who join at
 * the same moment the second one sees the first, and exactly one of them makes the session active. In a
 * waiting session a join at an instance that is dead does not count: the socket has gone with it. With the
 * join a session that was arranged ahead becomes the caller's session now: `booked` ends, and the unique
 * index sees to it that it is their only one.
 *
 * here: whoever has a join counts as alive, even before its first sign of life. */
/* clang-format off */
static const struct pg_statement SESSION_JOIN = {
    .name = "session_join",
    .is_write = true,
    .violations = (const struct pg_violation[]){{"idx_participant_one_live", ERR_ALREADY_IN_SESSION}, {NULL, OK}},
    .sql =
        "WITH " SESSION_LOCKED ", seats_after AS MATERIALIZED ("
        "    SELECT p.session_id, p.position, p.user_id, p.display_name, p.avatar_url,"
        "           p.native_language_code, p.target_language_code, p.spoken_seconds, p.turn_count,"
        "           p.left_at,"
        "           p.joins + (p.user_id = $2 AND l.status IN ('waiting', 'active'))::int AS joins,"
        "           CASE WHEN p.user_id = $2 THEN $5::uuid ELSE p.joined_by END AS joined_by,"
        "           CASE WHEN p.user_id = $2 AND l.status = 'waiting' THEN " PG_AT("$3")
        "                WHEN p.user_id = $2 AND l.status = 'active' THEN coalesce(p.joined_at, " PG_AT("$3") ")"
        "                WHEN l.status = 'waiting' AND p.joined_by IS DISTINCT FROM $5::uuid"
        "                 AND NOT EXISTS (SELECT FROM instances i WHERE i.id = p.joined_by"
        "                                    AND NOT i.is_stopped AND i.seen_at > " PG_AT("$6") ") THEN NULL"
        "                ELSE p.joined_at END AS joined_at"
        "      FROM seats p JOIN locked l ON l.id = p.session_id"
        "), joined AS ("
        "    UPDATE session_participants p"
        "       SET joined_at = a.joined_at, joined_by = a.joined_by, joins = a.joins,"
        "           booked = CASE WHEN p.user_id <> $2 THEN p.booked END"
        "      FROM seats_after a JOIN seats b ON b.position = a.position"
        "     WHERE p.session_id = a.session_id AND p.position = a.position"
        "       AND (a.joined_at, a.joined_by, a.joins) IS DISTINCT FROM (b.joined_at, b.joined_by, b.joins)"
        "), here AS ("
        "    INSERT INTO instances (id, seen_at) SELECT $5::uuid, " PG_AT("$3") " FROM locked"
        "    ON CONFLICT (id) DO NOTHING"
        "), everyone AS ("
        "    SELECT bool_and(joined_at IS NOT NULL) AS is_there FROM seats_after"
        "), moved AS ("
        "    UPDATE sessions s"
        "       SET first_joined_at = coalesce(s.first_joined_at, " PG_AT("$3") "),"
        "           updated_at = " PG_AT("$3") ","
        "           status = CASE WHEN e.is_there THEN 'active' ELSE 'waiting' END,"
        "           started_at = CASE WHEN e.is_there THEN " PG_AT("$3") " END"
        "      FROM locked l CROSS JOIN everyone e"
        "     WHERE s.id = l.id AND l.status = 'waiting' AND (e.is_there OR l.first_joined_at IS NULL)"
        "    RETURNING s.*"
        "), event AS ("
        "    " OUTBOX_INSERT
        "    SELECT 'conversation.started', a.user_id, $4, m.started_at,"
        "        jsonb_build_object("
        "            'sessionId', m.id, 'topicCode', m.topic_code, 'participants', jsonb_build_array("
        "            jsonb_build_object('userId', a.user_id, 'targetLanguageCode', a.target_language_code),"
        "            jsonb_build_object('userId', b.user_id, 'targetLanguageCode', b.target_language_code)))"
        "      FROM moved m JOIN seats_after a ON a.position = 0 JOIN seats_after b ON b.position = 1"
        "     WHERE m.status = 'active'"
        "), " SESSION_AFTER " "
        "SELECT EXISTS (SELECT FROM moved WHERE status = 'active'),"
        "       (SELECT me.joins FROM seats_after me WHERE me.user_id = $2),"
        "       (SELECT i.id FROM seats_after p JOIN instances i ON i.id = p.joined_by"
        "         WHERE p.user_id <> $2 AND p.joined_at IS NOT NULL"
        "           AND NOT i.is_stopped AND i.seen_at > " PG_AT("$6") "), " SESSION_COLUMNS
        "  FROM s" SESSION_SEATS("seats_after")};
/* clang-format on */

static enum err read_joined(struct flow *f, const struct pg_rows *rows, void *out)
{
    (void)f;
    if (pg_row_count(rows) == 0)
        return ERR_SESSION_NOT_FOUND;
    struct cursor c = cursor_at(rows, 0);
    struct db_join join = {.activated = take_bool(&c)};
    join.number = (int)take_int(&c);
    join.partner_at = take_uuid(&c);
    take_session(&c, &join.session);
    if (!c.ok)
        return ERR_INTERNAL;
    if (session_is_over(&join.session))
        return ERR_SESSION_ENDED;
    *(struct db_join *)out = join;
    return OK;
}

void db_session_join(struct flow *f, const struct uuid *id, const struct uuid *user_id, struct db_join *out)
{
    struct pg_args args = {0};
    pg_arg_uuid(&args, id);
    pg_arg_uuid(&args, user_id);
    pg_arg_time(&args, clock_now_ms());
    pg_arg_text(&args, flow_correlation_id(f));
    pg_arg_uuid(&args, instance_id());
    pg_arg_time(&args, clock_now_ms() - DB_INSTANCE_SILENT_MS);
    pg_run(f, &SESSION_JOIN, &args, read_joined, out);
}

/* --- unjoin --- */

/* $1 session, $2 participant, $3 the number of its join. A session that became active while the lock was
 * awaited is looked at again and stays as it is; so does the seat of one who has joined again, whose join may
 * have come first over another connection. */
/* clang-format off */
static const struct pg_statement SESSION_UNJOIN = {
    .name = "session_unjoin",
    .is_write = true,
    .sql = "WITH locked AS MATERIALIZED ("
           "    SELECT id FROM sessions WHERE id = $1 AND status = 'waiting' FOR UPDATE"
           ") "
           "UPDATE session_participants p SET joined_at = NULL"
           "  FROM locked l WHERE p.session_id = l.id AND p.user_id = $2 AND p.joins <= $3::int"};
/* clang-format on */

void db_session_unjoin(struct flow *f, const struct uuid *id, const struct uuid *user_id, int join_number)
{
    struct pg_args args = {0};
    pg_arg_uuid(&args, id);
    pg_arg_uuid(&args, user_id);
    pg_arg_int(&args, join_number);
    pg_run(f, &SESSION_UNJOIN, &args, NULL, NULL);
}

/* --- hand over --- */

/* $1 session, $2 this instance, $3 the other one, $4 and $5 the numbers of the joins. */
/* clang-format off */
static const struct pg_statement SESSION_HAND_OVER = {
    .name = "session_hand_over",
    .is_write = true,
    .sql = "UPDATE session_participants p SET joined_by = $3"
           " WHERE p.session_id = $1 AND p.joined_by = $2"
           "   AND p.joins <= CASE p.position WHEN 0 THEN $4::int ELSE $5::int END"};
/* clang-format on */

void db_session_hand_over(struct flow *f, const struct db_hand_over *h)
{
    struct pg_args args = {0};
    pg_arg_uuid(&args, &h->session_id);
    pg_arg_uuid(&args, instance_id());
    pg_arg_uuid(&args, &h->to);
    pg_arg_int(&args, h->joins[0]);
    pg_arg_int(&args, h->joins[1]);
    pg_run(f, &SESSION_HAND_OVER, &args, NULL, NULL);
}
