/* POST /match-request: profile -> admission -> row -> queue -> index. See docs/matchmaking.md. A retry with
 * the same Idempotency-Key ends at the admission, which knows the first result; or at the row, when two come
 * at once. */
#include "flows/handlers.h"
#include "flows/matchmaker.h"
#include "flows/wait_times.h"

#include <stddef.h>
#include <stdio.h>

#include "conversation/base/clock.h"
#include "conversation/base/metrics.h"
#include "conversation/config.h"
#include "conversation/domain/pairing.h"
#include "conversation/domain/quota.h"
#include "conversation/domain/session.h"
#include "conversation/ports/kv.h"
#include "conversation/ports/profile.h"

#define SCHEDULE_AHEAD_MS (7LL * 24 * 3600 * 1000)

struct create_input {
    struct str target_language, topic_code, wanted_native_language, accent;
    struct uuid learning_profile_id;
    int partner_level, mode, duration_minutes, max_wait_seconds;
    int64_t scheduled_for_ms;
    bool recording_consent;
};

struct create {
    struct create_input in;
    struct profile profile;
    struct db_admission admission;
    struct match_request request;
    struct db_insert_terms terms;
    struct db_week week; /* as the insert saw it */
    struct db_first_result first;
    enum err insert_err, queue_err, undo_err;
    struct db_cancel undo;
};

#define OF(member) offsetof(struct create_input, member)
#define LANGUAGE \
    .valid = language_code_is_valid, .expected = "must be a language code such as \"en\" or \"pt-BR\""
static const struct field create_fields[] = {
    {"targetLanguageCode", FIELD_STRING, .is_required = true, .offset = OF(target_language), LANGUAGE},
    {"topicCode", FIELD_STRING, .is_required = true, .offset = OF(topic_code), .valid = topic_code_is_valid,
     .expected = "must be a topic code such as \"travel.airport\""},
    {"preferredPartnerLevel", FIELD_ENUM, .offset = OF(partner_level), .choices = partner_level_names},
    {"preferredPartnerNativeLanguageCode", FIELD_STRING, .offset = OF(wanted_native_language), LANGUAGE},
    {"mode", FIELD_ENUM, .offset = OF(mode), .choices = match_mode_names},
    {"scheduledFor", FIELD_TIME, .offset = OF(scheduled_for_ms)},
    {"preferredAccent", FIELD_STRING, .offset = OF(accent), .max = ACCENT_MAX - 1, LANGUAGE},
    {"preferredDuration", FIELD_INT, .offset = OF(duration_minutes), .min = 5, .max = 20},
    {"maxWaitTimeSeconds", FIELD_INT, .offset = OF(max_wait_seconds), .min = 30, .max = 300},
    {"learningProfileId", FIELD_UUID, .offset = OF(learning_profile_id)},
    {"recordingConsent", FIELD_BOOL, .offset = OF(recording_consent)},
    FIELDS_END,
};

/* What the field table cannot say. */
static void check_input(struct flow *f, const struct create_input *in)
{
    int64_t now = clock_now_ms();
    if (in->wanted_native_language.p &&
        !language_is_same(in->wanted_native_language.p, in->target_language.p))
        flow_set_error_field(f, ERR_INVALID_REQUEST, "preferredPartnerNativeLanguageCode",
                             "must equal targetLanguageCode");
    else if (in->duration_minutes % 5)
        flow_set_error_field(f, ERR_INVALID_REQUEST, "preferredDuration", "must be one of 5, 10, 15, 20");
    else if (in->mode == MATCH_SCHEDULED && !in->scheduled_for_ms)
        flow_set_error_field(f, ERR_INVALID_REQUEST, "scheduledFor", "required when mode is scheduled");
    else if (in->mode == MATCH_NOW && in->scheduled_for_ms)
        flow_set_error_field(f, ERR_INVALID_REQUEST, "scheduledFor", "only allowed when mode is scheduled");
    else if (in->mode == MATCH_SCHEDULED &&
             (in->scheduled_for_ms <= now || in->scheduled_for_ms > now + SCHEDULE_AHEAD_MS))
        flow_set_error_field(f, ERR_INVALID_REQUEST, "scheduledFor",
                             "must be in the future and at most 7 days ahead");
}

static struct quota_limits quota(void)
{
    return (struct quota_limits){.free_weekly = config.free_tier_weekly_limit};
}

static void fail_quota(struct flow *f, const struct db_week *week)
{
    char resets_at[CLOCK_ISO_LENGTH + 1], reserved[32] = "";
    clock_format_iso(quota_resets_at_ms(clock_now_ms()), resets_at);
    if (week->reserved)
        snprintf(reserved, sizeof reserved, "\"reserved\":%d,", week->reserved);
    flow_set_error_details(f, ERR_DAILY_LIMIT_REACHED,
                           arena_fmt(flow_arena(f), "[{\"limit\":%d,\"used\":%d,%s\"resetsAt\":\"%s\"}]",
                                     config.free_tier_weekly_limit, week->used, reserved, resets_at));
}

/* The product's rules for who may ask for what, in the order in which a learner would want to hear of them.
 */
