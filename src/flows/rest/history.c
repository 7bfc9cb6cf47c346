/* GET /history: one's completed conversations, newest first; an admin may ask for another user's. */
#include "flows/handlers.h"
#include "page_json.h"

#include <stddef.h>

#include "conversation/domain/level.h"
#include "conversation/ports/db.h"

struct history_input {
    struct str language;
    int limit, offset;
    struct uuid user_id;
};

struct history {
    struct history_input in;
    struct db_history found;
};

static const struct field history_fields[] = {
    {"targetLanguageCode", FIELD_STRING, .offset = offsetof(struct history_input, language),
     .valid = language_code_is_valid, .expected = "must be a language code such as \"en\" or \"pt-BR\""},
    {"limit", FIELD_INT, .offset = offsetof(struct history_input, limit), .min = 1, .max = 100,
     .fallback = 20},
    {"offset", FIELD_INT, .offset = offsetof(struct history_input, offset), .min = 0, .max = 1000000},
    {"userId", FIELD_UUID, .offset = offsetof(struct history_input, user_id)},
    FIELDS_END,
};

static bool asks_for_another(struct flow *f, const struct history_input *in)
{
    return !uuid_is_nil(&in->user_id) && !uuid_eq(&in->user_id, caller_user_id(f));
}

static void query(struct flow *f, struct history *c)
{
    const struct db_history_query q = {
        .user_id = asks_for_another(f, &c->in) ? c->in.user_id : *caller_user_id(f),
        .language = c->in.language.p ? c->in.language.p : "",
        .limit = c->in.limit,
        .offset = c->in.offset,
    };
    db_history(f, &q, &c->found);
}

static void write_entry(struct jsonw *w, const struct history_entry *e)
{
    jsonw_object(w);
    jsonw_m_uuid(w, "sessionId", &e->session_id);
    jsonw_m_z(w, "topicCode", e->topic_code);
    jsonw_m_z_opt(w, "topicNameKey", e->topic_name_key);
    jsonw_m_z(w, "partnerDisplayName", e->partner_display_name);
    jsonw_m_int(w, "durationSeconds", e->duration_seconds);
    jsonw_m_time(w, "completedAt", e->completed_at_ms);
    if (e->my_rating)
        jsonw_m_int(w, "myRating", e->my_rating);
    jsonw_m_bool(w, "transcriptAvailable", e->transcript_available);
    jsonw_end_object(w);
}

static void answer(struct flow *f, const struct history *c)
{
    struct jsonw *w = reply_page_begin(f, "conversations");
    for (size_t i = 0; i < c->found.count; i++)
        write_entry(w, &c->found.items[i]);
    reply_page_send(f, w, c->in.offset, c->found.count, c->found.total);
}

static void run(struct flow *f)
{
    struct history *c = flow_ctx(f);
    FLOW_BEGIN(f);
    if (asks_for_another(f, &c->in))
        rest_audit(f, flow_spec_of(f)->name, &c->in.user_id, NULL);
    if (asks_for_another(f, &c->in) && !(rest_identity(f)->roles & ROLE_ADMIN))
        FLOW_FAIL_FIELD(f, ERR_FORBIDDEN, "userId", "only an admin may read another user's history");
    AWAIT(f, query(f, c));
    answer(f, c);
    FLOW_END(f);
fail:
    reply_error(f);
}

const struct handler rest_history = {
    .flow = {.name = "history.list", .run = run, .ctx_size = sizeof(struct history), .deadline_ms = 3000},
    .input = history_fields,
};
