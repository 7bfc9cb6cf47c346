/* What is kept of users. */
#include "flows/fakes/kv_user.h"

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
