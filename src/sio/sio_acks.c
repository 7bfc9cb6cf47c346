/* Questions to clients, each with its own time. */
#include <assert.h>
#include <stdlib.h>

#include "sio_socket.h"

struct question {
    struct list link;
    struct timer timer;
    struct sio_socket *socket;
    uint64_t id;
};

struct sio_acks {
    struct list questions;
    uint64_t last_id;
};

/* The application may end the socket. */
static void answer(struct question *q, const struct sio_event *event)
{
    struct sio_socket *s = q->socket;
    uint64_t id = q->id;
    list_remove(&q->link);
    timer_stop(&q->timer);
    free(q);
    s->conn->server->app->acked(s, id, event);
}

static void on_timeout(struct timer *t)
{
    answer(container_of(t, struct question, timer), NULL);
}

static struct sio_acks *acks_of(struct sio_socket *s)
{
    if (!s->acks) {
        s->acks = calloc(1, sizeof *s->acks);
        if (!s->acks)
            abort();
        list_init(&s->acks->questions);
    }
    return s->acks;
}

uint64_t acks_ask(struct sio_socket *s, int64_t timeout_ms)
{
    struct sio_acks *acks = acks_of(s);
    struct question *q = calloc(1, sizeof *q);
    assert(s->conn->server->app->acked);
    if (!q)
        abort();
    q->socket = s;
    q->id = ++acks->last_id;
    list_add_tail(&acks->questions, &q->link);
    timer_start(&q->timer, timeout_ms, on_timeout);
    return q->id;
}

void acks_answered(struct sio_socket *s, uint64_t id, const struct sio_event *event)
{
    if (!s->acks)
        return;
    LIST_EACH (n, &s->acks->questions) {
        struct question *q = container_of(n, struct question, link);
        if (q->id == id) {
            answer(q, event);
            return;
        }
    }
}

void acks_done(struct sio_socket *s)
{
    if (!s->acks)
        return;
    while (!list_is_empty(&s->acks->questions))
        answer(LIST_FIRST(&s->acks->questions, struct question, link), NULL);
    free(s->acks);
    s->acks = NULL;
}
