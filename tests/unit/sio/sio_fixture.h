/* Socket.IO connections over a fake transport, with a fake application that writes what it is told into a
 * log, on the virtual clock. */
#ifndef SIO_FIXTURE_H
#define SIO_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "conversation/sio/sio.h"
#include "fake_transport.h"

/* A test of recovery changes that part before set_up. */
static struct sio_config config = {.connect_timeout_ms = 45000, .namespaces_max = 3};
static const int context = 42;
static const struct eio_config eio_config = {.ping_interval_ms = 1000000,
                                             .ping_timeout_ms = 1000000,
                                             .max_payload_bytes = 500,
                                             .max_buffered_bytes = 1000,
                                             .max_sessions = 10,
                                             .context_bytes = sizeof context};

/* What the application does inside a callback. */
enum action {
    NOTHING,
    ACCEPT,
    REFUSE,
    ACCEPT_AND_EMIT,
    DISCONNECT,
    ACCEPT_AND_DISCONNECT,
    DISCONNECT_AND_CLOSE,
    ACCEPT_DISCONNECT_AND_CLOSE,
    ASK,
    CLOSE_SESSION,
    CLOSE_EVERYTHING,
    ACTION_COUNT
};

static struct {
    struct buf log;
    enum action on_connect, on_event, on_acked, on_disconnect;
    int connected, refused, disconnected, asked, acked;
    uint64_t last_id;
} app;

static struct fake_transport fake;
static struct sio_server *server;

static inline uint64_t ask(struct sio_socket *s)
{
    const struct str arg = STR("1");
    uint64_t id = sio_emit_with_ack(s, &(struct sio_message){"ask", &arg, 1, NULL, 0}, 5000);
    app.asked += id != 0;
    return id;
}

static inline void act(struct sio_socket *s, enum action action)
{
    switch (action) {
    case NOTHING:
    case ACTION_COUNT: break;
    case ACCEPT: sio_accept(s); break;
    case REFUSE: sio_refuse(s, "no"); break;
    case ACCEPT_AND_EMIT:
        sio_accept(s);
        sio_emit(s, "hello", NULL, 0);
        sio_ack(s, 7, STR("1"));
        break;
    case ACCEPT_AND_DISCONNECT: sio_accept(s); /* fallthrough */
    case DISCONNECT: sio_disconnect(s, false); break;
    case ASK: ask(s); break;
    case ACCEPT_DISCONNECT_AND_CLOSE: sio_accept(s); /* fallthrough */
    case DISCONNECT_AND_CLOSE: sio_disconnect(s, true); break;
    case CLOSE_SESSION:
        if (fake.t.session)
            eio_session_close(fake.t.session, EIO_FORCED_CLOSE);
        break;
    case CLOSE_EVERYTHING: eio_server_close_all(sio_server_eio(server), EIO_SERVER_SHUTDOWN); break;
    }
}

static inline void log_str(const char *label, struct str s)
{
    buf_addf(&app.log, " %s=" STR_FMT, label, STR_ARG(s));
}

static inline void app_connect(struct sio_socket *s, const struct sio_connect *c)
{
    app.connected++;
    app.last_id = sio_socket_id(s);
    sio_socket_set_data(s, &app);
    assert_int_equal(*(const int *)sio_socket_context(s), context);
    buf_addf(&app.log, "connect " STR_FMT, STR_ARG(c->namespace_));
    if (c->query.p)
        log_str("query", c->query);
    if (c->auth.p && !c->can_recover)
        log_str("auth", c->auth);
    if (c->can_recover)
        log_str("recover", c->note);
    buf_addc(&app.log, '|');
    app.refused += app.on_connect == REFUSE;
    act(s, app.on_connect);
}

static inline void app_event(struct sio_socket *s, const struct sio_event *event)
{
    buf_addf(&app.log, "event " STR_FMT, STR_ARG(event->name));
    log_str("args", event->args);
    for (int i = 0; i < event->attachment_count; i++)
        log_str("binary", event->attachments[i]);
    if (event->wants_ack)
        buf_addf(&app.log, " ack=%llu", (unsigned long long)event->ack_id);
    buf_addc(&app.log, '|');
    act(s, app.on_event);
}

static inline void app_acked(struct sio_socket *s, uint64_t ack_id, const struct sio_event *answer)
{
    app.acked++;
    buf_addf(&app.log, "acked %llu", (unsigned long long)ack_id);
    if (answer) {
        assert_int_equal(answer->name.n, 0);
        assert_false(answer->wants_ack);
        log_str("args", answer->args);
        for (int i = 0; i < answer->attachment_count; i++)
            log_str("binary", answer->attachments[i]);
    }
    buf_addc(&app.log, '|');
    act(s, app.on_acked);
}

static inline void app_disconnect(struct sio_socket *s, const char *reason)
{
    app.disconnected++;
    assert_ptr_equal(sio_socket_data(s), &app);
    assert_int_equal(*(const int *)sio_socket_context(s), context);
    assert_null(sio_socket_find(server, sio_socket_id(s)));
    buf_addf(&app.log, "disconnect %s|", reason);
    act(s, app.on_disconnect);
}

static const struct sio_app callbacks = {
    .connect = app_connect, .event = app_event, .acked = app_acked, .disconnect = app_disconnect};

static inline void assert_app_saw(const char *want)
{
    buf_addc(&app.log, '\0');
    assert_string_equal(app.log.p, want);
    app.log.n = 0;
}

static inline void forget(void)
{
    app.log.n = fake.log.n = 0;
}

static inline void open_session(void)
{
    fake.is_closed = false;
    assert_non_null(eio_session_open(sio_server_eio(server), &fake.t, &context));
    forget();
}

/* An accepted socket in the namespace of `packet`. */
static inline struct sio_socket *connect_with(const char *packet)
{
    app.on_connect = ACCEPT;
    receive(&fake, packet);
    struct sio_socket *s = sio_socket_find(server, app.last_id);
    assert_non_null(s);
    forget();
    return s;
}

static inline int set_up(void **state)
{
    (void)state;
    clock_reset();
    memset(&app, 0, sizeof app);
    fake = (struct fake_transport){.t.ops = &fake_ops};
    server = sio_server_new(&config, &eio_config, &callbacks);
    open_session();
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    app.on_disconnect = NOTHING;
    eio_server_close_all(sio_server_eio(server), EIO_SERVER_SHUTDOWN);
    assert_int_equal(app.disconnected, app.connected - app.refused);
    assert_int_equal(app.acked, app.asked);
    sio_server_free(server);
    buf_done(&app.log);
    buf_done(&fake.log);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
