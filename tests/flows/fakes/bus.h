/* Fake of ports/bus.h: what was published, and another instance that says what the test tells it to. It is
 * listened to from the start; a channel from the loop turn after it was joined. */
#ifndef TESTS_FLOWS_FAKES_BUS_H
#define TESTS_FLOWS_FAKES_BUS_H

#include "conversation/ports/bus.h"

/* To whoever has subscribed; nobody: false. */
bool bus_says(const char *channel, const char *text);
/* The next message published on the channel, taken; "" when there is none. Valid until bus_reset. */
const char *next_published(const char *channel);
void bus_forget(void); /* drops what was published so far */
/* How many others hear what is published on channels whose name begins so, from now on; at first nobody. */
void bus_others(const char *channel_begin, int others);
/* Redis goes away: nothing can be said. It comes back: every channel is listened to anew. */
void bus_goes_away(void);
void bus_comes_back(void);
bool bus_is_joined(const char *channel);
void bus_reset(void);

#endif
