/* Port: short messages between the instances of the service. At most once: what is published while Redis is
 * away is lost, as is what others publish while this instance does not listen. Messages of one sender arrive
 * in their order, whatever their channels. An instance does not hear its own. */
#ifndef CONVERSATION_PORTS_BUS_H
#define CONVERSATION_PORTS_BUS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "conversation/base/str.h"
#include "conversation/base/uuid.h"

typedef void bus_handler(void *arg, struct str text); /* `text` is valid during the call */

/* Connects, and reconnects until bus_stop. `listening` is called whenever all channels are listened to
 * again: what was said before may have been missed. */
void bus_start(void (*listening)(void));
void bus_stop(void);
/* How long all channels have been listened to without a break; 0: they are not. */
int64_t bus_listening_ms(void);

/* --- channels --- */

/* Of one session or one instance: `prefix`, which ends in a colon, and its id. */
struct bus_name {
    char z[64];
};
static inline struct bus_name bus_name_of(const char *prefix, const struct uuid *id)
{
    struct bus_name name;
    snprintf(name.z, sizeof name.z, "%s%s", prefix, UUIDZ(id));
    return name;
}

/* One that this instance listens to; kept over reconnects. */
struct bus_channel;
struct bus_member {
    bus_handler *hear;
    /* What is said from now on is heard: called some time after bus_join, and again after each reconnect.
     * NULL: nobody wants to know. */
    void (*listening)(void *arg);
    void *arg;
};
/* At any time, also before bus_start. A channel has one member. */
struct bus_channel *bus_join(const char *name, const struct bus_member *member);
void bus_part(struct bus_channel *ch); /* nothing is called for it any more */

/* The same for a channel that is listened to for as long as the process runs. */
void bus_subscribe(const char *channel, bus_handler *handle, void *arg);
void bus_unsubscribe(const char *channel);

/* --- speaking --- */

/* How many other instances were listening; -1: nobody knows, the message may be lost. Called from the loop.
 */
typedef void bus_told(void *arg, int others);

/* `parts`, concatenated, are the text. False: Redis is away; nothing was sent, `told` is not called. `told`
 * may be NULL. */
bool bus_say(struct bus_channel *ch, const struct str *parts, int part_count, bus_told *told, void *arg);
/* On a channel that this instance does not listen to. */
bool bus_tell(const char *channel, struct str text, bus_told *told, void *arg);
/* Nothing that was said still waits for Redis. */
bool bus_is_quiet(void);
/* For those to whom it is all the same whether anybody hears it. */
void bus_publish(const char *channel, struct str text);

#endif
