/* GET /topics and GET /topics/:code. */
#include "flows/handlers.h"

#include <stddef.h>

#include "conversation/base/clock.h"
#include "conversation/config.h"
#include "conversation/ports/db.h"
#include "conversation/ports/db_projection.h"
#include "conversation/ports/kv_user.h"
#include "flows/job.h"
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
    bool is_news;            /* it was read from the database just now */
    struct kv_topic_lists kept;
    struct kv_unlocked unlocked; /* count 0: not asked for */
    struct db_unlocked computed;
    enum err err;     /* of the database: then Redis serves */
    enum err ignored; /* of Redis: then the database serves */
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

static bool is_listed(const struct topics_list *c, const struct listed_topic *item)
{
    return (c->in.level < 0 || c->in.level == (int)item->level) &&
           (c->in.category < 0 || c->in.category == (int)item->category);
}

static bool is_among(const struct kv_unlocked *unlocked, struct str code)
{
    for (size_t i = 0; i < unlocked->count; i++)
        if (str_eqz(code, unlocked->codes[i]))
            return true;
    return false;
}

static bool is_unlocked(const struct listed_topic *item, enum tier tier, bool has_skills)
{
    const char *why;
    const struct topic t = {.level = item->level, .has_required_skills = has_skills};
    return topic_access(&t, tier, &why) == OK;
}

/* Does what the learner has learnt decide about any topic of the answer? */
static bool depends_on_skills(struct flow *f, const struct topics_list *c)
{
    enum tier tier = rest_identity(f)->tier;
    for (size_t i = 0; i < c->list->count; i++) {
        const struct listed_topic *item = &c->list->items[i];
        if (item->lock.p && is_listed(c, item) && is_unlocked(item, tier, true))
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
        bool has_skills = !item->lock.p || is_among(&c->unlocked, item->lock);
        if (is_listed(c, item))
            jsonw_raw(w, item->json[is_unlocked(item, tier, has_skills)]);
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

static void ask_for_unlocked(struct flow *f, struct topics_list *c)
{
    db_unlocked_topics(f, caller_user_id(f), &c->computed);
}

/* Of what the database said; or, while it is away, of what Redis keeps. False: neither. */
static bool make_list(struct topics_list *c)
{
    const char *language = c->in.language.p;
    c->is_news = c->err == OK;
    c->list = c->is_news ? topic_lists_keep(language, c->topics.items, c->topics.count, c->asked_at_ms)
                         : topic_lists_take(language, &c->kept, c->asked_at_ms);
    return c->list != NULL;
}

static void use_computed(struct topics_list *c)
{
    c->unlocked = (struct kv_unlocked){c->computed.codes, c->computed.count};
}

static void keep_news(struct flow *f, const struct topics_list *c)
{
    if (c->is_news && c->list->count > 0 && config.topics_cache_seconds > 0)
        job_topics_keep(c->in.language.p, c->list);
    if (c->computed.count > 0)
        job_unlocked_keep(caller_user_id(f), &c->computed);
}

static void run_list(struct flow *f)
{
    struct topics_list *c = flow_ctx(f);
    FLOW_BEGIN(f);
    do {
        c->list = topic_lists_get(c->in.language.p);
        if (c->list)
            continue;
        AWAIT_TRY(f, &c->err, ask_for_topics(f, c));
        if (err_is_passing(c->err))
            AWAIT_TRY(f, &c->ignored, kv_topics_get(f, c->in.language.p, &c->kept));
        if (!make_list(c))
            FLOW_FAIL(f, c->err);
    } while (c->list->count == 0 && leaves_region_out(f, c));
    if (depends_on_skills(f, c)) {
        AWAIT_TRY(f, &c->ignored, kv_unlocked_get(f, caller_user_id(f), &c->unlocked));
        if (c->unlocked.count == 0) {
            AWAIT(f, ask_for_unlocked(f, c));
            use_computed(c);
        }
    }
    answer_list(f, c);
    keep_news(f, c);
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