static void check_admission(struct flow *f, const struct create *c)
{
    const struct db_admission *a = &c->admission;
    const struct quota_limits limits = quota();
    const char *why = NULL;
    if (c->in.mode == MATCH_SCHEDULED && c->profile.tier != TIER_PREMIUM)
        flow_set_error(f, ERR_PREMIUM_REQUIRED);
    else if (!a->topic_found)
        flow_set_error(f, ERR_TOPIC_NOT_FOUND);
    else if (topic_access(&a->topic, c->profile.tier, &why))
        flow_set_error_field(f, ERR_TOPIC_LOCKED, "topicCode", why);
    else if (a->has_live_session)
        flow_set_error(f, ERR_ALREADY_IN_SESSION);
    else if (a->has_live_request)
        flow_set_error(f, ERR_ALREADY_MATCHED);
    else if (!quota_allows(&limits, c->profile.tier, a->week.used + a->week.reserved))
        fail_quota(f, &a->week);
    else if (!kv_is_up())
        flow_set_error(f, ERR_KV_UNAVAILABLE);
}

/* "en-GB" is practised with those who learn "en", where it has no topic of its own: the region is then a wish
 * like an accent. */
static struct str accent_of(const struct create *c)
{
    if (c->in.accent.p)
        return c->in.accent;
    bool has_region = !str_eqz(c->in.target_language, c->admission.topic.language);
    return has_region ? c->in.target_language : str_of(c->profile.accent);
}

static void fill_request(struct create *c, const struct uuid *user_id)
{
    struct match_request *r = &c->request;
    const struct profile *p = &c->profile;
    int max_wait = c->in.max_wait_seconds ? c->in.max_wait_seconds : config.match_timeout_seconds;
    *r = (struct match_request){
        .id = uuid_random(),
        .user_id = *user_id,
        .learning_profile_id =
            uuid_is_nil(&c->in.learning_profile_id) ? p->learning_profile_id : c->in.learning_profile_id,
        .topic_category = c->admission.topic.category,
        .level = p->level,
        .preferred_partner_level = (enum partner_level)c->in.partner_level,
        .tier = p->tier,
        .mode = (enum match_mode)c->in.mode,
        .recording_consent = c->in.recording_consent,
        .preferred_duration_minutes = c->in.duration_minutes,
        .max_wait_seconds = max_wait,
        .created_at_ms = clock_now_ms(),
        .scheduled_for_ms = c->in.scheduled_for_ms,
        .history_is_known = true,
        .history = c->admission.history,
        .history_count = c->admission.history_count,
        .excluded = c->admission.excluded,
        .excluded_count = c->admission.excluded_count,
    };
    r->expires_at_ms = match_wait_start_ms(r) + max_wait * 1000LL;
    /* every source has been checked to fit by its field row or by the profile port */
    struct str language = str_of(c->admission.topic.language);
    (void)str_copy(language, r->target_language, sizeof r->target_language);
    if (c->in.wanted_native_language.p)
        (void)str_copy(language, r->wanted_native_language, sizeof r->wanted_native_language);
    (void)str_copy(c->in.topic_code, r->topic_code, sizeof r->topic_code);
    (void)str_copy(accent_of(c), r->preferred_accent, sizeof r->preferred_accent);
    (void)str_copy(str_of(p->native_language), r->native_language, sizeof r->native_language);
    (void)str_copy(str_of(p->display_name), r->display_name, sizeof r->display_name);
    (void)str_copy(str_of(p->avatar_url), r->avatar_url, sizeof r->avatar_url);
}

static void answer(struct flow *f, const struct db_first_result *result)
{
    struct jsonw *w = reply_begin(f, 201);
    jsonw_object(w);
    jsonw_key(w, "matchRequest");
    jsonw_object(w);
    jsonw_m_uuid(w, "id", &result->request_id);
    jsonw_m_z(w, "status", match_status_names[MATCH_PENDING]);
    jsonw_m_int(w, "estimatedWaitTimeSeconds", result->estimated_wait_seconds);
    jsonw_m_time(w, "expiresAt", result->expires_at_ms);
    jsonw_end_object(w);
    jsonw_end_object(w);
    reply_send(f);
}

/* --- retries --- */

/* What was asked for, so that another body under the same key is noticed: the members as they were
 * understood, so that their order, spaces, and defaults that are written out do not count. */
static struct db_repeatable repeatable_of(struct flow *f, const struct create_input *in)
{
    struct str key = rest_idempotency_key(f);
    if (!key.p)
        return (struct db_repeatable){.key = key};
    struct str asked = arena_fmt(
        flow_arena(f), STR_FMT "|" STR_FMT "|" STR_FMT "|" STR_FMT "|%s|%d|%d|%d|%d|%lld|%d",
        STR_ARG(in->target_language), STR_ARG(in->topic_code), STR_ARG(in->wanted_native_language),
        STR_ARG(in->accent), UUIDZ(&in->learning_profile_id), in->partner_level, in->mode,
        in->duration_minutes, in->max_wait_seconds, (long long)in->scheduled_for_ms, in->recording_consent);
    return (struct db_repeatable){.key = key, .asked = asked};
}

