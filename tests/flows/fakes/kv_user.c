/* What is kept of users. */
#include "flows/fakes/kv_user.h"

#include <stdlib.h>

#include "conversation/base/arena.h"
#include "flows/fakes/port.h"

struct fake_kv_user fake_kv_user;

void fake_kv_user_reset(void)
{
    for (int i = 0; i < LEVEL_COUNT; i++)
        free(fake_kv_user.lists[i]);
    fake_kv_user = (struct fake_kv_user){0};
}

void kv_user_forget(struct flow *f, const struct uuid *user_id)
{
    struct port_call *call = port_begin(f, KV_USER_FORGET);
    if (port_takes_effect(call))
        fake_kv_user.forgotten = *user_id;
    port_answer(call, OK, NULL, NULL, 0);
}

void kv_unlocked_get(struct flow *f, const struct uuid *user_id, struct kv_unlocked *out)
{
    struct port_call *call = port_begin(f, KV_UNLOCKED_GET);
    const char **codes = ARENA_ARRAY(flow_arena(f), const char *, fake_kv_user.code_count + 1);
    bool is_kept = uuid_eq(&fake_kv_user.unlocked_of, user_id);
    struct kv_unlocked found = {codes, is_kept ? fake_kv_user.code_count : 0};
    for (size_t i = 0; i < found.count; i++)
        codes[i] = arena_strz(flow_arena(f), str_of(fake_kv_user.codes[i]));
    port_answer(call, OK, out, &found, sizeof found);
}

void kv_unlocked_put(struct flow *f, const struct uuid *user_id, const char *const *codes, size_t count)
{
    struct port_call *call = port_begin(f, KV_UNLOCKED_PUT);
    fake_kv_user.unlocked_of = port_takes_effect(call) ? *user_id : fake_kv_user.unlocked_of;
    fake_kv_user.code_count = port_takes_effect(call) ? count : fake_kv_user.code_count;
    for (size_t i = 0; port_takes_effect(call) && i < count; i++)
        (void)str_copy(str_of(codes[i]), fake_kv_user.codes[i], sizeof fake_kv_user.codes[i]);
    port_answer(call, OK, NULL, NULL, 0);
}

void kv_unlocked_drop(struct flow *f, const struct uuid *user_id)
{
    struct port_call *call = port_begin(f, KV_UNLOCKED_DROP);
    if (port_takes_effect(call) && uuid_eq(&fake_kv_user.unlocked_of, user_id))
        fake_kv_user.code_count = 0;
    port_answer(call, OK, NULL, NULL, 0);
}

void kv_topics_put(struct flow *f, const char *language, const struct kv_topic_lists *lists)
{
    struct port_call *call = port_begin(f, KV_TOPICS_PUT);
    if (port_takes_effect(call))
        (void)str_copy(str_of(language), fake_kv_user.language, LANG_MAX);
    for (int i = 0; port_takes_effect(call) && i < LEVEL_COUNT; i++) {
        free(fake_kv_user.lists[i]);
        fake_kv_user.lists[i] = strndup(lists->by_level[i].p, lists->by_level[i].n);
    }
    port_answer(call, OK, NULL, NULL, 0);
}

void kv_topics_get(struct flow *f, const char *language, struct kv_topic_lists *out)
{
    struct port_call *call = port_begin(f, KV_TOPICS_GET);
    struct kv_topic_lists found = {0};
    for (int i = 0; strcmp(language, fake_kv_user.language) == 0 && i < LEVEL_COUNT; i++)
        if (fake_kv_user.lists[i])
            found.by_level[i] = arena_str(flow_arena(f), str_of(fake_kv_user.lists[i]));
    port_answer(call, OK, out, &found, sizeof found);
}
