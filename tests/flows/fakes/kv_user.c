/* What is kept of users. */
#include "flows/fakes/kv_user.h"

#include "conversation/base/arena.h"
#include "flows/fakes/port.h"

struct fake_kv_user fake_kv_user;

void fake_kv_user_reset(void)
{
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
    struct kv_unlocked found = {codes, fake_kv_user.code_count};
    (void)user_id;
    for (size_t i = 0; i < found.count; i++)
        codes[i] = arena_strz(flow_arena(f), str_of(fake_kv_user.codes[i]));
    port_answer(call, OK, out, &found, sizeof found);
}

void kv_unlocked_put(struct flow *f, const struct uuid *user_id, const char *const *codes, size_t count)
{
    struct port_call *call = port_begin(f, KV_UNLOCKED_PUT);
    (void)user_id;
    fake_kv_user.code_count = port_takes_effect(call) ? count : fake_kv_user.code_count;
    for (size_t i = 0; port_takes_effect(call) && i < count; i++)
        (void)str_copy(str_of(codes[i]), fake_kv_user.codes[i], sizeof fake_kv_user.codes[i]);
    port_answer(call, OK, NULL, NULL, 0);
}

void kv_unlocked_drop(struct flow *f, const struct uuid *user_id)
{
    struct port_call *call = port_begin(f, KV_UNLOCKED_DROP);
    (void)user_id;
    if (port_takes_effect(call))
        fake_kv_user.code_count = 0;
    port_answer(call, OK, NULL, NULL, 0);
}