static void answer_again(struct flow *f, const struct create *c)
{
    if (c->first.is_same)
        answer(f, &c->first);
    else
        flow_set_error_field(f, ERR_KEY_REUSED, "Idempotency-Key", "was used with another body");
}

/* --- the steps --- */

static void insert(struct flow *f, struct create *c)
{
    const struct match_request *r = &c->request;
    const struct quota_limits limits = quota();
    c->terms.weekly_limit = quota_weekly(&limits, r->tier);
    c->terms.week_start_ms = clock_week_start_ms(r->created_at_ms);
    c->terms.estimated_wait_seconds = wait_times_estimate(r).median;
    c->first = (struct db_first_result){
        .request_id = r->id,
        .estimated_wait_seconds = c->terms.estimated_wait_seconds,
        .expires_at_ms = r->expires_at_ms,
    };
    db_match_request_insert(f, r, &c->terms, &c->week);
}

/* The insert was refused; with a key it may be this very request's twin that came in between. */
static bool may_have_a_twin(const struct create *c)
{
    bool is_refused = c->insert_err == ERR_ALREADY_MATCHED || c->insert_err == ERR_ALREADY_IN_SESSION ||
                      c->insert_err == ERR_DAILY_LIMIT_REACHED;
    return is_refused && c->terms.repeatable.key.p;
}

static void fail_insert(struct flow *f, const struct create *c)
{
    if (c->insert_err == ERR_DAILY_LIMIT_REACHED)
        fail_quota(f, &c->week);
    else
        flow_set_error(f, c->insert_err);
}

/* When the maker must not be in another conversation: until a session that begins at the last moment has got
 * going; one that is arranged ahead, until it is over. */
static struct db_time time_of(const struct create_input *in)
{
    int max_wait = in->max_wait_seconds ? in->max_wait_seconds : config.match_timeout_seconds;
    struct db_time time = {.mode = (enum match_mode)in->mode, .from_ms = clock_now_ms()};
    int64_t last_ms = max_wait * 1000LL;
    if (in->mode == MATCH_SCHEDULED) {
        time.from_ms = in->scheduled_for_ms;
        last_ms = PAIRING_AHEAD_MS + config.session_max_duration_premium_seconds * 1000LL;
    }
    time.until_ms = time.from_ms + last_ms + SESSION_OPENS_EARLY_MS;
    return time;
}

static void query_admission(struct flow *f, struct create *c)
{
    c->terms.repeatable = repeatable_of(f, &c->in);
    const struct db_admission_query q = {
        .user_id = *caller_user_id(f),
        .language = c->in.target_language.p,
        .topic_code = c->in.topic_code.p,
        .week_start_ms = clock_week_start_ms(clock_now_ms()),
        .repeatable = c->terms.repeatable,
        .time = time_of(&c->in),
    };
    c->terms.free_until_ms = q.time.until_ms;
    db_match_admission(f, &q, &c->admission);
}

/* The shared queue is away: so that a retry finds a clean slate. */
static void take_back(struct flow *f, struct create *c)
{
    db_match_request_take_back(f, &c->request.id, &c->request.user_id, &c->undo);
}

static void run(struct flow *f)
{
    struct create *c = flow_ctx(f);
    FLOW_BEGIN(f);
    check_input(f, &c->in);
    if (flow_error(f))
        goto fail;
    AWAIT(f, profile_get(f, rest_identity(f), c->in.target_language.p, &c->profile));
    AWAIT(f, query_admission(f, c));
    c->first = c->admission.first;
    if (c->first.is_found)
        goto again;
    check_admission(f, c);
    if (flow_error(f))
        goto fail;
    fill_request(c, caller_user_id(f));
    AWAIT_TRY(f, &c->insert_err, insert(f, c));
    if (may_have_a_twin(c)) {
        AWAIT(f, db_match_first_result(f, caller_user_id(f), &c->terms.repeatable, &c->first));
        if (c->first.is_found)
            goto again;
    }
    if (c->insert_err) {
        fail_insert(f, c);
        goto fail;
    }
    metric_add(M_MATCH_REQUESTS, 1, c->request.target_language, c->request.topic_code, NULL);
    if (c->request.mode == MATCH_NOW) {
        AWAIT_TRY(f, &c->queue_err, kv_queue_add(f, &c->request, 1));
        if (c->queue_err) {
            AWAIT_TRY(f, &c->undo_err, take_back(f, c));
            FLOW_FAIL(f, c->queue_err);
        }
    }
    matchmaker_add(&c->request); /* a scheduled one sleeps in the index until its time */
    answer(f, &c->first);
    return;
again:
    answer_again(f, c);
    if (flow_error(f))
        goto fail;
    FLOW_END(f);
fail:
    if (!uuid_is_nil(&c->request.id)) /* it may have been stored all the same: then it must be in the index */
        matchmaker_look(&c->request.id, 1);
    reply_error(f);
}

const struct handler rest_match_create = {
    .flow = {.name = "match_request.create",
             .run = run,
             .ctx_size = sizeof(struct create),
             .deadline_ms = 5000},
    .input = create_fields,
};
