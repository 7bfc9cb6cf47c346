/* Port: the topic lists in Redis, topics:{lang}:{level}, each a JSON array, kept for an hour: for other
 * services, and for when the database is away. The rules of ports/kv.h hold. */
#ifndef CONVERSATION_PORTS_KV_TOPICS_H
#define CONVERSATION_PORTS_KV_TOPICS_H

#include "conversation/base/str.h"
#include "conversation/domain/level.h"
#include "conversation/rt/flow.h"

struct kv_topic_lists {
    struct str by_level[LEVEL_COUNT]; /* {NULL,0}: nothing is kept */
};
void kv_topics_put(struct flow *f, const char *language, const struct kv_topic_lists *lists);
void kv_topics_get(struct flow *f, const char *language, struct kv_topic_lists *out);

#endif
