/* Trace lines, written. Names of users are left out: ids are enough to decide again. */
#include "conversation/codec/match_trace.h"

#include "conversation/base/jsonw.h"
#include "match_trace_names.h"

const char *const match_trace_reason_names[] = {"cancelled", "elsewhere", NULL};

const char *const match_trace_kind_names[] = {"start", "compatible", "added",     "removed", "decision",
                                              "none",  "expired",    "behaviour", NULL};

static struct jsonw begin(struct buf *out, enum match_trace_kind kind, int64_t at_ms)
{
    struct jsonw w = jsonw_on(out);
    jsonw_object(&w);
    jsonw_m_z(&w, "event", match_trace_kind_names[kind]);
    jsonw_m_int(&w, "at", at_ms);
    return w;
}

static void end(struct jsonw *w)
{
    jsonw_end_object(w);
    jsonw_finish(w);
    buf_addc(w->out, '\n');
}

static void write_pairs(struct jsonw *w, const struct topic_pair *pairs, size_t count)
{
    jsonw_key(w, "compatible");
    jsonw_array(w);
    for (size_t i = 0; i < count; i++) {
        jsonw_array(w);
        jsonw_z(w, pairs[i].a);
        jsonw_z(w, pairs[i].b);
        jsonw_end_array(w);
    }
    jsonw_end_array(w);
}

void match_trace_write_start(struct buf *out, int64_t at_ms, const struct pairing_rules *rules)
{
    struct jsonw w = begin(out, TRACE_START, at_ms);
    jsonw_m_int(&w, "version", MATCH_TRACE_VERSION);
    jsonw_m_int(&w, "minScore", rules->min_score);
    jsonw_m_int(&w, "lastPassMs", rules->last_pass_ms);
    jsonw_key(&w, "phaseStartMs");
    jsonw_array(&w);
    for (int i = 0; i < PHASE_COUNT; i++)
        jsonw_int(&w, pairing_phase_start_ms(rules, (enum match_phase)i));
    jsonw_end_array(&w);
    write_pairs(&w, rules->compatible, rules->compatible_count);
    end(&w);
}

void match_trace_write_compatible(struct buf *out, int64_t at_ms, const struct topic_pair *pairs,
                                  size_t count)
{
    struct jsonw w = begin(out, TRACE_COMPATIBLE, at_ms);
    write_pairs(&w, pairs, count);
    end(&w);
}

static void write_history(struct jsonw *w, const struct match_request *r)
{
    if (!r->history_is_known)
        return;
    jsonw_key(w, "history");
    jsonw_array(w);
    for (size_t i = 0; i < r->history_count; i++) {
        jsonw_array(w);
        jsonw_uuid(w, &r->history[i].user_id);
        jsonw_int(w, r->history[i].last_spoke_at_ms);
        jsonw_end_array(w);
    }
    jsonw_end_array(w);
}

static void write_excluded(struct jsonw *w, const struct match_request *r)
{
    if (r->excluded_count == 0)
        return;
    jsonw_key(w, "excluded");
    jsonw_array(w);
    for (size_t i = 0; i < r->excluded_count; i++)
        jsonw_uuid(w, &r->excluded[i]);
    jsonw_end_array(w);
}

void match_trace_write_added(struct buf *out, int64_t at_ms, const struct match_request *r)
{
    struct jsonw w = begin(out, TRACE_ADDED, at_ms);
    jsonw_m_uuid(&w, "id", &r->id);
    jsonw_m_uuid(&w, "user", &r->user_id);
    jsonw_m_z(&w, "target", r->target_language);
    jsonw_m_z(&w, "native", r->native_language);
    jsonw_m_z_opt(&w, "tandem", r->wanted_native_language);
    jsonw_m_z(&w, "topic", r->topic_code);
    jsonw_m_z(&w, "category", topic_category_names[r->topic_category]);
    jsonw_m_z(&w, "level", level_names[r->level]);
    jsonw_m_z(&w, "partnerLevel", partner_level_names[r->preferred_partner_level]);
    jsonw_m_z_opt(&w, "accent", r->preferred_accent);
    jsonw_m_z(&w, "tier", tier_names[r->tier]);
    jsonw_m_z(&w, "mode", match_mode_names[r->mode]);
    jsonw_m_int(&w, "maxWaitSeconds", r->max_wait_seconds);
    jsonw_m_int(&w, "createdAt", r->created_at_ms);
    jsonw_m_int(&w, "scheduledFor", r->scheduled_for_ms);
    jsonw_m_int(&w, "expiresAt", r->expires_at_ms);
    write_history(&w, r);
    write_excluded(&w, r);
    end(&w);
}

void match_trace_write_removed(struct buf *out, int64_t at_ms, const struct uuid *id,
                               enum match_trace_reason reason)
{
    struct jsonw w = begin(out, TRACE_REMOVED, at_ms);
    jsonw_m_uuid(&w, "id", id);
    jsonw_m_z(&w, "why", match_trace_reason_names[reason]);
    end(&w);
}

void match_trace_write_decision(struct buf *out, int64_t at_ms, const struct pairing_pair *pair)
{
    struct jsonw w = begin(out, TRACE_DECISION, at_ms);
    jsonw_m_uuid(&w, "first", &pair->first.request_id);
    jsonw_m_uuid(&w, "second", &pair->second.request_id);
    jsonw_m_int(&w, "score", pair->score);
    jsonw_m_int(&w, "levelDifference", pair->level_difference);
    jsonw_m_int(&w, "phase", pair->phase);
    jsonw_m_bool(&w, "isTandem", pair->is_tandem);
    jsonw_m_bool(&w, "isAnyLevel", pair->is_any_level);
    jsonw_m_bool(&w, "isAhead", pair->is_ahead);
    end(&w);
}

void match_trace_write_none(struct buf *out, int64_t at_ms)
{
    struct jsonw w = begin(out, TRACE_NONE, at_ms);
    end(&w);
}

void match_trace_write_expired(struct buf *out, int64_t at_ms, const struct uuid *id)
{
    struct jsonw w = begin(out, TRACE_EXPIRED, at_ms);
    jsonw_m_uuid(&w, "id", id);
    end(&w);
}

void match_trace_write_behaviour(struct buf *out, int64_t at_ms, const struct uuid *id,
                                 const struct match_trace_behaviour *behaviour)
{
    struct jsonw w = begin(out, TRACE_BEHAVIOUR, at_ms);
    jsonw_m_uuid(&w, "id", id);
    jsonw_m_int(&w, "cancelsAt", behaviour->cancels_at_ms);
    jsonw_m_bool(&w, "isNoShow", behaviour->is_no_show);
    end(&w);
}
