/* Port: what sockets need to be recovered, kept where all instances find it (base/shared_store.h). What an
 * instance owned can be taken for a while after it was last seen alive. */
#ifndef CONVERSATION_PORTS_RECOVERY_H
#define CONVERSATION_PORTS_RECOVERY_H

#include <stdint.h>

#include "conversation/base/shared_store.h"

extern const struct shared_store recovery_store;

/* Connects, and reconnects until recovery_store_stop; before and after it is away. `keep_ms`: for how long
 * others may take what was ours once we are not seen any more. */
void recovery_store_start(int64_t keep_ms);
void recovery_store_stop(void);

#endif
