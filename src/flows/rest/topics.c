/* GET /topics and GET /topics/:code. */
#include "flows/handlers.h"

#include <stddef.h>

#include "conversation/base/clock.h"
#include "conversation/ports/db.h"
#include "flows/topic_lists.h"

struct topics_list_input {
    struct str language;
    int level, category;
};
struct topics_list {
    struct topics_list_input in;
    int64_t asked_at_ms;
    struct db_topics topics;
    struct topic_list *list; /* counted */
    struct db_skills skills;
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

/* --- the list --- */

static bool is_listed(const struct topics_list *c, const struct topic *t)
{
    return (c->in.level < 0 || c->in.level == (int)t->level) &&
           (c->in.category < 0 || c->in.category == (int)t->category);
}

static bool is_unlocked(const struct topic *listed, enum tier tier, const struct db_skills *skills)
{
    const char *why;
    struct topic t = *listed;
    t.has_required_skills = topic_skills_suffice(listed, skills->codes, skills->count);
    return topic_access(&t, tier, &why) == OK;
}

/* Does what the learner has learnt decide about any topic of the answer? */
static bool depends_on_skills(struct flow *f, const struct topics_list *c)
{
    static const struct db_skills none;
    enum tier tier = rest_identity(f)->tier;
    for (size_t i = 0; i < c->list->count; i++) {
        struct topic t = c->list->items[i].topic;
        bool needs_some = t.required_skill_count > 0;
        t.required_skill_count = 0;
        if (needs_some && is_listed(c, &t) && is_unlocked(&t, tier, &none))
            return true;
    }
    return false;
}

static void answer_list(struct flow *f, const struct topics_list *c)
{
    struct jsonw *w = reply_begin(f, 200);
    enum tier tier = rest_identity(f)->tier;
    jsonw_object(w);
    jsonw_key(w, "topics");
    jsonw_array(w);
    for (size_t i = 0; i < c->list->count; i++) {
        const struct listed_topic *item = &c->list->items[i];
        if (is_listed(c, &item->topic))
            jsonw_raw(w, item->json[is_unlocked(&item->topic, tier, &c->skills)]);
    }
    jsonw_end_array(w);
    jsonw_end_object(w);
    reply_send(f);
}

static void ask_for_topics(struct flow *f, struct topics_list *c)
{
    c->asked_at_ms = clock_mono_ms();
    db_topics_list(f, c->in.language.p, &c->topics);
}

/* "en-GB" has no topics of its own: on to those of "en". False: it was without a region already. */
static bool leaves_region_out(struct flow *f, struct topics_list *c)
{
    struct str base = language_base(c->in.language);
    if (base.n == c->in.language.n)
        return false;
    topic_list_unref(c->list);
    c->list = NULL;
    c->in.language = arena_str(flow_arena(f), base);
    return true;
}

static void run_list(struct flow *f)
{
    struct topics_list *c = flow_ctx(f);
    FLOW_BEGIN(f);
    do {
        c->list = topic_lists_get(c->in.language.p);
        if (!c->list) {
            AWAIT(f, ask_for_topics(f, c));
            c->list = topic_lists_keep(c->in.language.p, c->topics.items, c->topics.count, c->asked_at_ms);
        }
    } while (c->list->count == 0 && leaves_region_out(f, c));
    if (depends_on_skills(f, c))
        AWAIT(f, db_user_skills(f, caller_user_id(f), &c->skills));
    answer_list(f, c);
    topic_list_unref(c->list);
    FLOW_END(f);
fail:
    topic_list_unref(c->list);
    reply_error(f);
}

const struct handler rest_topics_list = {
    .flow = {.name = "topics.list",
             .run = run_list,
             .ctx_size = sizeof(struct topics_list),
             .deadline_ms = 3000},
    .input = list_fields,
};

/* --- one topic --- */

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
    const char *why;
    struct jsonw *w = reply_begin(f, 200);
    jsonw_object(w);
    jsonw_key(w, "topic");
    jsonw_object(w);
    jsonw_m_z(w, "targetLanguageCode", t->language);
    jsonw_m_z_opt(w, "description", t->description);
    topic_write(w, t, topic_access(t, rest_identity(f)->tier, &why) == OK);
    write_prompts(w, t);
    jsonw_end_object(w);
    jsonw_end_object(w);
    reply_send(f);
}

static void query_topic(struct flow *f, struct topic_get *c)
{
    const struct db_topic_query q = {
        .user_id = *caller_user_id(f),
        .code = c->in.code.p,
        .language = c->in.language.p,
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
