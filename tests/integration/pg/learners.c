#include "learners.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "conversation/base/clock.h"
#include "direct.h"

static int64_t now_ms = NOW;

void set_now(int64_t at_ms)
{
    now_ms = at_ms;
    clock_set_for_test(at_ms, at_ms - NOW);
}

void advance(int64_t ms)
{
    set_now(now_ms + ms);
}

/* --- requests --- */

struct match_request a_request(void)
{
    return (struct match_request){
        .id = uuid_random(),
        .user_id = uuid_random(),
        .target_language = "en",
        .native_language = "fr",
        .topic_code = "restaurant.ordering",
        .display_name = "Ben",
        .topic_category = CATEGORY_DAILY_LIFE,
        .level = LEVEL_A2,
        .max_wait_seconds = 120,
        .created_at_ms = now_ms,
        .expires_at_ms = now_ms + 120000,
    };
}

enum err insert_request(struct flow *f, const struct match_request *r)
{
    static const struct db_insert_terms ordinary = {.estimated_wait_seconds = 60};
    struct db_week week;
    return RUN(f, db_match_request_insert(f, r, &ordinary, &week));
}

struct match_request latest_of(struct flow *f, const struct uuid *user_id)
{
    struct match_request r;
    assert_int_equal(RUN(f, db_match_request_latest(f, user_id, &r)), OK);
    return r;
}

struct db_claim a_claim(const struct match_request *first, const struct match_request *second)
{
    return (struct db_claim){
        .first_id = first->id,
        .second_id = second->id,
        .score = 100,
        .session_id = uuid_random(),
        .level = LEVEL_A2,
        .max_duration_seconds = 900,
    };
}

/* --- sessions --- */

static struct session a_session_of(struct flow *f, struct match_request ana, const struct match_request *ben)
{
    struct session session;
    assert_int_equal(insert_request(f, &ana), OK);
    assert_int_equal(insert_request(f, ben), OK);
    struct db_claim claim = a_claim(&ana, ben);
    assert_int_equal(RUN(f, db_match_claim(f, &claim, &session)), OK);
    return session;
}

struct session a_waiting_session(struct flow *f, int64_t waited_ms)
{
    struct match_request ana = a_request(), ben = a_request();
    snprintf(ana.display_name, sizeof ana.display_name, "Ana");
    snprintf(ana.native_language, sizeof ana.native_language, "es");
    snprintf(ana.avatar_url, sizeof ana.avatar_url, "https://cdn.example/ana.png");
    ana.created_at_ms -= waited_ms;
    return a_session_of(f, ana, &ben);
}

static struct session join_both(struct flow *f, const struct session *s)
{
    struct db_join join;
    for (int i = 0; i < 2; i++)
        assert_int_equal(RUN(f, db_session_join(f, &s->id, &s->participants[i].user_id, &join)), OK);
    assert_true(join.activated);
    return join.session;
}

struct session an_active_session(struct flow *f)
{
    struct session session = a_waiting_session(f, 0);
    return join_both(f, &session);
}

struct session a_talk(struct flow *f, const struct uuid *a, const struct uuid *b, int64_t active_ms)
{
    struct match_request ana = a_request(), ben = a_request();
    ana.user_id = *a;
    ben.user_id = *b;
    struct session session = a_session_of(f, ana, &ben);
    session = join_both(f, &session);
    advance(active_ms);
    struct db_ended ended;
    assert_int_equal(end_session(f, &session, a, SESSION_EVENT_LEAVE, &ended), OK);
    assert_true(ended.changed);
    return ended.session;
}

enum err end_session(struct flow *f, const struct session *s, const struct uuid *by, enum session_event event,
                     struct db_ended *out)
{
    struct db_session_ending ending = {.id = s->id, .event = event, .join = 1};
    if (by)
        ending.by = *by;
    return RUN(f, db_session_end(f, &ending, out));
}

/* --- assertions --- */

