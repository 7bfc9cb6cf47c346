/* Messages go out by PUBLISH over the connection of commands and come in over one of their own, which may
 * carry nothing but SUBSCRIBE and UNSUBSCRIBE. On the wire a channel is `{REDIS_DB}:{channel}`, for Redis'
 * channels know no database numbers, and a message `{instance id}:{text}`, so that an instance knows its
 * own. */
#include "conversation/ports/bus.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/redis/commands.h"
#include "conversation/base/instance.h"
#include "conversation/config.h"

/* Subscribed to last, and again from time to time to see whether the server still answers; nobody publishes
 * on it. */
#define IDLE_CHANNEL "bus_alive"
#define CHANNEL_MAX  128

struct channel {
    struct list link;
    bus_handler *handle;
    void *arg;
    char name[];
};

struct wire_name {
    char z[CHANNEL_MAX + 16];
};

static struct wire_name wire_name(const char *channel)
{
    struct wire_name name;
    snprintf(name.z, sizeof name.z, "%d:%s", config.redis_db, channel);
    return name;
}

static void subscribe_all(struct redis_conn *c);
static void on_subscribed(struct redis_conn *c, struct str channel);
static void on_message(struct redis_conn *c, struct str channel, struct str text);

static struct redis_conn listener = {
    .label = "redis_bus",
    .idle_channel = IDLE_CHANNEL,
    .on_up = subscribe_all,
    .on_subscribed = on_subscribed,
    .on_message = on_message,
};
static struct list channels = {&channels, &channels}; /* few: looked through for each message */
static bool is_listening;                             /* since the last on_up, to all of them */
static void (*tell_listening)(void);

void bus_start(void (*listening)(void))
{
    tell_listening = listening;
    redis_conn_start(&listener);
}

void bus_stop(void)
{
    redis_conn_stop(&listener);
    is_listening = false;
    while (!list_is_empty(&channels)) {
        struct channel *ch = LIST_FIRST(&channels, struct channel, link);
        list_remove(&ch->link);
        free(ch);
    }
}

/* --- channels --- */

static struct channel *find(struct str name)
{
    LIST_EACH (n, &channels) {
        struct channel *ch = container_of(n, struct channel, link);
        if (str_eqz(name, ch->name))
            return ch;
    }
    return NULL;
}

void bus_subscribe(const char *channel, bus_handler *handle, void *arg)
{
    size_t size = strlen(channel) + 1;
    assert(size <= CHANNEL_MAX && !find(str_of(channel)));
    struct channel *ch = calloc(1, sizeof *ch + size);
    if (!ch)
        abort();
    ch->handle = handle;
    ch->arg = arg;
    memcpy(ch->name, channel, size);
    list_add_tail(&channels, &ch->link);
    redis_conn_subscribe(&listener, wire_name(ch->name).z); /* not up: later, with all others */
}

void bus_unsubscribe(const char *channel)
{
    struct channel *ch = find(str_of(channel));
    assert(ch);
    list_remove(&ch->link);
    free(ch);
    redis_conn_unsubscribe(&listener, wire_name(channel).z);
}

static void subscribe_all(struct redis_conn *c)
{
    is_listening = false;
    LIST_EACH (n, &channels)
        redis_conn_subscribe(c, wire_name(container_of(n, struct channel, link)->name).z);
    redis_conn_subscribe(c, IDLE_CHANNEL);
}

static void on_subscribed(struct redis_conn *c, struct str channel)
{
    (void)c;
    if (is_listening || !str_eqz(channel, IDLE_CHANNEL))
        return;
    is_listening = true;
    if (tell_listening)
        tell_listening();
}

/* --- messages --- */

static void on_message(struct redis_conn *c, struct str channel, struct str text)
{
    (void)c;
    str_cut(&channel, ':');
    struct channel *ch = find(channel); /* NULL: unsubscribed from meanwhile */
    struct str sender = str_cut(&text, ':');
    if (ch && !str_eqz(sender, UUIDZ(instance_id())) && text.p)
        ch->handle(ch->arg, text);
}

static void on_published(void *arg, const struct redisReply *reply)
{
    (void)arg;
    if (redis_reply_check(reply))
        return; /* logged; the message is lost, as messages may be */
}

void bus_publish(const char *channel, struct str text)
{
    struct buf z = {0};
    buf_add_str(&z, text);
    buf_addc(&z, '\0');
    redis_conn_send(&redis_commands, on_published, NULL, "PUBLISH %s %s:%s", wire_name(channel).z,
                    UUIDZ(instance_id()), z.p);
    buf_done(&z);
}
