/* Trace lines, read. The members of an event may come in any order; unknown ones are ignored. */
#include "conversation/codec/match_trace.h"

#include "conversation/base/json_scan.h"
#include "match_trace_names.h"

#define AT_MAX (INT64_C(1) << 53) /* what a JSON number holds exactly */

/* The first thing that was wrong sticks. */
struct reader {
    struct str object;
    struct arena *arena;
    const char *wrong; /* NULL: nothing yet */
};

static void refuse(struct reader *r, const char *why)
{
    if (!r->wrong)
        r->wrong = why;
}

static bool find(const struct reader *r, const char *name, enum json_type wanted, struct str *value)
{
    enum json_type type;
    return !r->wrong && json_member(r->object, name, value, &type) && type == wanted;
}

static int64_t int_of(struct reader *r, struct str text, int64_t min, int64_t max)
{
    int64_t i = 0;
    if (!r->wrong && !str_to_int(text, min, max, &i))
        refuse(r, "a number is not an integer, or out of range");
    return i;
}

static int64_t take_int(struct reader *r, const char *name, int64_t min, int64_t max)
{
    struct str value;
    if (!find(r, name, SCAN_NUMBER, &value)) {
        refuse(r, "a number is missing");
        return 0;
    }
    return int_of(r, value, min, max);
}

static bool take_bool(const struct reader *r, const char *name)
{
    struct str value;
    return find(r, name, SCAN_TRUE, &value);
}

static void copy_text(struct reader *r, struct str quoted, char *out, size_t cap)
{
    char scratch[256];
    struct str text;
    if (!json_text(quoted, scratch, sizeof scratch, &text) || !str_copy(text, out, cap))
        refuse(r, "a text is too long");
}

/* An optional one is "" when it is not there. */
static void take_text(struct reader *r, const char *name, bool is_required, char *out, size_t cap)
{
    struct str value;
    out[0] = '\0';
    if (find(r, name, SCAN_STRING, &value))
        copy_text(r, value, out, cap);
    else if (is_required)
        refuse(r, "a text is missing");
}

/* Index of the member's text in the list. */
static int take_name(struct reader *r, const char *name, const char *const *names)
{
    char text[32];
    take_text(r, name, true, text, sizeof text);
    for (int i = 0; !r->wrong && names[i]; i++)
        if (strcmp(names[i], text) == 0)
            return i;
    refuse(r, "a text is none of those allowed");
    return 0;
}

static struct uuid uuid_of(struct reader *r, struct str quoted)
{
    char text[UUID_TEXT_LENGTH + 1] = "";
    struct uuid u = {{0}};
    copy_text(r, quoted, text, sizeof text);
    if (!r->wrong && !uuid_parse(str_of(text), &u))
        refuse(r, "an id is not a UUID");
    return u;
}

static struct uuid take_uuid(struct reader *r, const char *name)
{
    struct str value;
    if (find(r, name, SCAN_STRING, &value))
        return uuid_of(r, value);
    refuse(r, "an id is missing");
    return (struct uuid){{0}};
}

/* --- arrays --- */

static size_t count_items(struct str array)
{
    struct str rest = json_inside(array), item;
    enum json_type type;
    size_t n = 0;
    while (json_next_item(&rest, &item, &type))
        n++;
    return n;
}

/* An array of two items of these types. */
static bool two_of(struct str array, enum json_type first, enum json_type second, struct str item[2])
{
    enum json_type type[3];
    struct str rest = json_inside(array), third;
    return json_next_item(&rest, &item[0], &type[0]) && type[0] == first &&
           json_next_item(&rest, &item[1], &type[1]) && type[1] == second &&
           !json_next_item(&rest, &third, &type[2]);
}

static void take_compatible(struct reader *r, struct pairing_rules *rules)
{
    struct str array, item, two[2];
    enum json_type type;
    if (!find(r, "compatible", SCAN_ARRAY, &array)) {
        refuse(r, "the table of compatible topics is missing");
        return;
    }
    size_t count = count_items(array), i = 0;
    struct topic_pair *pairs = ARENA_ARRAY(r->arena, struct topic_pair, count);
    for (struct str rest = json_inside(array); json_next_item(&rest, &item, &type); i++) {
        if (type != SCAN_ARRAY || !two_of(item, SCAN_STRING, SCAN_STRING, two)) {
            refuse(r, "a pair of topics is not two texts");
            return;
        }
        copy_text(r, two[0], pairs[i].a, sizeof pairs[i].a);
        copy_text(r, two[1], pairs[i].b, sizeof pairs[i].b);
    }
    rules->compatible = pairs;
    rules->compatible_count = count;
}

static void take_history(struct reader *r, struct match_request *out)
{
    struct str array, item, two[2];
    enum json_type type;
    out->history_is_known = find(r, "history", SCAN_ARRAY, &array);
    if (!out->history_is_known)
        return;
    size_t count = count_items(array), i = 0;
    struct match_past_partner *past = ARENA_ARRAY(r->arena, struct match_past_partner, count);
    for (struct str rest = json_inside(array); json_next_item(&rest, &item, &type); i++) {
        if (type != SCAN_ARRAY || !two_of(item, SCAN_STRING, SCAN_NUMBER, two)) {
            refuse(r, "a past partner is not an id and a time");
            return;
        }
        past[i] = (struct match_past_partner){uuid_of(r, two[0]), int_of(r, two[1], 0, AT_MAX)};
    }
    out->history = past;
    out->history_count = count;
}

