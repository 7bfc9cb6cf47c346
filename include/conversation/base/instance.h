/* Who this process is among the instances of the service. */
#ifndef CONVERSATION_BASE_INSTANCE_H
#define CONVERSATION_BASE_INSTANCE_H

#include "conversation/base/uuid.h"

/* Drawn at the first call; the same until the process ends, and no other process's. */
const struct uuid *instance_id(void);

#endif
