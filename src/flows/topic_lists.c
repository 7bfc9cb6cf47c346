/* The lists, in a few slots: languages are as many as the catalogue has, for empty lists are not kept. */
#include "flows/topic_lists.h"

#include <stdlib.h>

#include "conversation/base/clock.h"
#include "conversation/base/jsonw.h"
#include "conversation/config.h"

#define SLOTS_MAX 32

static struct slot {
    char language[LANG_MAX];
    struct topic_list *list; /* NULL: free */
    int64_t read_at_ms;      /* of the list */
    int64_t asked_at_ms;     /* when somebody was last told to read it again */
} slots[SLOTS_MAX];

/* --- rendering --- */

void topic_write(struct jsonw *w, const struct topic *t, bool is_unlocked)
{
    jsonw_m_z(w, "code", t->code);
    jsonw_m_z(w, "nameKey", t->name_key);
    jsonw_m_z(w, "descriptionKey", t->description_key);
    jsonw_m_z(w, "title", t->title);
    jsonw_m_z(w, "level", level_names[t->level]);
    jsonw_m_z(w, "category", topic_category_names[t->category]);
    jsonw_m_z_opt(w, "imageUrl", t->image_url);
    jsonw_m_int(w, "estimatedDurationMinutes", t->estimated_duration_minutes);
    jsonw_m_double(w, "popularityScore", t->popularity_score);
    jsonw_m_bool(w, "isUnlocked", is_unlocked);
}

static struct str render(struct arena *arena, const struct topic *t, bool is_unlocked)
{
    struct buf text = {0};
    struct jsonw w = jsonw_on(&text);
    jsonw_object(&w);
    topic_write(&w, t, is_unlocked);
    jsonw_end_object(&w);
    jsonw_finish(&w);
    struct str kept = arena_str(arena, buf_str(&text));
    buf_done(&text);
    return kept;
}

static void fill(struct listed_topic *item, struct arena *arena, const struct topic *t)
{
    const char **skills = ARENA_ARRAY(arena, const char *, t->required_skill_count + 1);
    for (size_t i = 0; i < t->required_skill_count; i++)
        skills[i] = arena_strz(arena, str_of(t->required_skills[i]));
    item->topic = (struct topic){
        .level = t->level,
        .category = t->category,
        .required_skills = skills,
        .required_skill_count = t->required_skill_count,
    };
    item->json[false] = render(arena, t, false);
    item->json[true] = render(arena, t, true);
}

static struct topic_list *make_list(const struct topic *topics, size_t count)
{
    struct topic_list *list = calloc(1, sizeof *list);
    if (!list)
        abort();
    list->refs = 1;
    list->count = count;
    list->items = ARENA_ARRAY(&list->arena, struct listed_topic, count + 1);
    for (size_t i = 0; i < count; i++)
        fill(&list->items[i], &list->arena, &topics[i]);
    return list;
}

static struct topic_list *ref(struct topic_list *list)
{
    list->refs++;
    return list;
}

void topic_list_unref(struct topic_list *list)
{
    if (!list || --list->refs > 0)
        return;
    arena_done(&list->arena);
    free(list);
}

/* --- keeping --- */

static struct slot *find(const char *language)
{
    for (int i = 0; i < SLOTS_MAX; i++)
        if (slots[i].list && strcmp(slots[i].language, language) == 0)
            return &slots[i];
    return NULL;
}

static void empty(struct slot *s)
{
    topic_list_unref(s->list);
    *s = (struct slot){0};
}

struct topic_list *topic_lists_get(const char *language)
{
    int64_t now_ms = clock_mono_ms(), life_ms = config.topics_cache_seconds * 1000LL;
    struct slot *s = find(language);
    if (!s || now_ms - s->read_at_ms >= 2 * life_ms)
        return NULL;
    if (now_ms - s->read_at_ms >= life_ms && now_ms - s->asked_at_ms >= life_ms) {
        s->asked_at_ms = now_ms;
        return NULL;
    }
    return ref(s->list);
}

/* The language's own, a free one, or else the one that was read first. */
static struct slot *slot_for(const char *language)
{
    struct slot *s = find(language), *oldest = slots;
    for (int i = 0; !s && i < SLOTS_MAX; i++) {
        if (!slots[i].list)
            s = &slots[i];
        else if (slots[i].read_at_ms < oldest->read_at_ms)
            oldest = &slots[i];
    }
    return s ? s : oldest;
}

struct topic_list *topic_lists_keep(const char *language, const struct topic *topics, size_t count,
                                    int64_t at_ms)
{
    struct topic_list *list = make_list(topics, count);
    struct slot *s = find(language);
    if (s && s->read_at_ms > at_ms)
        return list; /* another request asked later and was answered before */
    if (s)
        empty(s);
    if (count == 0 || config.topics_cache_seconds == 0)
        return list;
    s = slot_for(language);
    empty(s);
    *s = (struct slot){.list = ref(list), .read_at_ms = at_ms, .asked_at_ms = at_ms};
    (void)str_copy(str_of(language), s->language,
                   sizeof s->language); /* the field's decoder has checked it */
    return list;
}

void topic_lists_drop(void)
{
    for (int i = 0; i < SLOTS_MAX; i++)
        empty(&slots[i]);
}
