/* This instance as the others see it: what is known of its signs of life. */
#ifndef FLOWS_INSTANCE_H
#define FLOWS_INSTANCE_H

#include <stdbool.h>
#include <stdint.h>

void instance_begins(void);   /* nothing is known yet */
void instance_was_seen(void); /* a sign of life has reached the database */
/* Whether signs of life have reached the database for so long that an instance which is alive has given one,
 * too: right after an outage all of them look dead. */
bool instance_may_judge(int64_t grace_ms);

#endif
