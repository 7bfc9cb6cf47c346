/* Messages go out by PUBLISH over the connection of commands and come in over one of their own, which may
 * carry nothing but SUBSCRIBE and UNSUBSCRIBE. On the wire a channel is `{REDIS_DB}:{channel}`, for Redis'
 * channels know no database numbers, and a message `{instance id}:{text}`, so that an instance knows its
 * own.
 *
 * A channel on the listening connection, where answers come in the order of what they answer:
 *
 *     OUT --SUBSCRIBE--> COMING --answer--> IN
 *      ^                    \---UNSUBSCRIBE--/----> GOING
 *      \-------------------------answer--------------/     wanted again meanwhile: SUBSCRIBE, else freed
 *
 * Nothing is subscribed to while its UNSUBSCRIBE is on its way: at that answer hiredis 0.14 forgets the
 * channel, and would forget the later subscription with it. */
#include "conversation/ports/bus.h"

#include <assert.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/redis/commands.h"
#include "conversation/base/clock.h"
#include "conversation/base/instance.h"
#include "conversation/base/map.h"
#include "conversation/config.h"
#include "conversation/rt/timer.h"

/* Subscribed to last, and again from time to time to see whether the server still answers; nobody publishes
 * on it. */
#define IDLE_CHANNEL "bus_alive"
#define CHANNEL_MAX  128
/* After a reconnect so many channels are subscribed to, and said to be heard again, at a time. */
#define BATCH          256
#define BATCH_PAUSE_MS 8

enum standing { OUT, COMING, IN, GOING };

struct bus_channel {
    struct list link;     /* in `awaiting` while OUT, else in `settled` */
    struct map_node node; /* by key_of its name */
    enum standing standing;
    bool is_wanted;
    struct bus_member member;
    const char *name; /* the part of wire_name without the number of the database */
    struct str wire_name;
    char text[];
};

static void on_up(struct redis_conn *c);
static void on_subscribed(struct redis_conn *c, struct str channel);
static void on_unsubscribed(struct redis_conn *c, struct str channel);
static void on_message(struct redis_conn *c, struct str channel, struct str text);

static struct redis_conn listener = {
    .label = "redis_bus",
    .idle_channel = IDLE_CHANNEL,
    .on_up = on_up,
    .on_subscribed = on_subscribed,
    .on_unsubscribed = on_unsubscribed,
    .on_message = on_message,
};
static struct map channels;
static struct list awaiting = {&awaiting, &awaiting}, settled = {&settled, &settled};
static struct timer batch_timer;
static int64_t
    listening_since_ms; /* clock_mono_ms of the last on_up's end; 0: some are not listened to yet */
static void (*tell_listening)(void);
static struct buf command; /* the one being written */
static struct list spare = {&spare, &spare};
static size_t unanswered; /* messages */

/* The link is the first member of what is in the list. */
static void free_all(struct list *l)
{
    while (!list_is_empty(l)) {
        struct list *first = l->next;
        list_remove(first);
        free(first);
    }
}

void bus_start(void (*listening)(void))
{
    tell_listening = listening;
    redis_conn_start(&listener);
}

void bus_stop(void)
{
    redis_conn_stop(&listener);
    timer_stop(&batch_timer);
    listening_since_ms = 0;
    free_all(&awaiting);
    free_all(&settled);
    free_all(&spare);
    map_done(&channels);
    buf_done(&command);
}

int64_t bus_listening_ms(void)
{
    bool is_listening = listening_since_ms && redis_conn_is_up(&listener);
    return is_listening ? clock_mono_ms() - listening_since_ms + 1 : 0;
}

/* --- channels --- */

/* FNV-1a, twice over: names are the service's own, and a found one is compared. */
static struct uuid key_of(struct str name)
{
    uint64_t a = 14695981039346656037u, b = 7809847782465536322u;
    for (size_t i = 0; i < name.n; i++) {
        a = (a ^ (uint8_t)name.p[i]) * 1099511628211u;
        b = (b ^ (uint8_t)name.p[i]) * 1099511628211u;
    }
    struct uuid key;
    memcpy(key.b, &a, sizeof a);
    memcpy(key.b + sizeof a, &b, sizeof b);
    return key;
}

static struct bus_channel *find(struct str name)
{
    struct uuid key = key_of(name);
    struct map_node *n = map_get(&channels, &key);
    struct bus_channel *ch = n ? container_of(n, struct bus_channel, node) : NULL;
    return ch && str_eqz(name, ch->name) ? ch : NULL;
}

