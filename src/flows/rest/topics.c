/* GET /topics and GET /topics/:code. */
#include "flows/handlers.h"

#include <stddef.h>

#include "conversation/ports/db.h"

struct topics_list_input {
    struct str language;
    int level, category;
};
struct topics_list {
    struct topics_list_input in;
    struct db_topics topics;
};

struct topic_get_input {
    struct str code, language;
};
struct topic_get {
    struct topic_get_input in;
    struct db_topics topics;
};

#define LANGUAGE \
    .valid = language_code_is_valid, .expected = "must be a language code such as \"en\" or \"pt-BR\""
static const struct field list_fields[] = {
    {"targetLanguageCode", FIELD_STRING, .is_required = true,
     .offset = offsetof(struct topics_list_input, language), LANGUAGE},
    {"level", FIELD_ENUM, .offset = offsetof(struct topics_list_input, level), .fallback = -1,
     .choices = level_names},
    {"category", FIELD_ENUM, .offset = offsetof(struct topics_list_input, category), .fallback = -1,
     .choices = topic_category_names},
    FIELDS_END,
};
static const struct field get_fields[] = {
    {"code", FIELD_STRING, FIELD_FROM_PATH, true, offsetof(struct topic_get_input, code),
     .valid = topic_code_is_valid, .expected = "must be a topic code such as \"travel.airport\""},
    {"targetLanguageCode", FIELD_STRING, .offset = offsetof(struct topic_get_input, language), LANGUAGE},
    FIELDS_END,
};

static void write_topic(struct jsonw *w, const struct topic *t, enum tier tier)
{
    const char *why;
    jsonw_m_z(w, "code", t->code);
    jsonw_m_z(w, "nameKey", t->name_key);
    jsonw_m_z(w, "descriptionKey", t->description_key);
    jsonw_m_z(w, "title", t->title);
    jsonw_m_z(w, "level", level_names[t->level]);
    jsonw_m_z(w, "category", topic_category_names[t->category]);
    jsonw_m_z_opt(w, "imageUrl", t->image_url);
    jsonw_m_int(w, "estimatedDurationMinutes", t->estimated_duration_minutes);
    jsonw_m_double(w, "popularityScore", t->popularity_score);
    jsonw_m_bool(w, "isUnlocked", topic_access(t, tier, &why) == OK);
}

static void answer_list(struct flow *f, const struct db_topics *topics)
{
    struct jsonw *w = reply_begin(f, 200);
    jsonw_object(w);
    jsonw_key(w, "topics");
    jsonw_array(w);
    for (size_t i = 0; i < topics->count; i++) {
        jsonw_object(w);
        write_topic(w, &topics->items[i], rest_identity(f)->tier);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
    jsonw_end_object(w);
    reply_send(f);
}

static void query_topics(struct flow *f, struct topics_list *c)
{
    const struct db_topics_query q = {
        .user_id = *caller_user_id(f),
        .language = c->in.language.p,
        .level = c->in.level,
        .category = c->in.category,
    };
    db_topics_list(f, &q, &c->topics);
}

static void run_list(struct flow *f)
{
    struct topics_list *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT(f, query_topics(f, c));
    answer_list(f, &c->topics);
    FLOW_END(f);
fail:
    reply_error(f);
}

const struct handler rest_topics_list = {
    .flow = {.name = "topics.list",
             .run = run_list,
             .ctx_size = sizeof(struct topics_list),
             .deadline_ms = 3000},
    .input = list_fields,
};

static void write_prompts(struct jsonw *w, const struct topic *t)
{
    jsonw_key(w, "prompts");
    jsonw_array(w);
    for (size_t i = 0; i < t->prompt_count; i++) {
        jsonw_object(w);
        jsonw_m_z(w, "promptKey", t->prompts[i].key);
        jsonw_m_z(w, "type", prompt_type_names[t->prompts[i].type]);
        jsonw_m_int(w, "order", t->prompts[i].order);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
    jsonw_key(w, "requiredSkills");
    jsonw_array(w);
    for (size_t i = 0; i < t->required_skill_count; i++)
        jsonw_z(w, t->required_skills[i]);
    jsonw_end_array(w);
}

static void answer_topic(struct flow *f, const struct topic *t)
{
    struct jsonw *w = reply_begin(f, 200);
    jsonw_object(w);
    jsonw_key(w, "topic");
    jsonw_object(w);
    jsonw_m_z(w, "targetLanguageCode", t->language);
    jsonw_m_z_opt(w, "description", t->description);
    write_topic(w, t, rest_identity(f)->tier);
    write_prompts(w, t);
    jsonw_end_object(w);
    jsonw_end_object(w);
    reply_send(f);
}

static void query_topic(struct flow *f, struct topic_get *c)
{
    const struct db_topics_query q = {
        .user_id = *caller_user_id(f),
        .code = c->in.code.p,
        .language = c->in.language.p,
        .level = -1,
        .category = -1,
    };
    db_topic_get(f, &q, &c->topics);
}

static void run_get(struct flow *f)
{
    struct topic_get *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT(f, query_topic(f, c));
    if (c->topics.count == 0)
        FLOW_FAIL(f, ERR_TOPIC_NOT_FOUND);
    if (c->topics.count > 1)
        FLOW_FAIL_FIELD(f, ERR_INVALID_REQUEST, "targetLanguageCode",
                        "required: the code exists in several languages");
    answer_topic(f, &c->topics.items[0]);
    FLOW_END(f);
fail:
    reply_error(f);
}

const struct handler rest_topic_get = {
    .flow = {.name = "topics.get", .run = run_get, .ctx_size = sizeof(struct topic_get), .deadline_ms = 3000},
    .input = get_fields,
};
