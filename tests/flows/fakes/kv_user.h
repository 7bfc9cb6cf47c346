/* Fake of ports/kv_user.h. */
#ifndef TESTS_FLOWS_FAKES_KV_USER_H
#define TESTS_FLOWS_FAKES_KV_USER_H

#include "conversation/ports/kv_user.h"

struct fake_kv_user {
    struct uuid forgotten; /* the last one */
};
extern struct fake_kv_user fake_kv_user;

void fake_kv_user_reset(void);

#endif
