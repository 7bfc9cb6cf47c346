/* POST /sessions/:id/rate: rating again replaces one's own. */
#include "flows/handlers.h"

#include <stddef.h>

#include "conversation/base/metrics.h"
#include "conversation/ports/db.h"

struct rate_input {
    struct uuid id;
    int rating;
    struct str feedback;
};

struct rate {
    struct rate_input in;
    struct db_rated rated;
};

static const struct field rate_fields[] = {
    FIELD_ID_FROM_PATH(offsetof(struct rate_input, id)),
    {"rating", FIELD_INT, .is_required = true, .offset = offsetof(struct rate_input, rating), .min = 1,
     .max = 5, .err = ERR_INVALID_RATING},
    {"feedback", FIELD_STRING, .offset = offsetof(struct rate_input, feedback), .max = 500},
    FIELDS_END,
};

static void store(struct flow *f, struct rate *c)
{
    const struct db_rating rating = {
        .session_id = c->in.id,
        .user_id = *caller_user_id(f),
        .rating = c->in.rating,
        .feedback = c->in.feedback,
    };
    db_session_rate(f, &rating, &c->rated);
}

static void answer(struct flow *f, const struct rate *c)
{
    struct jsonw *w = reply_begin(f, 200);
    jsonw_object(w);
    jsonw_m_bool(w, "success", true);
    jsonw_m_double(w, "averageRating", c->rated.average);
    jsonw_end_object(w);
    reply_send(f);
}

static void run(struct flow *f)
{
    struct rate *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT(f, store(f, c));
    if (c->rated.is_first) /* a rating that is sent again, or changed, is not another one */
        metric_mean(M_RATING_AVG, c->in.rating, c->rated.topic_code);
    answer(f, c);
    FLOW_END(f);
fail:
    reply_error(f);
}

const struct handler rest_session_rate = {
    .flow = {.name = "session.rate", .run = run, .ctx_size = sizeof(struct rate), .deadline_ms = 5000},
    .input = rate_fields,
};
