/* Fake of ports/bus.h: what was published, and another instance that says what the test tells it to. */
#ifndef TESTS_FLOWS_FAKES_BUS_H
#define TESTS_FLOWS_FAKES_BUS_H

#include "conversation/ports/bus.h"

/* To whoever has subscribed; nobody: false. */
bool bus_says(const char *channel, const char *text);
/* The next message published on the channel, taken; "" when there is none. Valid until bus_reset. */
const char *next_published(const char *channel);
void bus_forget(void); /* drops what was published so far */
void bus_reset(void);

#endif
