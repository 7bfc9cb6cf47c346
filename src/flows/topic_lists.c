/* The lists, in a few slots: languages are as many as the catalogue has, for empty lists are not kept. */
#include "flows/topic_lists.h"

#include <stdlib.h>

#include "conversation/base/clock.h"
#include "conversation/base/json_scan.h"
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
    item->level = t->level;
    item->category = t->category;
    if (t->required_skill_count > 0)
        item->lock = arena_fmt(arena, "%s:%s", t->language, t->code);
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

static struct topic_list *keep(const char *language, struct topic_list *list, int64_t at_ms)
{
    struct slot *s = find(language);
    if (s && s->read_at_ms > at_ms)
        return list; /* another request asked later and was answered before */
    if (s)
        empty(s);
    if (list->count == 0 || config.topics_cache_seconds == 0)
        return list;
    s = slot_for(language);
    empty(s);
    *s = (struct slot){.list = ref(list), .read_at_ms = at_ms, .asked_at_ms = at_ms};
    (void)str_copy(str_of(language), s->language,
                   sizeof s->language); /* the field's decoder has checked it */
    return list;
}

struct topic_list *topic_lists_keep(const char *language, const struct topic *topics, size_t count,
                                    int64_t at_ms)
{
    return keep(language, make_list(topics, count), at_ms);
}

/* --- as Redis keeps them --- */

/* {"category":"travel","lock":"en:travel.airport","topic":{…}}: the topic as GET /topics shows it to whom it
 * is unlocked for. */
static void write_item(struct jsonw *w, const struct listed_topic *item)
{
    jsonw_object(w);
    jsonw_m_z(w, "category", topic_category_names[item->category]);
    if (item->lock.p)
        jsonw_m_str(w, "lock", item->lock);
    jsonw_key(w, "topic");
    jsonw_raw(w, item->json[true]);
    jsonw_end_object(w);
}

void topic_list_write(const struct topic_list *list, struct arena *arena, struct kv_topic_lists *out)
{
    struct buf text = {0};
    for (int level = 0; level < LEVEL_COUNT; level++) {
        text.n = 0;
        struct jsonw w = jsonw_on(&text);
        jsonw_array(&w);
        for (size_t i = 0; i < list->count; i++)
            if ((int)list->items[i].level == level)
                write_item(&w, &list->items[i]);
        jsonw_end_array(&w);
        out->by_level[level] = arena_str(arena, buf_str(&text));
    }
    buf_done(&text);
}

/* "isUnlocked" comes last in what topic_write writes. */
#define UNLOCKED "true}"
#define LOCKED   "false}"

static bool read_category(struct str quoted, enum topic_category *out)
{
    for (int i = 0; topic_category_names[i]; i++) {
        struct str name = str_of(topic_category_names[i]);
        if (quoted.n == name.n + 2 && memcmp(quoted.p + 1, name.p, name.n) == 0) {
            *out = (enum topic_category)i;
            return true;
        }
    }
    return false;
}

/* False: not as we write it. */
static bool read_item(struct str text, enum level level, struct arena *arena, struct listed_topic *item)
{
    struct str category, lock, topic;
    enum json_type type;
    item->level = level;
    if (!json_member(text, "category", &category, &type) || !read_category(category, &item->category) ||
        !json_member(text, "topic", &topic, &type) || topic.n < sizeof UNLOCKED ||
        memcmp(topic.p + topic.n - (sizeof UNLOCKED - 1), UNLOCKED, sizeof UNLOCKED - 1) != 0)
        return false;
    if (json_member(text, "lock", &lock, &type) && type == SCAN_STRING)
        item->lock = arena_str(arena, (struct str){lock.p + 1, lock.n - 2});
    item->json[true] = arena_str(arena, topic);
    item->json[false] = arena_fmt(arena, "%.*s" LOCKED, (int)(topic.n - (sizeof UNLOCKED - 1)), topic.p);
    return true;
}

static size_t count_items(struct str array)
{
    struct str rest = json_inside(array), item;
    enum json_type type;
    size_t n = 0;
    while (json_next_item(&rest, &item, &type))
        n += type == SCAN_OBJECT;
    return n;
}

static bool read_level(struct str array, enum level level, struct topic_list *list)
{
    struct str rest = json_inside(array), item;
    enum json_type type;
    while (json_next_item(&rest, &item, &type))
        if (type != SCAN_OBJECT || !read_item(item, level, &list->arena, &list->items[list->count++]))
            return false;
    return true;
}

struct topic_list *topic_lists_take(const char *language, const struct kv_topic_lists *lists, int64_t at_ms)
{
    size_t count = 0;
    for (int i = 0; i < LEVEL_COUNT; i++) {
        struct str text = lists->by_level[i];
        if (!text.p || text.n == 0 || text.p[0] != '[' || !json_is_valid(text))
            return NULL;
        count += count_items(text);
    }
    struct topic_list *list = make_list(NULL, 0);
    bool is_whole = true;
    list->items = ARENA_ARRAY(&list->arena, struct listed_topic, count + 1);
    for (int i = 0; is_whole && i < LEVEL_COUNT; i++)
        is_whole = read_level(lists->by_level[i], (enum level)i, list);
    if (is_whole)
        return keep(language, list, at_ms);
    topic_list_unref(list);
    return NULL;
}

void topic_lists_drop(void)
{
    for (int i = 0; i < SLOTS_MAX; i++)
        empty(&slots[i]);
}
