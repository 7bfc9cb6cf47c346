/* Fake of ports/kv_user.h: one user's unlocked topics. */
#ifndef TESTS_FLOWS_FAKES_KV_USER_H
#define TESTS_FLOWS_FAKES_KV_USER_H

#include "conversation/domain/match.h"
#include "conversation/ports/kv_topics.h"
#include "conversation/ports/kv_user.h"

struct fake_kv_user {
    struct uuid forgotten;   /* the last one */
    struct uuid unlocked_of; /* whose is kept: one user's */
    char codes[8][80];
    size_t code_count;
    char *lists[LEVEL_COUNT]; /* of topics, of one language; NULL: none */
    char language[LANG_MAX];
};
extern struct fake_kv_user fake_kv_user;

void fake_kv_user_reset(void);

#endif
