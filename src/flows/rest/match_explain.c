/* GET /match-request/explain: why the caller's live request has no partner yet, and what would change that.
 * The row says whether there is a live request, the index says the rest. */
#include "flows/handlers.h"
#include "flows/matchmaker.h"

#include <stdlib.h>

#include "conversation/ports/db.h"

struct explain {
    struct match_request request;
    struct pairing_explanation explanation;
};

/* --- suggestions --- */

enum suggestion_code { PARTNER_LEVEL, CATEGORY, TOPIC, WITHOUT_TANDEM };
static const char *const suggestion_names[] = {"PARTNER_LEVEL", "CATEGORY", "TOPIC", "WITHOUT_TANDEM"};

enum { SUGGESTIONS_MAX = PARTNER_ANY + 1 + PAIRING_EXPLAIN_TOPICS + 2 };

struct suggestion {
    enum suggestion_code code;
    size_t more;
    int choice; /* the wish, or which of the topics */
};

/* NULL: any. The explanation's own level where the scale ends. */
static const char *wished_level(const struct pairing_explanation *e, int wish)
{
    switch ((enum partner_level)wish) {
    case PARTNER_SAME: return level_names[e->level];
    case PARTNER_HIGHER: return level_names[e->level + (e->level < LEVEL_C2)];
    case PARTNER_LOWER: return level_names[e->level - (e->level > LEVEL_A1)];
    case PARTNER_ANY: break;
    }
    return NULL;
}

/* Whether another wish would mean what `same` means, or what was asked for. */
static bool is_no_change(const struct pairing_explanation *e, int wish)
{
    const char *level = wished_level(e, wish);
    return level && ((wish != PARTNER_SAME && level == level_names[e->level]) ||
                     level == wished_level(e, (int)e->wish));
}

static int by_more(const void *a, const void *b)
{
    const struct suggestion *x = a, *y = b;
    if (x->more != y->more)
        return x->more > y->more ? -1 : 1;
    return x->code != y->code ? (int)x->code - (int)y->code : x->choice - y->choice;
}

static size_t collect(const struct pairing_explanation *e, struct suggestion out[SUGGESTIONS_MAX])
{
    size_t n = 0;
    for (int wish = PARTNER_SAME; wish <= PARTNER_ANY; wish++) {
        if (!is_no_change(e, wish))
            out[n++] = (struct suggestion){PARTNER_LEVEL, e->more_with_wish[wish], wish};
    }
    for (size_t i = 0; i < e->topic_count; i++)
        out[n++] = (struct suggestion){TOPIC, e->topics[i].more, (int)i};
    out[n++] = (struct suggestion){CATEGORY, e->more_in_category, 0};
    out[n++] = (struct suggestion){WITHOUT_TANDEM, e->more_without_tandem, 0};
    qsort(out, n, sizeof *out, by_more);
    while (n > 0 && out[n - 1].more == 0)
        n--;
    return n;
}

static struct str text_of(struct flow *f, const struct pairing_explanation *e, const struct suggestion *s)
{
    struct arena *arena = flow_arena(f);
    const char *level = s->code == PARTNER_LEVEL ? wished_level(e, s->choice) : NULL;
    switch (s->code) {
    case PARTNER_LEVEL:
        return arena_fmt(arena, "%zu more if you accept %s", s->more, level ? level : "any level");
    case CATEGORY: return arena_fmt(arena, "%zu more in this category", s->more);
    case TOPIC: return arena_fmt(arena, "%zu more for %s", s->more, e->topics[s->choice].code);
    case WITHOUT_TANDEM: return arena_fmt(arena, "%zu more without a tandem", s->more);
    }
    return (struct str){0};
}

static void write_suggestion(struct flow *f, struct jsonw *w, const struct pairing_explanation *e,
                             const struct suggestion *s)
{
    jsonw_object(w);
    jsonw_m_z(w, "code", suggestion_names[s->code]);
    jsonw_m_int(w, "more", (int64_t)s->more);
    if (s->code == PARTNER_LEVEL) {
        jsonw_m_z(w, "preferredPartnerLevel", partner_level_names[s->choice]);
        jsonw_m_z_opt(w, "level", wished_level(e, s->choice));
    } else if (s->code == CATEGORY) {
        jsonw_m_z(w, "category", topic_category_names[e->category]);
    } else if (s->code == TOPIC) {
        jsonw_m_z(w, "topicCode", e->topics[s->choice].code);
    }
    jsonw_m_str(w, "text", text_of(f, e, s));
    jsonw_end_object(w);
}