static void take_excluded(struct reader *r, struct match_request *out)
{
    struct str array, item;
    enum json_type type;
    if (!find(r, "excluded", SCAN_ARRAY, &array))
        return;
    size_t count = count_items(array), i = 0;
    struct uuid *excluded = ARENA_ARRAY(r->arena, struct uuid, count);
    for (struct str rest = json_inside(array); json_next_item(&rest, &item, &type); i++) {
        if (type != SCAN_STRING) {
            refuse(r, "an excluded user is not an id");
            return;
        }
        excluded[i] = uuid_of(r, item);
    }
    out->excluded = excluded;
    out->excluded_count = count;
}

static void take_phases(struct reader *r, int64_t out[PHASE_COUNT])
{
    struct str array, item;
    enum json_type type;
    if (!find(r, "phaseStartMs", SCAN_ARRAY, &array) || count_items(array) != PHASE_COUNT) {
        refuse(r, "the begins of the phases are missing");
        return;
    }
    struct str rest = json_inside(array);
    for (int i = 0; i < PHASE_COUNT && json_next_item(&rest, &item, &type); i++)
        out[i] = int_of(r, item, 0, AT_MAX);
}

/* --- events --- */

static void read_start(struct reader *r, struct match_trace_event *out)
{
    if (take_int(r, "version", 0, INT32_MAX) != MATCH_TRACE_VERSION)
        refuse(r, "a trace of another version");
    out->rules.min_score = (int)take_int(r, "minScore", INT32_MIN, INT32_MAX);
    out->rules.last_pass_ms = take_int(r, "lastPassMs", 0, AT_MAX);
    take_phases(r, out->phase_start_ms);
    out->rules.phase_start_ms = out->phase_start_ms;
    take_compatible(r, &out->rules);
}

static void read_added(struct reader *r, struct match_request *out)
{
    out->id = take_uuid(r, "id");
    out->user_id = take_uuid(r, "user");
    take_text(r, "target", true, out->target_language, sizeof out->target_language);
    take_text(r, "native", true, out->native_language, sizeof out->native_language);
    take_text(r, "tandem", false, out->wanted_native_language, sizeof out->wanted_native_language);
    take_text(r, "topic", true, out->topic_code, sizeof out->topic_code);
    take_text(r, "accent", false, out->preferred_accent, sizeof out->preferred_accent);
    out->topic_category = (enum topic_category)take_name(r, "category", topic_category_names);
    out->level = (enum level)take_name(r, "level", level_names);
    out->preferred_partner_level = (enum partner_level)take_name(r, "partnerLevel", partner_level_names);
    out->tier = (enum tier)take_name(r, "tier", tier_names);
    out->mode = (enum match_mode)take_name(r, "mode", match_mode_names);
    out->max_wait_seconds = (int)take_int(r, "maxWaitSeconds", 0, INT32_MAX);
    out->created_at_ms = take_int(r, "createdAt", 0, AT_MAX);
    out->scheduled_for_ms = take_int(r, "scheduledFor", 0, AT_MAX);
    out->expires_at_ms = take_int(r, "expiresAt", 0, AT_MAX);
    take_history(r, out);
    take_excluded(r, out);
}

static void read_decision(struct reader *r, struct pairing_pair *out)
{
    out->first.request_id = take_uuid(r, "first");
    out->second.request_id = take_uuid(r, "second");
    out->score = (int)take_int(r, "score", INT32_MIN, INT32_MAX);
    out->level_difference = (int)take_int(r, "levelDifference", 0, LEVEL_COUNT);
    out->phase = (enum match_phase)take_int(r, "phase", 0, PHASE_COUNT - 1);
    out->is_tandem = take_bool(r, "isTandem");
    out->is_any_level = take_bool(r, "isAnyLevel");
    out->is_ahead = take_bool(r, "isAhead");
}

static void read_event(struct reader *r, struct match_trace_event *out)
{
    switch (out->kind) {
    case TRACE_START: read_start(r, out); return;
    case TRACE_COMPATIBLE: take_compatible(r, &out->rules); return;
    case TRACE_ADDED: read_added(r, &out->request); return;
    case TRACE_REMOVED:
        out->id = take_uuid(r, "id");
        out->reason = (enum match_trace_reason)take_name(r, "why", match_trace_reason_names);
        return;
    case TRACE_DECISION: read_decision(r, &out->pair); return;
    case TRACE_EXPIRED: out->id = take_uuid(r, "id"); return;
    case TRACE_BEHAVIOUR:
        out->id = take_uuid(r, "id");
        out->behaviour.cancels_at_ms = take_int(r, "cancelsAt", 0, AT_MAX);
        out->behaviour.is_no_show = take_bool(r, "isNoShow");
        return;
    case TRACE_NONE:
    case TRACE_KIND_COUNT: return;
    }
}

bool match_trace_read(struct str line, struct arena *arena, struct match_trace_event *out, const char **why)
{
    struct reader r = {.object = str_trim(line, " \r\n"), .arena = arena};
    *out = (struct match_trace_event){0};
    if (!json_is_valid(r.object) || r.object.p[0] != '{') {
        *why = "not a JSON object";
        return false;
    }
    out->kind = (enum match_trace_kind)take_name(&r, "event", match_trace_kind_names);
    out->at_ms = take_int(&r, "at", 0, AT_MAX);
    if (!r.wrong)
        read_event(&r, out);
    *why = r.wrong;
    return !r.wrong;
}
