/* Channels and messages in memory. */
#include "flows/fakes/bus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "flows/fakes/json.h"

enum { CHANNELS_MAX = 4, MESSAGES_MAX = 4096 };

static struct {
    const char *name;
    bus_handler *handle;
    void *arg;
} channels[CHANNELS_MAX];

static struct {
    const char *channel;
    char *text;
    bool is_taken;
} messages[MESSAGES_MAX];
static int message_count, from;

static int channel_of(const char *name)
{
    for (int i = 0; i < CHANNELS_MAX; i++) {
        if (channels[i].name && strcmp(channels[i].name, name) == 0)
            return i;
    }
    return -1;
}

void bus_subscribe(const char *channel, bus_handler *handle, void *arg)
{
    int i = 0;
    assert_int_equal(channel_of(channel), -1);
    while (i < CHANNELS_MAX && channels[i].name)
        i++;
    assert_in_range(i, 0, CHANNELS_MAX - 1);
    channels[i].name = channel;
    channels[i].handle = handle;
    channels[i].arg = arg;
}

void bus_unsubscribe(const char *channel)
{
    int i = channel_of(channel);
    assert_true(i >= 0);
    channels[i].name = NULL;
}

void bus_publish(const char *channel, struct str text)
{
    assert_in_range(message_count, 0, MESSAGES_MAX - 1);
    messages[message_count].channel = channel;
    messages[message_count].text = copy_text(text);
    message_count++;
}

bool bus_says(const char *channel, const char *text)
{
    int i = channel_of(channel);
    if (i >= 0)
        channels[i].handle(channels[i].arg, str_of(text));
    return i >= 0;
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

void bus_reset(void)
{
    for (int i = 0; i < message_count; i++) {
        free(messages[i].text);
        messages[i].is_taken = false;
    }
    message_count = from = 0;
    memset(channels, 0, sizeof channels);
}
