/* A Lua script on one key that answers with an integer, as one operation of a flow. */
#ifndef CONVERSATION_REDIS_SCRIPT_H
#define CONVERSATION_REDIS_SCRIPT_H

#include "adapters/redis/conn.h"
#include "conversation/rt/flow.h"

struct redis_script {
    const char *text;
    const char *key;                         /* KEYS[1] */
    const char *arg;                         /* ARGV[1] */
    int64_t number;                          /* ARGV[2] */
    void (*read)(void *out, int64_t answer); /* NULL: of no interest */
    void *out;
};

/* Reports OK, ERR_KV_UNAVAILABLE, or ERR_INTERNAL. `text` and `read` must outlive the operation. */
void redis_script_run(struct flow *f, struct redis_conn *c, const struct redis_script *script);

#endif
