/* A client of a server that recovers connections: it loses its connection and comes back on another one. */
#ifndef RECOVERY_FIXTURE_H
#define RECOVERY_FIXTURE_H

#include "sio_fixture.h"

static struct fake_transport second; /* the connection that the client comes back on */
static char pid[32], sid[32];

/* What stands between two texts of the log. */
static inline void copy_between(const struct buf *log, const char *before, const char *after, char out[32])
{
    const char *from = memmem(log->p, log->n, before, strlen(before));
    assert_non_null(from);
    from += strlen(before);
    const char *to = memmem(from, (size_t)(log->p + log->n - from), after, strlen(after));
    assert_non_null(to);
    assert_true(str_copy((struct str){from, (size_t)(to - from)}, out, 32));
}

/* A socket of the first connection; its ids are in sid and pid. */
static inline struct sio_socket *connected(const char *packet)
{
    app.on_connect = ACCEPT;
    receive(&fake, packet);
    copy_between(&fake.log, "{\"sid\":\"", "\",\"pid\":\"", sid);
    copy_between(&fake.log, "\",\"pid\":\"", "\"}|", pid);
    struct sio_socket *s = sio_socket_find(server, app.last_id);
    assert_string_equal(sid, sio_socket_sid(s));
    assert_string_not_equal(sid, pid);
    forget();
    return s;
}

/* CONNECT on a connection of its own, of what the client knows. */
static inline struct sio_socket *come_back(const char *namespace_, const char *its_pid, const char *offset)
{
    char packet[160];
    second.is_closed = false;
    if (!second.t.session)
        assert_non_null(eio_session_open(sio_server_eio(server), &second.t, &context));
    second.log.n = 0;
    snprintf(packet, sizeof packet, "40%s{\"pid\":\"%s\",\"offset\":\"%s\"}", namespace_, its_pid, offset);
    receive(&second, packet);
    return sio_socket_find(server, app.last_id);
}

/* The answer that gives the client its ids back, then what was missed. */
static inline void assert_recovered(const char *namespace_, const char *missed)
{
    char want[400];
    snprintf(want, sizeof want, "40%s{\"sid\":\"%s\",\"pid\":\"%s\"}|%s", namespace_, sid, pid, missed);
    assert_sent(&second, want);
    assert_true(sio_socket_is_recovered(sio_socket_find(server, app.last_id)));
}

/* An answer with ids that are new, and nothing else. */
static inline void assert_fresh(void)
{
    char new_sid[32], new_pid[32], want[160];
    assert_false(sio_socket_is_recovered(sio_socket_find(server, app.last_id)));
    copy_between(&second.log, "{\"sid\":\"", "\",\"pid\":\"", new_sid);
    copy_between(&second.log, "\",\"pid\":\"", "\"}|", new_pid);
    assert_string_not_equal(sid, new_sid);
    assert_string_not_equal(pid, new_pid);
    snprintf(want, sizeof want, "{\"sid\":\"%s\",\"pid\":\"%s\"}|", new_sid, new_pid);
    buf_addc(&second.log, '\0');
    assert_string_equal(strchr(second.log.p, '{'), want);
}

#endif