/* --- the answer --- */

static void write_constraints(struct jsonw *w, const struct pairing_explanation *e)
{
    jsonw_key(w, "constraints");
    jsonw_array(w);
    for (int i = 0; i < CONSTRAINT_COUNT; i++) {
        if (i == CONSTRAINT_TIME && !e->is_asleep)
            continue; /* says nothing of those who wait now */
        jsonw_object(w);
        jsonw_m_z(w, "code", pairing_constraint_names[i]);
        jsonw_m_int(w, "excluded", (int64_t)e->excluded[i]);
        if (i != CONSTRAINT_LANGUAGE && i != CONSTRAINT_TIME)
            jsonw_m_int(w, "onlyThis", (int64_t)e->only_this[i]);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
}

static void write_next_phases(struct jsonw *w, const struct pairing_explanation *e)
{
    jsonw_key(w, "nextPhases");
    jsonw_array(w);
    for (size_t i = 0; i < e->outlook_count; i++) {
        const struct pairing_outlook *o = &e->outlooks[i];
        jsonw_object(w);
        jsonw_m_z(w, "phase", match_phase_names[o->phase]);
        jsonw_m_time(w, "at", o->at_ms);
        jsonw_m_int(w, "inSeconds", (o->at_ms - e->now_ms + 999) / 1000);
        jsonw_m_int(w, "admits", (int64_t)o->admits);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
}

static void write_suggestions(struct flow *f, struct jsonw *w, const struct pairing_explanation *e)
{
    struct suggestion suggestions[SUGGESTIONS_MAX];
    size_t n = collect(e, suggestions);
    jsonw_key(w, "suggestions");
    jsonw_array(w);
    for (size_t i = 0; i < n; i++)
        write_suggestion(f, w, e, &suggestions[i]);
    jsonw_end_array(w);
}

static void answer(struct flow *f, const struct explain *c)
{
    const struct pairing_explanation *e = &c->explanation;
    int64_t waited_ms = e->now_ms - e->wait_start_ms;
    struct jsonw *w = reply_begin(f, 200);
    jsonw_object(w);
    jsonw_key(w, "explanation");
    jsonw_object(w);
    jsonw_m_uuid(w, "matchRequestId", &c->request.id);
    jsonw_m_bool(w, "isAhead", e->is_asleep);
    jsonw_m_z(w, "phase", match_phase_names[e->phase]);
    jsonw_m_time(w, "waitStartsAt", e->wait_start_ms);
    jsonw_m_int(w, "waitedSeconds", waited_ms > 0 ? waited_ms / 1000 : 0);
    jsonw_m_time_opt(w, "expiresAt", e->expires_at_ms);
    jsonw_m_int(w, "others", (int64_t)e->others);
    jsonw_m_int(w, "candidates", (int64_t)e->candidates);
    jsonw_m_int(w, "eligible", (int64_t)e->eligible);
    jsonw_m_bool(w, "isExact", e->is_exact);
    write_constraints(w, e);
    write_next_phases(w, e);
    write_suggestions(f, w, e);
    jsonw_end_object(w);
    jsonw_end_object(w);
    reply_send(f);
}

static void run(struct flow *f)
{
    struct explain *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT(f, db_match_request_latest(f, caller_user_id(f), &c->request));
    if (c->request.status != MATCH_PENDING)
        FLOW_FAIL(f, ERR_MATCH_REQUEST_NOT_FOUND);
    if (!matchmaker_explain(&c->request.id, &c->explanation)) /* just being paired, or not loaded yet */
        FLOW_FAIL(f, ERR_KV_UNAVAILABLE);
    answer(f, c);
    FLOW_END(f);
fail:
    reply_error(f);
}

const struct handler rest_match_explain = {
    .flow = {.name = "match_request.explain",
             .run = run,
             .ctx_size = sizeof(struct explain),
             .deadline_ms = 3000},
};
