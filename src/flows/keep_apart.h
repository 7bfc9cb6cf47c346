/* Two users are not to meet again, by a block or a report of one of them. */
#ifndef FLOWS_KEEP_APART_H
#define FLOWS_KEEP_APART_H

#include "conversation/ports/db.h"

/* Whoever waits learns of it, on all instances; what the two have arranged for later is called off by `who`.
 */
void keep_apart(const struct uuid *who, const struct db_ids *requests, const struct db_ids *arranged);

#endif
