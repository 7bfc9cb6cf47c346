/* POST /moderation/flags/:userId/review: closes the user's open flag; again: the flag as it was closed. */
#include "flows/handlers.h"
#include "moderation_flag_json.h"

#include <stddef.h>

struct review_input {
    struct uuid user_id;
    int decision; /* -1: none */
    struct str notes;
};

struct review {
    struct review_input in;
    struct db_flag flag;
};

static const struct field review_fields[] = {
    {"userId", FIELD_UUID, FIELD_FROM_PATH, .is_required = true,
     .offset = offsetof(struct review_input, user_id)},
    {"decision", FIELD_ENUM, .offset = offsetof(struct review_input, decision), .fallback = -1,
     .choices = flag_decision_names},
    {"notes", FIELD_STRING, .offset = offsetof(struct review_input, notes), .max = REPORT_DETAILS_MAX},
    FIELDS_END,
};

static void store(struct flow *f, struct review *c)
{
    const struct db_review review = {
        .user_id = c->in.user_id,
        .reviewer_id = *caller_user_id(f),
        .decision = c->in.decision,
        .notes = c->in.notes,
    };
    db_flag_review(f, &review, &c->flag);
}

static void answer(struct flow *f, const struct review *c)
{
    struct jsonw *w = reply_begin(f, 200);
    jsonw_object(w);
    jsonw_key(w, "flag");
    jsonw_object(w);
    flag_write(w, &c->flag);
    jsonw_end_object(w);
    jsonw_end_object(w);
    reply_send(f);
}

static void run(struct flow *f)
{
    struct review *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT(f, store(f, c));
    answer(f, c);
    FLOW_END(f);
fail:
    reply_error(f);
}

const struct handler rest_flag_review = {
    .flow = {.name = "moderation.review", .run = run, .ctx_size = sizeof(struct review), .deadline_ms = 5000},
    .input = review_fields,
};