/* The one place where a channel's standing changes. */
static void stand(struct bus_channel *ch, enum standing standing)
{
    ch->standing = standing;
    list_remove(&ch->link);
    list_add_tail(standing == OUT ? &awaiting : &settled, &ch->link);
}

static void channel_free(struct bus_channel *ch)
{
    list_remove(&ch->link);
    map_remove(&channels, &ch->node.key);
    free(ch);
}

/* Not up: later, with all others. */
static void subscribe(struct bus_channel *ch)
{
    if (redis_conn_subscribe(&listener, ch->wire_name.p))
        stand(ch, COMING);
}

static struct str write_wire_name(const char *name, char out[CHANNEL_MAX + 16])
{
    assert(name && strlen(name) < CHANNEL_MAX);
    return (struct str){out, (size_t)snprintf(out, CHANNEL_MAX + 16, "%d:%s", config.redis_db, name)};
}

static struct bus_channel *channel_new(const char *name)
{
    char text[CHANNEL_MAX + 16];
    struct str wire_name = write_wire_name(name, text);
    struct bus_channel *ch = calloc(1, sizeof *ch + wire_name.n + 1);
    if (!ch)
        abort();
    memcpy(ch->text, text, wire_name.n + 1);
    ch->wire_name = (struct str){ch->text, wire_name.n};
    ch->name = ch->text + wire_name.n - strlen(name);
    struct uuid key = key_of(str_of(name));
    map_put(&channels, &key, &ch->node);
    list_add_tail(&awaiting, &ch->link);
    return ch;
}

struct bus_channel *bus_join(const char *name, const struct bus_member *member)
{
    struct bus_channel *ch = find(str_of(name));
    if (!ch)
        ch = channel_new(name);
    assert(!ch->is_wanted);
    ch->is_wanted = true;
    ch->member = *member;
    if (ch->standing == OUT)
        subscribe(ch);
    return ch;
}

void bus_part(struct bus_channel *ch)
{
    assert(ch->is_wanted);
    ch->is_wanted = false;
    if (ch->standing == OUT)
        channel_free(ch);
    else if (ch->standing != GOING && redis_conn_unsubscribe(&listener, ch->wire_name.p))
        stand(ch, GOING);
}

void bus_subscribe(const char *channel, bus_handler *handle, void *arg)
{
    bus_join(channel, &(struct bus_member){.hear = handle, .arg = arg});
}

void bus_unsubscribe(const char *channel)
{
    struct bus_channel *ch = find(str_of(channel));
    assert(ch);
    bus_part(ch);
}

/* --- the listening connection --- */

static void subscribe_batch(struct timer *t)
{
    for (int i = 0; i < BATCH && !list_is_empty(&awaiting); i++)
        subscribe(LIST_FIRST(&awaiting, struct bus_channel, link));
    if (!redis_conn_is_up(&listener))
        return;
    if (list_is_empty(&awaiting))
        redis_conn_subscribe(&listener, IDLE_CHANNEL);
    else
        timer_start(t, BATCH_PAUSE_MS, subscribe_batch);
}

static void on_up(struct redis_conn *c)
{
    (void)c;
    timer_stop(&batch_timer);
    listening_since_ms = 0;
    while (!list_is_empty(&settled)) {
        struct bus_channel *ch = LIST_FIRST(&settled, struct bus_channel, link);
        if (ch->is_wanted)
            stand(ch, OUT);
        else
            channel_free(ch);
    }
    subscribe_batch(&batch_timer);
}

static void on_idle_subscribed(void)
{
    if (listening_since_ms)
        return;
    listening_since_ms = clock_mono_ms();
    if (tell_listening)
        tell_listening();
}

static void on_subscribed(struct redis_conn *c, struct str channel)
{
    (void)c;
    if (str_eqz(channel, IDLE_CHANNEL)) {
        on_idle_subscribed();
        return;
    }
    str_cut(&channel, ':');
    struct bus_channel *ch = find(channel);
    if (!ch || ch->standing != COMING)
        return;
    stand(ch, IN);
    if (ch->member.listening)
        ch->member.listening(ch->member.arg);
}

static void on_unsubscribed(struct redis_conn *c, struct str channel)
{
    (void)c;
    str_cut(&channel, ':');
    struct bus_channel *ch = find(channel);
    if (!ch || ch->standing != GOING)
        return;
    stand(ch, OUT);
    if (ch->is_wanted)
        subscribe(ch);
    else
        channel_free(ch);
}

