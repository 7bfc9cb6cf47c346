/* A transport that writes what it is told into a log, and the virtual clock. */
#ifndef FAKE_TRANSPORT_H
#define FAKE_TRANSPORT_H

#include "conversation/base/clock.h"
#include "conversation/rt/timer.h"
#include "conversation/sio/eio.h"

#define START_MS INT64_C(1700000000000)

struct fake_transport {
    struct eio_transport t;
    struct buf log; /* "4text|" or "b:bytes|" for a packet, "close:reason|" for the end */
    bool is_full, is_closed;
};

static bool fake_send(struct eio_transport *t, enum eio_packet_type type, bool is_binary,
                      const struct str *parts, int part_count)
{
    struct fake_transport *fake = container_of(t, struct fake_transport, t);
    if (fake->is_full)
        return false;
    if (is_binary)
        buf_addz(&fake->log, "b:");
    else
        buf_addc(&fake->log, (char)('0' + type));
    for (int i = 0; i < part_count; i++)
        buf_add_str(&fake->log, parts[i]);
    buf_addc(&fake->log, '|');
    return true;
}

static void fake_close(struct eio_transport *t, enum eio_reason reason)
{
    struct fake_transport *fake = container_of(t, struct fake_transport, t);
    assert_null(t->session);
    assert_false(fake->is_closed);
    fake->is_closed = true;
    buf_addf(&fake->log, "close:%s|", eio_reason_name(reason));
}

static const struct eio_transport_ops fake_ops = {.name = "fake", .send = fake_send, .close = fake_close};
static const struct eio_transport_ops fake_poll_ops
    __attribute__((unused)) = {.name = "poll", .is_poll = true, .send = fake_send, .close = fake_close};

/* What was logged since the last call is exactly `want`. */
static inline void assert_sent(struct fake_transport *fake, const char *want)
{
    buf_addc(&fake->log, '\0');
    assert_string_equal(fake->log.p, want);
    fake->log.n = 0;
}

static inline void receive(struct fake_transport *fake, const char *text)
{
    char *copy = strdup(text); /* so that a slice kept too long is found */
    eio_transport_received(&fake->t, false, str_of(copy));
    free(copy);
}

static inline void receive_binary(struct fake_transport *fake, struct str data)
{
    char *copy = malloc(data.n + 1);
    memcpy(copy, data.p, data.n);
    eio_transport_received(&fake->t, true, (struct str){copy, data.n});
    free(copy);
}

static inline void clock_reset(void)
{
    clock_set_for_test(START_MS, START_MS);
    timer_wheel_advance(START_MS);
}

/* Lets time pass in small steps, so that each timer fires at its time. */
static inline void pass_ms(int64_t ms)
{
    for (int64_t end = clock_mono_ms() + ms, now = clock_mono_ms(); now < end;) {
        now = now + 8 < end ? now + 8 : end;
        clock_set_for_test(now, now);
        timer_wheel_advance(now);
    }
}

#endif
