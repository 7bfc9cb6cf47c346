/* topics.keep and unlocked.keep: what was read from the database for an answer goes to Redis, after the
 * answer. */
#include "flows/job.h"
#include "flows/topic_lists.h"

#include <stdio.h>

#include "conversation/domain/match.h"
#include "conversation/ports/db_projection.h"
#include "conversation/ports/kv_user.h"

struct topics_keep {
    char language[LANG_MAX];
    struct kv_topic_lists lists;
    struct uuid user_id;
    const char **codes; /* the flow's arena */
    size_t count;
};

static void run_topics(struct flow *f)
{
    struct topics_keep *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT(f, kv_topics_put(f, c->language, &c->lists));
    FLOW_END(f);
fail:
    return; /* the next answer tries again */
}

static const struct flow_spec topics_keep = {
    .name = "topics.keep",
    .run = run_topics,
    .ctx_size = sizeof(struct topics_keep),
    .deadline_ms = 5000,
};

void job_topics_keep(const char *language, const struct topic_list *list)
{
    struct flow *f = flow_start(&(struct flow_start){.spec = &topics_keep});
    struct topics_keep *c = flow_ctx(f);
    snprintf(c->language, sizeof c->language, "%s", language);
    topic_list_write(list, flow_arena(f), &c->lists);
}

static void run_unlocked(struct flow *f)
{
    struct topics_keep *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT(f, kv_unlocked_put(f, &c->user_id, c->codes, c->count));
    FLOW_END(f);
fail:
    return; /* the next answer tries again */
}

static const struct flow_spec unlocked_keep = {
    .name = "unlocked.keep",
    .run = run_unlocked,
    .ctx_size = sizeof(struct topics_keep),
    .deadline_ms = 5000,
};

void job_unlocked_keep(const struct uuid *user_id, const struct db_unlocked *unlocked)
{
    struct flow *f = flow_start(&(struct flow_start){.spec = &unlocked_keep});
    struct topics_keep *c = flow_ctx(f);
    c->user_id = *user_id;
    c->count = unlocked->count;
    c->codes = ARENA_ARRAY(flow_arena(f), const char *, unlocked->count);
    for (size_t i = 0; i < unlocked->count; i++)
        c->codes[i] = arena_strz(flow_arena(f), str_of(unlocked->codes[i]));
}
