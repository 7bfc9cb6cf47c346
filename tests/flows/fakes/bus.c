/* Channels and messages in memory. */
#include "flows/fakes/bus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "conversation/base/clock.h"
#include "conversation/base/list.h"
#include "conversation/rt/loop.h"
#include "flows/fakes/json.h"

enum { CHANNELS_MAX = 4096, MESSAGES_MAX = 4096, OTHERS_MAX = 8 };

struct bus_channel {
    char *name;
    struct bus_member member;
    struct loop_task task; /* tells that it is listened to */
};
static struct bus_channel channels[CHANNELS_MAX];

static struct {
    char *channel, *text;
    bool is_taken;
} messages[MESSAGES_MAX];
static int message_count, from;

static struct {
    const char *begin;
    int count;
} others[OTHERS_MAX];
static int others_count;

static bool is_away;
static int64_t back_since_ms;

static struct bus_channel *find(const char *name)
{
    for (int i = 0; i < CHANNELS_MAX; i++) {
        if (channels[i].name && strcmp(channels[i].name, name) == 0)
            return &channels[i];
    }
    return NULL;
}

int64_t bus_listening_ms(void)
{
    return is_away ? 0 : clock_mono_ms() - back_since_ms + 1;
}

/* --- channels --- */

static void on_task(struct loop_task *t)
{
    struct bus_channel *ch = container_of(t, struct bus_channel, task);
    ch->member.listening(ch->member.arg);
}

static void listen(struct bus_channel *ch)
{
    if (!ch->member.listening || is_away)
        return;
    ch->task.run = on_task;
    loop_defer(&ch->task);
}

struct bus_channel *bus_join(const char *name, const struct bus_member *member)
{
    int i = 0;
    assert_null(find(name));
    while (i < CHANNELS_MAX && channels[i].name)
        i++;
    assert_in_range(i, 0, CHANNELS_MAX - 1);
    channels[i].name = strdup(name);
    channels[i].member = *member;
    listen(&channels[i]);
    return &channels[i];
}

void bus_part(struct bus_channel *ch)
{
    assert_non_null(ch->name);
    loop_undefer(&ch->task);
    free(ch->name);
    ch->name = NULL;
}

void bus_subscribe(const char *channel, bus_handler *handle, void *arg)
{
    bus_join(channel, &(struct bus_member){.hear = handle, .arg = arg});
}

void bus_unsubscribe(const char *channel)
{
    bus_part(find(channel));
}

/* --- speaking --- */

struct question {
    struct loop_task task;
    bus_told *told;
    void *arg;
    int others;
};

static void on_answer(struct loop_task *t)
{
    struct question q = *container_of(t, struct question, task);
    free(container_of(t, struct question, task));
    q.told(q.arg, q.others);
}

static int others_of(const char *channel)
{
    for (int i = others_count; i > 0; i--) {
        if (strncmp(channel, others[i - 1].begin, strlen(others[i - 1].begin)) == 0)
            return others[i - 1].count;
    }
    return 0;
}

bool bus_tell(const char *channel, struct str text, bus_told *told, void *arg)
{
    if (is_away)
        return false;
    assert_in_range(message_count, 0, MESSAGES_MAX - 1);
    messages[message_count].channel = strdup(channel);
    messages[message_count].text = copy_text(text);
    message_count++;
    if (told) {
        struct question *q = calloc(1, sizeof *q);
        *q = (struct question){.task.run = on_answer, .told = told, .arg = arg, .others = others_of(channel)};
        loop_defer(&q->task);
    }
    return true;
}

bool bus_say(struct bus_channel *ch, const struct str *parts, int part_count, bus_told *told, void *arg)
{
    struct buf text = {0};
    for (int i = 0; i < part_count; i++)
        buf_add_str(&text, parts[i]);
    bool is_sent = bus_tell(ch->name, buf_str(&text), told, arg);
    buf_done(&text);
    return is_sent;
}

bool bus_is_quiet(void)
{
    return true;
}

void bus_publish(const char *channel, struct str text)
{
    (void)bus_tell(channel, text, NULL, NULL);
}

/* --- the test's side --- */

bool bus_says(const char *channel, const char *text)
{
    struct bus_channel *ch = find(channel);
    if (ch)
        ch->member.hear(ch->member.arg, str_of(text));
    return ch != NULL;
}

const char *next_published(const char *channel)
{
    for (int i = from; i < message_count; i++) {
        if (!messages[i].is_taken && strcmp(messages[i].channel, channel) == 0) {
            messages[i].is_taken = true;
            return messages[i].text;
        }
    }
    return "";
}

void bus_forget(void)
{
    from = message_count;
}

void bus_others(const char *channel_begin, int count)
{
    assert_in_range(others_count, 0, OTHERS_MAX - 1);
    others[others_count].begin = channel_begin;
    others[others_count++].count = count;
}

bool bus_is_joined(const char *channel)
{
    return find(channel) != NULL;
}

void bus_goes_away(void)
{
    is_away = true;
}

void bus_comes_back(void)
{
    is_away = false;
    back_since_ms = clock_mono_ms();
    for (int i = 0; i < CHANNELS_MAX; i++) {
        if (channels[i].name)
            listen(&channels[i]);
    }
}

void bus_reset(void)
{
    for (int i = 0; i < message_count; i++) {
        free(messages[i].channel);
        free(messages[i].text);
        messages[i].is_taken = false;
    }
    for (int i = 0; i < CHANNELS_MAX; i++)
        free(channels[i].name);
    message_count = from = others_count = 0;
    is_away = false;
    back_since_ms = 0;
    memset(channels, 0, sizeof channels);
}
