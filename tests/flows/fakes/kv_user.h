/* Fake of ports/kv_user.h: one user's unlocked topics. */
#ifndef TESTS_FLOWS_FAKES_KV_USER_H
#define TESTS_FLOWS_FAKES_KV_USER_H

#include "conversation/ports/kv_user.h"

struct fake_kv_user {
    struct uuid forgotten; /* the last one */
    char codes[8][80];     /* what is kept, of everybody */
    size_t code_count;
};
extern struct fake_kv_user fake_kv_user;

void fake_kv_user_reset(void);

#endif
