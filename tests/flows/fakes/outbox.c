#include "flows/fakes/outbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conversation/base/clock.h"
#include "flows/fakes/port.h"

struct fake_outbox fake_outbox;
static const struct db_outbox_watch *watching;

void fake_outbox_reset(void)
{
    memset(&fake_outbox, 0, sizeof fake_outbox);
    fake_outbox.lock_is_free = fake_outbox.is_up = true;
    watching = NULL;
}

struct fake_event *given_event(const char *key)
{
    assert_in_range(fake_outbox.count, 0, FAKE_EVENTS_MAX - 1);
    struct fake_event *e = &fake_outbox.events[fake_outbox.count++];
    snprintf(e->event_id, sizeof e->event_id, "event-%d", fake_outbox.count);
    (void)str_copy(str_of(key), e->key, sizeof e->key);
    snprintf(e->payload, sizeof e->payload, "{\"n\": %d}", fake_outbox.count);
    e->created_at_ms = clock_now_ms();
    return e;
}

void fake_outbox_opens(void)
{
    watching->changed(true);
}

void fake_outbox_is_lost(void)
{
    watching->changed(false);
}

void fake_outbox_commits(void)
{
    watching->committed();
}

/* --- the table --- */

void db_outbox_start(const struct db_outbox_watch *watch)
{
    watching = watch;
}

void db_outbox_claim(struct flow *f, bool *is_held)
{
    struct port_call *call = port_begin(f, DB_OUTBOX_CLAIM);
    port_answer(call, OK, is_held, &fake_outbox.lock_is_free, sizeof fake_outbox.lock_is_free);
}

void db_outbox_read(struct flow *f, int max, struct outbox_events *out)
{
    struct port_call *call = port_begin(f, DB_OUTBOX_READ);
    struct outbox_event *items = ARENA_ARRAY(flow_arena(f), struct outbox_event, (size_t)max);
    struct outbox_events found = {.items = items};
    for (int i = 0; i < fake_outbox.count && found.count < (size_t)max; i++) {
        const struct fake_event *e = &fake_outbox.events[i];
        if (e->state == FAKE_UNSENT)
            items[found.count++] =
                (struct outbox_event){i + 1,         e->event_id,        "match.requested", e->key,
                                      "correlation", str_of(e->payload), e->created_at_ms};
    }
    port_answer(call, OK, out, &found, sizeof found);
}

void db_outbox_mark(struct flow *f, const int64_t *ids, size_t count)
{
    struct port_call *call = port_begin(f, DB_OUTBOX_MARK);
    for (size_t i = 0; port_takes_effect(call) && i < count; i++)
        fake_outbox.events[ids[i] - 1].state = FAKE_SENT;
    port_answer(call, OK, NULL, NULL, 0);
}

void db_outbox_refuse(struct flow *f, int64_t id)
{
    struct port_call *call = port_begin(f, DB_OUTBOX_OTHER);
    if (port_takes_effect(call))
        fake_outbox.events[id - 1].state = FAKE_REFUSED;
    port_answer(call, OK, NULL, NULL, 0);
}

void db_outbox_backlog(struct flow *f, struct db_outbox_backlog *out)
{
    struct port_call *call = port_begin(f, DB_OUTBOX_OTHER);
    struct db_outbox_backlog b = {0};
    for (int i = fake_outbox.count - 1; i >= 0; i--) {
        if (fake_outbox.events[i].state != FAKE_UNSENT)
            continue;
        b.unsent++;
        b.oldest_at_ms = fake_outbox.events[i].created_at_ms;
    }
    port_answer(call, OK, out, &b, sizeof b);
}

void db_outbox_purge(struct flow *f, const struct db_outbox_age *age, int *deleted)
{
    struct port_call *call = port_begin(f, DB_OUTBOX_OTHER);
    if (fake_outbox.purge_calls == 0 || age->unsent != fake_outbox.purged.unsent)
        fake_outbox.old = fake_outbox.old_each;
    fake_outbox.purge_calls++;
    fake_outbox.purged = *age;
    int now = fake_outbox.old < age->max ? fake_outbox.old : age->max;
    fake_outbox.old -= now;
    port_answer(call, OK, deleted, &now, sizeof now);
}

/* --- the topic --- */

bool publisher_is_up(void)
{
    return fake_outbox.is_up;
}

static void take(const struct publish_message *m)
{
    int place = 0;
    assert_int_equal(sscanf(m->headers[1].value, "event-%d", &place), 1);
    fake_outbox.topic[fake_outbox.topic_count++] = place;
    (void)str_copy(m->value, fake_outbox.last_value, sizeof fake_outbox.last_value);
    snprintf(fake_outbox.last_headers, sizeof fake_outbox.last_headers, "%s=%s %s=%s %s=%s %s=%s",
             m->headers[0].name, m->headers[0].value, m->headers[1].name, m->headers[1].value,
             m->headers[2].name, m->headers[2].value, m->headers[3].name, m->headers[3].value);
}

static enum publish_result result_of(const struct publish_message *m)
{
    int place = 0;
    assert_int_equal(sscanf(m->headers[1].value, "event-%d", &place), 1);
    enum publish_result result = fake_outbox.events[place - 1].result;
    return result ? result : PUBLISH_DELIVERED;
}

void publish_all(struct flow *f, const char *topic, struct publish_message *messages, size_t count)
{
    struct port_call *call = port_begin(f, PUBLISH_ALL);
    assert_string_equal(topic, "conversation.events");
    if ((int)count > fake_outbox.largest_pass)
        fake_outbox.largest_pass = (int)count;
    for (size_t i = 0; i < count; i++) {
        messages[i].result = result_of(&messages[i]);
        if (messages[i].result == PUBLISH_DELIVERED && port_takes_effect(call))
            take(&messages[i]);
    }
    port_answer(call, OK, NULL, NULL, 0);
}
