/* Port: short messages between the instances of the service. At most once: what is published while Redis is
 * away is lost, as is what others publish while this instance does not listen. Messages of one sender arrive
 * in their order. An instance does not hear its own. */
#ifndef CONVERSATION_PORTS_BUS_H
#define CONVERSATION_PORTS_BUS_H

#include "conversation/base/str.h"

typedef void bus_handler(void *arg, struct str text); /* `text` is valid during the call */

/* Connects, and reconnects until bus_stop. `listening` is called whenever all channels are listened to
 * again: what was said before may have been missed. */
void bus_start(void (*listening)(void));
void bus_stop(void);

/* At any time, also before bus_start; kept over reconnects. A channel has one handler. */
void bus_subscribe(const char *channel, bus_handler *handle, void *arg);
void bus_unsubscribe(const char *channel);

/* `text` is copied; no zero byte in it. */
void bus_publish(const char *channel, struct str text);

#endif
