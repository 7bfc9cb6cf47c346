/* Fake of ports/consumer.h: a partition that hands over what a test says, and keeps what became of it. */
#ifndef TESTS_FLOWS_FAKES_CONSUMER_H
#define TESTS_FLOWS_FAKES_CONSUMER_H

#include "conversation/ports/consumer.h"

enum fake_outcome { CONSUMED_PENDING, CONSUMED_DONE, CONSUMED_AGAIN };

const char *const *fake_consumer_topics(void); /* what was subscribed to; NULL: nothing */
/* Hands it over; a message that is to be taken again is, when the test says so. */
void consumer_delivers(const char *topic, const char *value);
void consumer_delivers_again(void);
enum fake_outcome fake_outcome(void); /* of the last one */
void fake_consumer_reset(void);

#endif
