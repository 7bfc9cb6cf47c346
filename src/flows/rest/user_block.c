/* POST and DELETE /users/:userId/block, and GET /users/me/blocks: with whom one never wants to be paired. */
#include "flows/handlers.h"
#include "flows/job.h"
#include "flows/keep_apart.h"
#include "page_json.h"

#include <stddef.h>

#include "conversation/ports/db_moderation.h"

/* --- block and unblock --- */

struct block {
    struct uuid whom;
    struct db_blocked blocked;
    bool is_asked; /* the database may have heard of it */
};

static const struct field block_fields[] = {
    {"userId", FIELD_UUID, FIELD_FROM_PATH, .is_required = true, .offset = offsetof(struct block, whom)},
    FIELDS_END,
};

/* One flow for both endpoints: what differs is the statement. */
static void change(struct flow *f, struct block *c)
{
    const struct db_block block = {.user_id = *caller_user_id(f), .blocked_id = c->whom};
    c->is_asked = true;
    if (flow_spec_of(f) == &rest_user_block.flow)
        db_user_block(f, &block, &c->blocked);
    else
        db_user_unblock(f, &block, &c->blocked);
}

/* Nobody hears how it went. Whom the caller wants never to meet must not be met in what is arranged. */
static void carry_through(struct flow *f, const struct block *c)
{
    const struct db_block block = {.user_id = *caller_user_id(f), .blocked_id = c->whom};
    if (c->is_asked && flow_error(f) == ERR_CANCELLED && flow_spec_of(f) == &rest_user_block.flow)
        job_user_block(&block);
}

static void answer(struct flow *f)
{
    struct jsonw *w = reply_begin(f, 200);
    jsonw_object(w);
    jsonw_m_bool(w, "success", true);
    jsonw_end_object(w);
    reply_send(f);
}

static void run_change(struct flow *f)
{
    struct block *c = flow_ctx(f);
    FLOW_BEGIN(f);
    if (uuid_eq(&c->whom, caller_user_id(f)))
        FLOW_FAIL_FIELD(f, ERR_INVALID_REQUEST, "userId", "is yourself");
    AWAIT(f, change(f, c));
    /* Also when it had been so before: an answer may have been lost, and with it this. */
    keep_apart(caller_user_id(f), &c->blocked.requests, &c->blocked.arranged);
    answer(f);
    FLOW_END(f);
fail:
    carry_through(f, c);
    reply_error(f);
}

const struct handler rest_user_block = {
    .flow = {.name = "user.block", .run = run_change, .ctx_size = sizeof(struct block), .deadline_ms = 5000},
    .input = block_fields,
};

const struct handler rest_user_unblock = {
    .flow = {.name = "user.unblock",
             .run = run_change,
             .ctx_size = sizeof(struct block),
             .deadline_ms = 5000},
    .input = block_fields,
};

/* --- the list --- */

struct blocks_input {
    int limit, offset;
};

struct blocks {
    struct blocks_input in;
    struct db_blocks found;
};

static const struct field blocks_fields[] = {
    {"limit", FIELD_INT, .offset = offsetof(struct blocks_input, limit), .min = 1, .max = 100,
     .fallback = 20},
    {"offset", FIELD_INT, .offset = offsetof(struct blocks_input, offset), .min = 0, .max = 1000000},
    FIELDS_END,
};

static void query(struct flow *f, struct blocks *c)
{
    const struct db_blocks_query q = {
        .user_id = *caller_user_id(f), .limit = c->in.limit, .offset = c->in.offset};
    db_user_blocks(f, &q, &c->found);
}

static void write_entry(struct jsonw *w, const struct db_block_entry *e)
{
    jsonw_object(w);
    jsonw_m_uuid(w, "userId", &e->user_id);
    jsonw_m_z_opt(w, "displayName", e->display_name);
    jsonw_m_time(w, "blockedAt", e->blocked_at_ms);
    jsonw_end_object(w);
}

static void answer_list(struct flow *f, const struct blocks *c)
{
    struct jsonw *w = reply_page_begin(f, "blocks");
    for (size_t i = 0; i < c->found.count; i++)
        write_entry(w, &c->found.items[i]);
    reply_page_send(f, w, c->in.offset, c->found.count, c->found.total);
}

static void run_list(struct flow *f)
{
    struct blocks *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT(f, query(f, c));
    answer_list(f, c);
    FLOW_END(f);
fail:
    reply_error(f);
}

const struct handler rest_user_blocks = {
    .flow = {.name = "user.blocks", .run = run_list, .ctx_size = sizeof(struct blocks), .deadline_ms = 3000},
    .input = blocks_fields,
};