static void on_message(struct redis_conn *c, struct str channel, struct str text)
{
    (void)c;
    str_cut(&channel, ':');
    struct bus_channel *ch = find(channel); /* NULL: gone meanwhile */
    struct uuid sender;
    bool is_others = uuid_parse(str_cut(&text, ':'), &sender) && !uuid_eq(&sender, instance_id());
    if (ch && ch->is_wanted && is_others && text.p)
        ch->member.hear(ch->member.arg, text);
}

/* --- speaking --- */

/* What waits for the answer to a PUBLISH; kept for the next one afterwards. */
struct question {
    struct list link; /* in `spare` when it is not used */
    bus_told *told;
    void *arg;
    bool hears_itself, may_hear_itself;
};

static void on_published(void *arg, const struct redisReply *reply)
{
    (void)arg;
    unanswered--;
    if (redis_reply_check(reply))
        return; /* logged; the message is lost, as messages may be */
}

static void question_free(struct question *q)
{
    list_add_tail(&spare, &q->link);
}

static void on_counted(void *arg, const struct redisReply *reply)
{
    struct question q = *(struct question *)arg;
    int others = -1;
    unanswered--;
    question_free(arg);
    if (redis_reply_check(reply) == OK && reply->type == REDIS_REPLY_INTEGER) {
        others = (int)reply->integer - q.hears_itself;
        if (q.may_hear_itself && others > 0)
            others = -1;
    }
    q.told(q.arg, others);
}

static struct question *question_new(const struct bus_channel *ch, bus_told *told, void *arg)
{
    struct question *q = LIST_FIRST(&spare, struct question, link);
    if (list_is_empty(&spare))
        q = malloc(sizeof *q);
    else
        list_remove(&q->link);
    if (!q)
        abort();
    *q = (struct question){.told = told, .arg = arg};
    if (ch) {
        q->hears_itself = ch->standing == IN && redis_conn_is_up(&listener);
        q->may_hear_itself = !q->hears_itself && ch->standing != OUT;
    }
    return q;
}

static void add_length(char type, size_t n)
{
    buf_addf(&command, "%c%zu\r\n", type, n);
}

/* In the form in which it is sent (RESP): parts are joined by being written one after the other. */
static void write_publish(struct str wire_name, const struct str *parts, int part_count)
{
    char sender[UUID_TEXT_LENGTH + 1];
    uuid_format(instance_id(), sender);
    sender[UUID_TEXT_LENGTH] = ':';
    size_t n = sizeof sender;
    for (int i = 0; i < part_count; i++)
        n += parts[i].n;
    command.n = 0;
    buf_add_str(&command, STR("*3\r\n$7\r\nPUBLISH\r\n"));
    add_length('$', wire_name.n);
    buf_add_str(&command, wire_name);
    buf_add_str(&command, STR("\r\n"));
    add_length('$', n);
    buf_add(&command, sender, sizeof sender);
    for (int i = 0; i < part_count; i++)
        buf_add_str(&command, parts[i]);
    buf_add_str(&command, STR("\r\n"));
    buf_addc(&command, '\0');
    command.n--;
}

static bool publish(const struct bus_channel *ch, bus_told *told, void *arg)
{
    struct str text = buf_str(&command);
    if (!redis_conn_is_up(&redis_commands))
        return false;
    struct question *q = told ? question_new(ch, told, arg) : NULL;
    bool is_sent = redis_conn_send_raw(&redis_commands, told ? on_counted : on_published, q, text);
    unanswered += is_sent;
    if (q && !is_sent)
        question_free(q);
    return is_sent;
}

bool bus_is_quiet(void)
{
    return unanswered == 0;
}

bool bus_say(struct bus_channel *ch, const struct str *parts, int part_count, bus_told *told, void *arg)
{
    write_publish(ch->wire_name, parts, part_count);
    return publish(ch, told, arg);
}

bool bus_tell(const char *channel, struct str text, bus_told *told, void *arg)
{
    char name[CHANNEL_MAX + 16];
    write_publish(write_wire_name(channel, name), &text, 1);
    return publish(find(str_of(channel)), told, arg);
}

void bus_publish(const char *channel, struct str text)
{
    (void)bus_tell(channel, text, NULL, NULL); /* lost, as messages may be */
}