struct db_swept sweep(struct flow *f, int64_t slack_ms)
{
    struct db_sweep_query query = {.slack_ms = slack_ms, .join_window_ms = 60000};
    struct db_swept swept;
    assert_int_equal(RUN(f, db_sessions_sweep(f, &query, &swept)), OK);
    return swept;
}

int delete_abandoned(struct flow *f)
{
    int deleted;
    assert_int_equal(RUN(f, db_sessions_abandoned(f, 300000, &deleted)), OK);
    return deleted;
}

void assert_uuid_equal(struct uuid a, struct uuid b)
{
    assert_string_equal(UUIDZ(&a), UUIDZ(&b));
}

void assert_same_request(const struct match_request *a, const struct match_request *b)
{
    assert_uuid_equal(a->id, b->id);
    assert_uuid_equal(a->user_id, b->user_id);
    assert_uuid_equal(a->learning_profile_id, b->learning_profile_id);
    assert_string_equal(a->target_language, b->target_language);
    assert_string_equal(a->native_language, b->native_language);
    assert_string_equal(a->wanted_native_language, b->wanted_native_language);
    assert_string_equal(a->topic_code, b->topic_code);
    assert_string_equal(a->preferred_accent, b->preferred_accent);
    assert_string_equal(a->display_name, b->display_name);
    assert_string_equal(a->avatar_url, b->avatar_url);
    assert_int_equal(a->topic_category, b->topic_category);
    assert_int_equal(a->level, b->level);
    assert_int_equal(a->preferred_partner_level, b->preferred_partner_level);
    assert_int_equal(a->tier, b->tier);
    assert_int_equal(a->mode, b->mode);
    assert_int_equal(a->status, b->status);
    assert_int_equal(a->recording_consent, b->recording_consent);
    assert_int_equal(a->preferred_duration_minutes, b->preferred_duration_minutes);
    assert_int_equal(a->max_wait_seconds, b->max_wait_seconds);
    assert_int_equal(a->created_at_ms, b->created_at_ms);
    assert_int_equal(a->expires_at_ms, b->expires_at_ms);
    assert_int_equal(a->scheduled_for_ms, b->scheduled_for_ms);
    assert_int_equal(a->matched_at_ms, b->matched_at_ms);
    assert_uuid_equal(a->session_id, b->session_id);
    assert_uuid_equal(a->partner_id, b->partner_id);
    assert_int_equal(a->compatibility_score, b->compatibility_score);
    assert_int_equal(a->level_difference, b->level_difference);
}

int64_t rows_with(struct flow *f, const char *text)
{
    return direct_int(
        f,
        "SELECT coalesce(sum((xpath('/row/c/text()', query_to_xml(format("
        "  'SELECT count(*) AS c FROM %%I t WHERE strpos(t::text, %%L) > 0', table_name, '%s'),"
        "  false, true, '')))[1]::text::int), 0)"
        "  FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'",
        text);
}

void assert_event_count(struct flow *f, int count)
{
    assert_int_equal(direct_int(f, "SELECT count(*) FROM event_outbox"), count);
}

void assert_event(struct flow *f, int nth, const char *type, const struct uuid *key,
                  const char *payload_format, ...)
{
    char *payload = NULL;
    va_list ap;
    va_start(ap, payload_format);
    assert_true(vasprintf(&payload, payload_format, ap) >= 0);
    va_end(ap);
    const char *expected =
        direct_value(f, "SELECT concat_ws(' ', '%s', '%s', '%s', %lld, 'unsent', '%s'::jsonb)", type,
                     UUIDZ(key), CORRELATION, (long long)now_ms, payload);
    const char *stored =
        direct_value(f,
                     "SELECT concat_ws(' ', event_type, key, correlation_id,"
                     " (extract(epoch FROM created_at) * 1000)::bigint,"
                     " CASE WHEN sent_at IS NULL AND event_id IS NOT NULL THEN 'unsent' END, payload)"
                     " FROM event_outbox ORDER BY id OFFSET %d LIMIT 1",
                     nth - 1);
    assert_string_equal(stored, expected);
    free(payload);
}
