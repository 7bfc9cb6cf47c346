/* Readers of the product's structs; the order of each is that of its columns in db_records.h. */
#include "db_records.h"

#include <string.h>

/* --- single values --- */

struct uuid take_uuid(struct cursor *c)
{
    return pg_uuid(c->rows, c->row, c->col++);
}

int64_t take_int(struct cursor *c)
{
    return pg_int(c->rows, c->row, c->col++);
}

double take_double(struct cursor *c)
{
    return pg_double(c->rows, c->row, c->col++);
}

bool take_bool(struct cursor *c)
{
    return pg_bool(c->rows, c->row, c->col++);
}

int64_t take_time(struct cursor *c)
{
    return pg_time(c->rows, c->row, c->col++);
}

void take_text(struct cursor *c, char *dst, size_t cap)
{
    const char *text = pg_text(c->rows, c->row, c->col++);
    if (!str_copy(str_of(text ? text : ""), dst, cap))
        c->ok = false;
}

const char *take_string(struct cursor *c, struct arena *arena)
{
    const char *text = pg_text(c->rows, c->row, c->col++);
    return text ? arena_strz(arena, str_of(text)) : NULL;
}

static int index_of(const char *name, const char *const *names, int count, bool *ok)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    *ok = false;
    return 0;
}

int take_name(struct cursor *c, const char *const *names, int count)
{
    const char *text = pg_text(c->rows, c->row, c->col++);
    return text ? index_of(text, names, count, &c->ok) : 0;
}

/* --- arrays --- */

const char *const *take_texts(struct cursor *c, struct arena *arena, size_t *n)
{
    return pg_array(c->rows, c->row, c->col++, arena, n);
}

struct uuid *take_uuids(struct cursor *c, struct arena *arena, size_t *n)
{
    const char *const *texts = take_texts(c, arena, n);
    struct uuid *ids = ARENA_ARRAY(arena, struct uuid, *n);
    for (size_t i = 0; i < *n; i++)
        c->ok &= uuid_parse(str_of(texts[i]), &ids[i]);
    return ids;
}

int64_t *take_times(struct cursor *c, struct arena *arena, size_t *n)
{
    const char *const *texts = take_texts(c, arena, n);
    int64_t *times = ARENA_ARRAY(arena, int64_t, *n);
    for (size_t i = 0; i < *n; i++)
        c->ok &= str_to_int(str_of(texts[i]), INT64_MIN, INT64_MAX, &times[i]);
    return times;
}

struct match_past_partner *take_history(struct cursor *c, struct arena *arena, size_t *n)
{
    size_t times_count;
    const struct uuid *ids = take_uuids(c, arena, n);
    const int64_t *times = take_times(c, arena, &times_count);
    if (times_count != *n) {
        c->ok = false;
        *n = 0;
    }
    struct match_past_partner *history = ARENA_ARRAY(arena, struct match_past_partner, *n);
    for (size_t i = 0; i < *n; i++)
        history[i] = (struct match_past_partner){ids[i], times[i]};
    return history;
}

struct topic_prompt *take_prompts(struct cursor *c, struct arena *arena, size_t *n)
{
    size_t types_count, orders_count;
    const char *const *keys = take_texts(c, arena, n);
    const char *const *types = take_texts(c, arena, &types_count);
    const char *const *orders = take_texts(c, arena, &orders_count);
    if (types_count != *n || orders_count != *n) {
        c->ok = false;
        *n = 0;
    }
    struct topic_prompt *prompts = ARENA_ARRAY(arena, struct topic_prompt, *n);
    for (size_t i = 0; i < *n; i++) {
        int64_t order = 0;
        c->ok &= str_copy(str_of(keys[i]), prompts[i].key, sizeof prompts[i].key);
        c->ok &= str_to_int(str_of(orders[i]), INT32_MIN, INT32_MAX, &order);
        prompts[i].type = index_of(types[i], prompt_type_names, PROMPT_TYPE_COUNT, &c->ok);
        prompts[i].order = (int)order;
    }
    return prompts;
}

/* --- records --- */

