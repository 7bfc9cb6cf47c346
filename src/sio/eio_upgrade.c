/* The upgrade from polling to WebSocket (https://socket.io/docs/v4/engine-io-protocol/, "Upgrade"). The
 * client probes, stops to poll, then switches:
 *
 *     TRYING ── 2probe ──> PROBED ── 5 ──> the session is the transport's
 *        └── 5 ──────────────┴──> …
 *        └── anything else, its end, the timeout, the end of the session ──> abandoned, polling goes on
 *
 * In PROBED no poll waits: it is answered, with NOOP if there is nothing else, since the client switches only
 * after its last poll has come back. */
#include <stdlib.h>

#include "eio_session.h"

struct upgrade {
    struct eio_session *session;
    struct eio_transport *by; /* borrowed */
    struct timer timer;
    bool is_probed;
};

/* Afterwards the session knows nothing of it. */
static struct eio_transport *take_transport(struct eio_session *s)
{
    struct eio_transport *t = s->upgrade->by;
    timer_stop(&s->upgrade->timer);
    free(s->upgrade);
    s->upgrade = NULL;
    t->session = NULL;
    return t;
}

void upgrade_abandon(struct eio_session *s)
{
    if (!s->upgrade)
        return;
    struct eio_transport *t = take_transport(s);
    t->ops->close(t, EIO_TRANSPORT_CLOSE);
}

void upgrade_lost(struct eio_session *s)
{
    (void)take_transport(s);
}

static void on_timeout(struct timer *t)
{
    upgrade_abandon(container_of(t, struct upgrade, timer)->session);
}

bool eio_session_upgrade(struct eio_session *s, struct eio_transport *t)
{
    if (!s->is_polling || s->upgrade || (s->state != OPEN && s->state != LEAVING))
        return false;
    s->upgrade = calloc(1, sizeof *s->upgrade);
    if (!s->upgrade)
        abort();
    s->upgrade->session = s;
    s->upgrade->by = t;
    t->session = s;
    timer_start(&s->upgrade->timer, s->server->config.upgrade_timeout_ms, on_timeout);
    return true;
}

bool upgrade_is_by(const struct eio_session *s, const struct eio_transport *t)
{
    return s->upgrade && s->upgrade->by == t;
}

bool upgrade_is_probed(const struct eio_session *s)
{
    return s->upgrade && s->upgrade->is_probed;
}

/* A poll that waits is answered, with whatever it has been sent in this turn. */
static void release_poll(struct eio_session *s)
{
    if (s->transport)
        (void)s->transport->ops->send(s->transport, EIO_NOOP, false, NULL,
                                      0); /* a full one is answered, too */
}

static void probe(struct eio_session *s)
{
    struct eio_transport *t = s->upgrade->by;
    s->upgrade->is_probed = true;
    if (!t->ops->send(t, EIO_PONG, false, &STR("probe"), 1))
        upgrade_abandon(s);
    release_poll(s);
}

static void take_over(struct eio_session *s)
{
    struct eio_transport *t = take_transport(s);
    release_poll(s); /* a client that still polls: what its poll brings is not lost */
    eio_session_detach(s);
    s->is_polling = false;
    s->transport = t;
    t->session = s;
    (void)session_drain(s);
    if (s->state == LEAVING)
        session_end(s, s->reason);
}

void upgrade_received(struct eio_session *s, bool is_binary, struct str message)
{
    if (!is_binary && str_eqz(message, "2probe"))
        probe(s);
    else if (!is_binary && message.n && message.p[0] == '0' + EIO_UPGRADE)
        take_over(s);
    else
        upgrade_abandon(s);
}
