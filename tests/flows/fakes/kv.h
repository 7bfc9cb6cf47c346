/* Fake of ports/kv.h: which requests are in the shared queue, and which sessions have their keys. */
#ifndef TESTS_FLOWS_FAKES_KV_H
#define TESTS_FLOWS_FAKES_KV_H

#include "conversation/ports/kv.h"

void fake_kv_reset(void);
void fake_kv_goes_away(void); /* kv_is_up is false, and every call answers ERR_KV_UNAVAILABLE */
void fake_kv_comes_back(void);
void fake_kv_is_emptied(void); /* FLUSHALL: nobody holds the lease any more, either */
void fake_kv_gives_lease_to_another(void);
void fake_kv_frees_lease(void);
bool fake_kv_holds_lease(void); /* this instance */
bool fake_kv_queue_is_whole(void);
void fake_kv_looks_down(void); /* only kv_is_up says so */

bool fake_kv_has_request(const struct uuid *id);
size_t fake_kv_queue_length(void);
bool fake_kv_has_session(const struct uuid *id);
const struct kv_running *fake_kv_running(const struct uuid *id); /* as last refreshed; NULL: never */
int fake_kv_prompts_shown(const struct uuid *session_id);        /* as last put */

#endif
