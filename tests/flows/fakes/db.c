/* The memory, topics, history and ratings. */
#include "flows/fakes/db.h"
#include "flows/fakes/db_moderation.h"

#include "conversation/base/arena.h"
#include "conversation/base/clock.h"
#include "flows/fakes/port.h"

struct fake_db fake_db;
static bool is_away;

void fake_db_reset(void)
{
    memset(&fake_db, 0, sizeof fake_db);
    memset(&fake_moderation, 0, sizeof fake_moderation);
    fake_db.schema = DB_SCHEMA_OK;
    is_away = false;
}

static void set_all(struct port_script script)
{
    for (enum port port = DB_TOPICS_LIST; port <= DB_SESSIONS_SWEEP; port++)
        port_script_always(port, script);
}

void fake_db_goes_away(void)
{
    is_away = true;
    set_all((struct port_script){.err = ERR_DB_UNAVAILABLE});
}

void fake_db_comes_back(void)
{
    is_away = false;
    set_all((struct port_script){0});
}

bool db_is_up(void)
{
    return !is_away;
}

enum db_schema db_schema_state(void)
{
    return fake_db.schema;
}

/* --- topics --- */

static bool fits(const char *wanted, const char *is)
{
    return !wanted || strcmp(wanted, is) == 0;
}

/* NULL: any */
static void answer_topics(struct port_call *call, struct flow *f, const char *code, const char *language,
                          struct db_topics *out)
{
    struct topic *items = ARENA_ARRAY(flow_arena(f), struct topic, FAKE_TOPICS_MAX);
    struct db_topics found = {.items = items};
    (void)str_copy(str_of(language ? language : ""), fake_db.asked.topics_language, LANG_MAX);
    (void)str_copy(str_of(code ? code : ""), fake_db.asked.topics_code, TOPIC_MAX);
    for (size_t i = 0; i < fake_db.topic_count; i++) {
        const struct topic *t = &fake_db.topics[i];
        if (fits(code, t->code) && fits(language, t->language))
            items[found.count++] = *t;
    }
    port_answer(call, OK, out, &found, sizeof found);
}

void db_topics_list(struct flow *f, const char *language, struct db_topics *out)
{
    answer_topics(port_begin(f, DB_TOPICS_LIST), f, NULL, language, out);
}

void db_topic_get(struct flow *f, const struct db_topic_query *q, struct db_topics *out)
{
    fake_db.asked.topic_user_id = q->user_id;
    answer_topics(port_begin(f, DB_TOPIC_GET), f, q->code, q->language, out);
}

void db_topic_pairs(struct flow *f, struct db_topic_pairs *out)
{
    struct port_call *call = port_begin(f, DB_TOPIC_PAIRS);
    struct topic_pair *items = ARENA_ARRAY(flow_arena(f), struct topic_pair, fake_db.pair_count + 1);
    memcpy(items, fake_db.pairs, fake_db.pair_count * sizeof *items);
    struct db_topic_pairs pairs = {items, fake_db.pair_count};
    port_answer(call, OK, out, &pairs, sizeof pairs);
}

/* --- ratings and history --- */

void db_session_rate(struct flow *f, const struct db_rating *rating, struct db_rated *out)
{
    struct port_call *call = port_begin(f, DB_SESSION_RATE);
    const struct session *s = fake_session(&rating->session_id);
    fake_db.asked.rating = *rating;
    if (rating->feedback.p)
        (void)str_copy(rating->feedback, fake_db.asked.feedback, sizeof fake_db.asked.feedback);
    enum err err = OK;
    if (!s || session_participant_index(s, &rating->user_id) < 0)
        err = ERR_SESSION_NOT_FOUND;
    else if (!session_is_over(s))
        err = ERR_SESSION_NOT_ENDED;
    port_answer(call, err, out, &fake_db.rated, sizeof fake_db.rated);
}

void db_history(struct flow *f, const struct db_history_query *q, struct db_history *out)
{
    struct port_call *call = port_begin(f, DB_HISTORY);
    struct history_entry *items = ARENA_ARRAY(flow_arena(f), struct history_entry, FAKE_HISTORY_MAX);
    memcpy(items, fake_db.history, sizeof fake_db.history);
    struct db_history found = {items, fake_db.history_count, fake_db.history_total};
    fake_db.asked.history = *q;
    (void)str_copy(str_of(q->language), fake_db.asked.history_language, LANG_MAX);
    port_answer(call, OK, out, &found, sizeof found);
}