void take_match_request(struct cursor *c, struct match_request *out)
{
    *out = (struct match_request){.id = take_uuid(c)};
    out->user_id = take_uuid(c);
    out->learning_profile_id = take_uuid(c);
    take_text(c, out->target_language, sizeof out->target_language);
    take_text(c, out->native_language, sizeof out->native_language);
    take_text(c, out->wanted_native_language, sizeof out->wanted_native_language);
    take_text(c, out->topic_code, sizeof out->topic_code);
    take_text(c, out->preferred_accent, sizeof out->preferred_accent);
    take_text(c, out->display_name, sizeof out->display_name);
    take_text(c, out->avatar_url, sizeof out->avatar_url);
    out->topic_category = take_name(c, topic_category_names, CATEGORY_COUNT);
    out->level = take_name(c, level_names, LEVEL_COUNT);
    out->preferred_partner_level = take_name(c, partner_level_names, PARTNER_ANY + 1);
    out->tier = take_name(c, tier_names, TIER_PREMIUM + 1);
    out->mode = take_name(c, match_mode_names, MATCH_SCHEDULED + 1);
    out->status = take_name(c, match_status_names, MATCH_CANCELLED + 1);
    out->recording_consent = take_bool(c);
    out->preferred_duration_minutes = (int)take_int(c);
    out->max_wait_seconds = (int)take_int(c);
    out->created_at_ms = take_time(c);
    out->expires_at_ms = take_time(c);
    out->scheduled_for_ms = take_time(c);
    out->matched_at_ms = take_time(c);
    out->session_id = take_uuid(c);
    out->partner_id = take_uuid(c);
    out->compatibility_score = (int)take_int(c);
    out->level_difference = (int)take_int(c);
    out->session_scheduled_at_ms = take_time(c);
}

static void take_participant(struct cursor *c, struct participant *out)
{
    out->user_id = take_uuid(c);
    take_text(c, out->display_name, sizeof out->display_name);
    take_text(c, out->avatar_url, sizeof out->avatar_url);
    take_text(c, out->native_language, sizeof out->native_language);
    take_text(c, out->target_language, sizeof out->target_language);
    out->spoken_seconds = (int)take_int(c);
    out->turn_count = (int)take_int(c);
    out->joined_at_ms = take_time(c);
    out->left_at_ms = take_time(c);
}

void take_session(struct cursor *c, struct session *out)
{
    *out = (struct session){.id = take_uuid(c)};
    out->type = take_name(c, session_type_names, SESSION_TANDEM + 1);
    out->status = take_name(c, session_status_names, SESSION_STATUS_COUNT);
    out->end_reason = take_name(c, session_end_reason_names, END_REASON_COUNT);
    take_text(c, out->target_language, sizeof out->target_language);
    take_text(c, out->topic_code, sizeof out->topic_code);
    out->scheduled_at_ms = take_time(c);
    out->created_at_ms = take_time(c);
    out->first_joined_at_ms = take_time(c);
    out->started_at_ms = take_time(c);
    out->ended_at_ms = take_time(c);
    out->duration_seconds = (int)take_int(c);
    out->max_duration_seconds = (int)take_int(c);
    out->transcript_id = take_uuid(c);
    out->transcript_available = !uuid_is_nil(&out->transcript_id);
    take_text(c, out->recording_url, sizeof out->recording_url);
    take_participant(c, &out->participants[0]);
    take_participant(c, &out->participants[1]);
}

void take_topic(struct cursor *c, struct arena *arena, struct topic *out)
{
    *out = (struct topic){.code = take_string(c, arena)};
    out->language = take_string(c, arena);
    out->name_key = take_string(c, arena);
    out->description_key = take_string(c, arena);
    out->title = take_string(c, arena);
    out->description = take_string(c, arena);
    out->image_url = take_string(c, arena);
    out->level = take_name(c, level_names, LEVEL_COUNT);
    out->category = take_name(c, topic_category_names, CATEGORY_COUNT);
    out->estimated_duration_minutes = (int)take_int(c);
    out->popularity_score = take_double(c);
    out->required_skills = take_texts(c, arena, &out->required_skill_count);
    out->has_required_skills = take_bool(c);
}

enum err read_ids(struct flow *f, const struct pg_rows *rows, void *out)
{
    size_t count = (size_t)pg_row_count(rows);
    struct uuid *items = ARENA_ARRAY(flow_arena(f), struct uuid, count);
    for (size_t i = 0; i < count; i++)
        items[i] = pg_uuid(rows, (int)i, 0);
    *(struct db_ids *)out = (struct db_ids){items, count};
    return OK;
}
