/* Everything held about one user, as JSON objects. One statement a part: $1 user, $2 the last page's last id
 * (nil: none), $3 how many. Each row is an id and an object. */
#include "conversation/ports/db_privacy.h"
#include "db_records.h"

/* clang-format off */

#define ISO(expr) "to_char(" expr " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"

static const struct pg_statement REQUESTS = {
    .name = "export_requests",
    .sql = "SELECT r.id, json_strip_nulls(json_build_object("
           "    'matchRequestId', r.id, 'status', r.status, 'targetLanguageCode', r.target_language_code,"
           "    'nativeLanguageCode', r.native_language_code, 'level', r.current_level,"
           "    'topicCode', r.topic_code, 'preferredPartnerLevel', r.preferred_partner_level,"
           "    'preferredPartnerNativeLanguageCode', r.preferred_partner_native_language_code,"
           "    'preferredAccent', r.preferred_accent, 'preferredDuration', r.preferred_duration_minutes,"
           "    'mode', r.mode, 'scheduledFor', " ISO("r.scheduled_for") ", 'tier', r.tier,"
           "    'maxWaitTimeSeconds', r.max_wait_seconds, 'recordingConsent', r.recording_consent,"
           "    'learningProfileId', r.learning_profile_id, 'displayName', nullif(r.display_name, ''),"
           "    'avatarUrl', r.avatar_url, 'sessionId', r.matched_session_id,"
           "    'partnerId', r.matched_with_user_id, 'compatibilityScore', r.compatibility_score,"
           "    'createdAt', " ISO("r.created_at") ", 'matchedAt', " ISO("r.matched_at") ","
           "    'expiresAt', " ISO("r.expires_at") "))"
           "  FROM match_requests r WHERE r.user_id = $1 AND r.id > $2 ORDER BY r.id LIMIT $3::int"};

static const struct pg_statement SESSIONS = {
    .name = "export_sessions",
    .sql = "SELECT s.id, json_strip_nulls(json_build_object("
           "    'sessionId', s.id, 'status', s.status, 'endReason', s.end_reason, 'sessionType', s.session_type,"
           "    'topicCode', s.topic_code, 'role', p.role, 'targetLanguageCode', p.target_language_code,"
           "    'nativeLanguageCode', p.native_language_code, 'displayName', nullif(p.display_name, ''),"
           "    'avatarUrl', p.avatar_url, 'createdAt', " ISO("s.created_at") ","
           "    'scheduledAt', " ISO("s.scheduled_at") ", 'joinedAt', " ISO("p.joined_at") ","
           "    'startedAt', " ISO("s.started_at") ", 'leftAt', " ISO("p.left_at") ","
           "    'endedAt', " ISO("s.ended_at") ", 'durationSeconds', s.duration_seconds,"
           "    'spokenSeconds', p.spoken_seconds, 'turnCount', p.turn_count,"
           "    'recordingConsent', p.recording_consent, 'transcriptId', s.transcript_id,"
           "    'rating', (SELECT json_build_object('rating', g.rating, 'feedback', g.feedback,"
           "                                        'ratedAt', " ISO("g.rated_at") ")"
           "                 FROM ratings g WHERE g.session_id = s.id AND g.user_id = p.user_id),"
           "    'recordings', (SELECT json_agg(json_build_object('state', c.state, 'mimeType', c.mime_type,"
           "                       'sizeBytes', c.size_bytes, 'createdAt', " ISO("c.created_at") "))"
           "                     FROM recordings c WHERE c.session_id = s.id AND c.user_id = p.user_id)))"
           "  FROM session_participants p JOIN sessions s ON s.id = p.session_id"
           " WHERE p.user_id = $1 AND p.session_id > $2 ORDER BY p.session_id LIMIT $3::int"};

static const struct pg_statement PARTNERS = {
    .name = "export_partners",
    .sql = "SELECT p.partner_id, json_build_object('partnerId', p.partner_id, 'lastSpokeAt', " ISO("p.last_spoke_at") ")"
           "  FROM past_partners p WHERE p.user_id = $1 AND p.partner_id > $2 ORDER BY p.partner_id LIMIT $3::int"};

static const struct pg_statement REPORTS = {
    .name = "export_reports",
    .sql = "SELECT r.id, json_strip_nulls(json_build_object("
           "    'reportId', r.id, 'sessionId', r.session_id, 'reportedUserId', r.reported_user_id,"
           "    'reason', r.reason, 'details', r.details, 'createdAt', " ISO("r.created_at") "))"
           "  FROM reports r WHERE r.reporter_id = $1 AND r.id > $2 ORDER BY r.id LIMIT $3::int"};

static const struct pg_statement BLOCKS = {
    .name = "export_blocks",
    .sql = "SELECT b.blocked_id, json_build_object('userId', b.blocked_id, 'createdAt', " ISO("b.created_at") ")"
           "  FROM user_blocks b WHERE b.blocker_id = $1 AND b.blocked_id > $2 ORDER BY b.blocked_id LIMIT $3::int"};

static const struct pg_statement SKILLS = {
    .name = "export_skills",
    .sql = "SELECT k.skill_id, json_build_object('skillId', k.skill_id, 'skillCode', k.skill_code,"
           "                                     'acquiredAt', " ISO("k.acquired_at") ")"
           "  FROM user_skills k WHERE k.user_id = $1 AND k.skill_id > $2 ORDER BY k.skill_id LIMIT $3::int"};

/* That there is one, and whether somebody has looked at it: who reported is the reporters' affair. */
static const struct pg_statement FLAGS = {
    .name = "export_flags",
    .sql = "SELECT g.id, json_strip_nulls(json_build_object('createdAt', " ISO("g.created_at") ","
           "                                                'reviewedAt', " ISO("g.reviewed_at") "))"
           "  FROM user_flags g WHERE g.user_id = $1 AND g.id > $2 ORDER BY g.id LIMIT $3::int"};

/* clang-format on */

static const struct pg_statement *const parts[EXPORT_PART_COUNT] = {
    [EXPORT_REQUESTS] = &REQUESTS, [EXPORT_SESSIONS] = &SESSIONS, [EXPORT_PARTNERS] = &PARTNERS,
    [EXPORT_REPORTS] = &REPORTS,   [EXPORT_BLOCKS] = &BLOCKS,     [EXPORT_SKILLS] = &SKILLS,
    [EXPORT_FLAGS] = &FLAGS,
};

static enum err read_page(struct flow *f, const struct pg_rows *rows, void *out)
{
    size_t count = (size_t)pg_row_count(rows);
    struct str *items = ARENA_ARRAY(flow_arena(f), struct str, count + 1);
    struct db_export_page page = {.items = items, .count = count};
    for (size_t i = 0; i < count; i++) {
        struct cursor c = cursor_at(rows, (int)i);
        page.last = take_uuid(&c);
        items[i] = str_of(take_string(&c, flow_arena(f)));
    }
    *(struct db_export_page *)out = page;
    return OK;
}

void db_export(struct flow *f, const struct db_export_query *q, struct db_export_page *out)
{
    struct pg_args args = {0};
    pg_arg_uuid(&args, &q->user_id);
    pg_arg_text(&args, UUIDZ(&q->after)); /* nil, too, is an id here */
    pg_arg_int(&args, DB_EXPORT_PAGE);
    pg_run(f, parts[q->part], &args, read_page, out);
}
