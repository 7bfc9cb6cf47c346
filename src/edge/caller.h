/* Whom a flow answers: a REST call or a socket event. Lives in the flow's arena; the first member of both
 * kinds. */
#ifndef EDGE_CALLER_H
#define EDGE_CALLER_H

#include "conversation/base/uuid.h"
#include "conversation/rt/flow.h"

struct caller {
    struct uuid user_id;
    void (*error)(struct flow *f); /* sends flow_error(f) */
    int status;                    /* of the answer being written; REST only */
};

#endif
