/* An Engine.IO server whose user writes what it is told into a log, a fake transport, and the virtual clock.
 * Each test program has its own. */
#ifndef FAKE_SESSION_H
#define FAKE_SESSION_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fake_transport.h"

static const int context = 42;
static int contexts_done;

static void context_done(void *c)
{
    assert_int_equal(*(const int *)c, context);
    contexts_done++;
}

static struct eio_config config = {.ping_interval_ms = 25000,
                                   .ping_timeout_ms = 20000,
                                   .upgrade_timeout_ms = 10000,
                                   .close_timeout_ms = 30000,
                                   .max_payload_bytes = 1000000,
                                   .max_buffered_bytes = 200,
                                   .max_sessions = 3,
                                   .context_bytes = sizeof context,
                                   .context_done = context_done};

/* The session's user: logs, and does what the test asks for from inside a callback. */
static struct {
    struct buf log; /* "message:text|", "binary:bytes|", "close:reason|" */
    bool refuses, closes_in_open, closes_in_message, sends_in_close;
    struct eio_session *session;
} user;

static struct fake_transport fake;
static struct eio_server *server;

static void *user_open(void *owner, struct eio_session *s)
{
    assert_ptr_equal(owner, &user);
    assert_int_equal(*(const int *)eio_session_context(s), context);
    user.session = s;
    eio_session_send(s, false, &STR("too early"), 1);
    if (user.closes_in_open)
        eio_session_close(s, EIO_FORCED_CLOSE);
    return user.refuses ? NULL : &user;
}

static void user_message(void *u, bool is_binary, struct str payload)
{
    assert_ptr_equal(u, &user);
    buf_addz(&user.log, is_binary ? "binary:" : "message:");
    buf_add_str(&user.log, payload);
    buf_addc(&user.log, '|');
    if (user.closes_in_message)
        eio_session_close(user.session, EIO_PARSE_ERROR);
}

static void user_close(void *u, enum eio_reason reason)
{
    assert_ptr_equal(u, &user);
    buf_addf(&user.log, "close:%s|", eio_reason_name(reason));
    if (user.sends_in_close) {
        eio_session_send(user.session, false, &STR("too late"), 1);
        eio_session_close(user.session, EIO_FORCED_CLOSE);
    }
}

static const struct eio_user callbacks = {.open = user_open, .message = user_message, .close = user_close};

static void assert_user_saw(const char *want)
{
    buf_addc(&user.log, '\0');
    assert_string_equal(user.log.p, want);
    user.log.n = 0;
}

/* An open session whose OPEN packet was looked away. */
static inline struct eio_session *open_session(void)
{
    struct eio_session *s = eio_session_open(server, &fake.t, &context);
    assert_non_null(s);
    fake.log.n = 0;
    return s;
}

static int set_up(void **state)
{
    (void)state;
    clock_reset();
    memset(&user, 0, sizeof user);
    fake = (struct fake_transport){.t.ops = &fake_ops};
    contexts_done = 0;
    server = eio_server_new(&config, &callbacks, &user);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    eio_server_close_all(server, EIO_SERVER_SHUTDOWN);
    assert_int_equal(eio_server_session_count(server), 0);
    eio_server_free(server);
    buf_done(&user.log);
    buf_done(&fake.log);
    return 0;
}

#endif
