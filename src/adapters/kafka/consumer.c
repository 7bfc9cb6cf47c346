/* The one consumer. What is assigned is a list of partitions, each with a queue of the messages that have
 * come and are not being handled:
 *
 *     waiting --the one before is done--> current --consumer_done--> offset stored, gone
 *                                          |  ^
 *                            consumer_again|__|timer
 *
 * A partition with a long queue, or whose current message has to be taken again, is paused: librdkafka drops
 * what it had read ahead, and reads it again afterwards. Stored offsets are committed every second, when a
 * partition is revoked, and when the group is left. The result of a message whose partition was revoked
 * meanwhile is not stored: whoever has the partition now handles it, too. */
#include "conversation/ports/consumer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "conversation/base/list.h"
#include "conversation/base/log.h"
#include "conversation/config.h"
#include "conversation/rt/timer.h"

#define WAITING_MAX 64 /* then the partition is paused */
#define WAITING_FEW 8  /* then it goes on */
#define AGAIN_MS    500
#define AGAIN_MAX   5  /* doublings: 16 s */
#define CLOSING_MS  20 /* how often it is looked whether the group has been left */

struct partition {
    struct list link; /* in `assigned` while it is ours */
    char *topic;
    int32_t number;
    struct list waiting; /* struct message */
    int waiting_count;
    struct message *current;
    struct timer again;
    bool is_ours, is_paused;
    bool is_handled; /* `current` has been handed over and not been answered */
    bool is_going;   /* in go_on */
};

struct message {
    struct consumed what; /* first */
    struct list link;
    struct partition *partition;
    char value[];
};

static struct kafka_client *client;
static struct list assigned = {&assigned, &assigned};
static int current_count; /* over all partitions, also those that are not ours any more */
static void (*take)(const struct consumed *m);
static enum { STOPPED, RUNNING, FINISHING, LEAVING, CLOSING } state;
static bool has_joined; /* a group, and been given partitions, were it none */
static rd_kafka_queue_t *leaving_queue;
static struct timer leaving;

/* --- partitions --- */

static void for_partition(const struct partition *p, int64_t offset,
                          rd_kafka_resp_err_t (*tell)(rd_kafka_t *rk, rd_kafka_topic_partition_list_t *list))
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, p->topic, p->number)->offset = offset;
    rd_kafka_resp_err_t err = tell(kafka_client_handle(client), list);
    if (err) /* it is being revoked: whoever gets it begins where we have committed */
        LOG(LOG_DEBUG, "kafka.partition", LOG_Z("topic", p->topic), LOG_INT("partition", p->number),
            LOG_Z("error", rd_kafka_err2name(err)));
    rd_kafka_topic_partition_list_destroy(list);
}

static void set_paused(struct partition *p, bool is_paused)
{
    if (p->is_paused == is_paused || !p->is_ours)
        return;
    p->is_paused = is_paused;
    for_partition(p, RD_KAFKA_OFFSET_INVALID,
                  is_paused ? rd_kafka_pause_partitions : rd_kafka_resume_partitions);
}

static struct partition *find(const char *topic, int32_t number)
{
    LIST_EACH (n, &assigned) {
        struct partition *p = container_of(n, struct partition, link);
        if (p->number == number && strcmp(p->topic, topic) == 0)
            return p;
    }
    return NULL;
}

static void add_partition(const char *topic, int32_t number)
{
    struct partition *p = calloc(1, sizeof *p);
    if (!p || !(p->topic = strdup(topic)))
        abort();
    p->number = number;
    p->is_ours = true;
    list_init(&p->waiting);
    list_add_tail(&assigned, &p->link);
}

static void free_if_unused(struct partition *p)
{
    if (p->is_ours || p->current || p->is_going)
        return;
    free(p->topic);
    free(p);
}

static void forget_waiting(struct partition *p)
{
    LIST_EACH_SAFE (n, next, &p->waiting) {
        list_remove(n);
        free(container_of(n, struct message, link));
    }
    p->waiting_count = 0;
}

static void forget_current(struct partition *p)
{
    free(p->current);
    p->current = NULL;
    p->is_handled = false;
    current_count--;
}

static void lose_partition(struct partition *p)
{
    set_paused(p, false); /* or it would be so still when it comes back */
    list_remove(&p->link);
    forget_waiting(p);
    p->is_ours = false;
    if (timer_is_running(&p->again)) {
        timer_stop(&p->again);
        forget_current(p);
    }
    free_if_unused(p);
}

static void lose_all(void)
{
    while (!list_is_empty(&assigned))
        lose_partition(LIST_FIRST(&assigned, struct partition, link));
}

/* --- messages --- */

static void go_on(struct partition *p);

static void on_again(struct timer *t)
{
    struct partition *p = container_of(t, struct partition, again);
    go_on(p);
}

static void hand_over(struct partition *p)
{
    if (!p->current) {
        p->current = LIST_FIRST(&p->waiting, struct message, link);
        list_remove(&p->current->link);
        p->waiting_count--;
        current_count++;
    }
    p->is_handled = true;
    take(&p->current->what);
}

static bool may_hand_over(const struct partition *p)
{
    return state == RUNNING && p->is_ours && !p->is_handled && !timer_is_running(&p->again) &&
           (p->current || !list_is_empty(&p->waiting));
}

/* Hands over one message after the other for as long as they are answered at once. */
static void go_on(struct partition *p)
{
    if (p->is_going)
        return;
    p->is_going = true;
    while (may_hand_over(p))
        hand_over(p);
    p->is_going = false;
    if (p->waiting_count <= WAITING_FEW && !timer_is_running(&p->again) && state == RUNNING)
        set_paused(p, false);
    free_if_unused(p);
}

static void leave_if_idle(void);

static void settled(struct partition *p)
{
    if (state == RUNNING)
        go_on(p);
    else
        free_if_unused(p);
    leave_if_idle();
}

void consumer_done(const struct consumed *what)
{
    struct message *m = container_of(what, struct message, what);
    struct partition *p = m->partition;
    if (p->is_ours && client)
        for_partition(p, what->offset + 1, rd_kafka_offsets_store);
    forget_current(p);
    settled(p);
}

void consumer_again(const struct consumed *what)
{
    struct message *m = container_of(what, struct message, what);
    struct partition *p = m->partition;
    p->is_handled = false;
    if (p->is_ours && state == RUNNING) {
        set_paused(p, true);
        timer_start(&p->again, AGAIN_MS << (m->what.tries < AGAIN_MAX ? m->what.tries : AGAIN_MAX), on_again);
        m->what.tries++;
    } else
        forget_current(p);
    settled(p);
}

static struct message *message_of(struct partition *p, const rd_kafka_message_t *rm)
{
    struct message *m = malloc(sizeof *m + rm->len + 1);
    if (!m)
        abort();
    *m = (struct message){
        .what = {.topic = p->topic, .partition = p->number, .offset = rm->offset},
        .partition = p,
    };
    if (rm->payload) {
        memcpy(m->value, rm->payload, rm->len);
        m->value[rm->len] = '\0';
        m->what.value = (struct str){m->value, rm->len};
    }
    return m;
}

static void take_message(const rd_kafka_message_t *rm)
{
    if (rm->err) { /* of the partition: librdkafka goes on by itself */
        LOG(LOG_DEBUG, "kafka.partition", LOG_Z("topic", rm->rkt ? rd_kafka_topic_name(rm->rkt) : ""),
            LOG_INT("partition", rm->partition), LOG_Z("error", rd_kafka_err2name(rm->err)));
        return;
    }
    struct partition *p = find(rd_kafka_topic_name(rm->rkt), rm->partition);
    if (!p || state != RUNNING)
        return; /* it comes again, to whoever has the partition */
    list_add_tail(&p->waiting, &message_of(p, rm)->link);
    if (++p->waiting_count >= WAITING_MAX)
        set_paused(p, true);
    go_on(p);
}

/* --- events --- */

static void on_rebalance(rd_kafka_event_t *event)
{
    rd_kafka_t *rk = kafka_client_handle(client);
    const rd_kafka_topic_partition_list_t *list = rd_kafka_event_topic_partition_list(event);
    bool is_assigned =
        rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS && state == RUNNING;
    LOG(LOG_INFO, is_assigned ? "kafka.assigned" : "kafka.revoked",
        LOG_INT("partitions", list ? list->cnt : 0));
    lose_all();
    has_joined = has_joined || is_assigned;
    for (int i = 0; is_assigned && i < list->cnt; i++)
        add_partition(list->elems[i].topic, list->elems[i].partition);
    rd_kafka_resp_err_t err = rd_kafka_assign(rk, is_assigned ? list : NULL);
    if (err)
        LOG(LOG_ERROR, "kafka.assign_failed", LOG_Z("error", rd_kafka_err2name(err)));
}

/* A consumer that is no static member has no fatal errors that are known. What comes while the group is left
 * does not come by the client, which keeps the others to itself. */
static void on_error(rd_kafka_event_t *event)
{
    if (rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__FATAL)
        LOG(LOG_ERROR, "kafka.client_broken", LOG_Z("dependency", "kafka_consumer"),
            LOG_Z("reason", rd_kafka_event_error_string(event)));
}

static void on_event(void *arg, rd_kafka_event_t *event)
{
    const rd_kafka_message_t *m;
    (void)arg;
    switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_FETCH:
        while ((m = rd_kafka_event_message_next(event)))
            take_message(m);
        break;
    case RD_KAFKA_EVENT_REBALANCE: on_rebalance(event); break;
    case RD_KAFKA_EVENT_ERROR: on_error(event); break;
    default: break;
    }
    rd_kafka_event_destroy(event);
}

/* --- its life --- */

static bool subscribe(const char *const *topics, char *why, size_t cap)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(4);
    for (; *topics; topics++)
        rd_kafka_topic_partition_list_add(list, *topics, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t err = rd_kafka_subscribe(kafka_client_handle(client), list);
    rd_kafka_topic_partition_list_destroy(list);
    if (err)
        (void)str_copy(str_of(rd_kafka_err2str(err)), why, cap);
    return !err;
}

bool consumer_start(const struct consumer_setup *setup, char *why, size_t cap)
{
    char session_ms[24], heartbeat_ms[24];
    snprintf(session_ms, sizeof session_ms, "%d", config.kafka_session_timeout_ms);
    snprintf(heartbeat_ms, sizeof heartbeat_ms, "%d", config.kafka_session_timeout_ms / 4);
    /* A group that is new begins with the oldest message: none is to be missed. */
    const struct kafka_setting settings[] = {
        {"group.id", config.kafka_group_id},
        {"session.timeout.ms", session_ms},
        {"heartbeat.interval.ms", heartbeat_ms},
        {"enable.auto.offset.store", "false"},
        {"auto.commit.interval.ms", "1000"},
        {"auto.offset.reset", "earliest"},
        {"topic.metadata.refresh.interval.ms", "30000"},
        {"queued.max.messages.kbytes", "4096"}, /* a partition; what is read ahead */
        {NULL, NULL},
    };
    const struct kafka_setup client_setup = {
        .type = RD_KAFKA_CONSUMER,
        .dependency = "kafka_consumer",
        .settings = settings,
        .events = RD_KAFKA_EVENT_FETCH | RD_KAFKA_EVENT_REBALANCE,
        .on_event = on_event,
    };
    client = kafka_client_new(&client_setup, why, cap);
    if (!client || !subscribe(setup->topics, why, cap))
        return false;
    take = setup->take;
    has_joined = false;
    state = RUNNING;
    return true;
}

static void on_closed(void *arg)
{
    (void)arg;
    state = STOPPED;
}

static void close_client(void)
{
    state = CLOSING;
    timer_stop(&leaving);
    lose_all();
    if (leaving_queue)
        rd_kafka_queue_destroy(leaving_queue);
    leaving_queue = NULL;
    kafka_client_close(client, on_closed, NULL);
    client = NULL;
}

/* What the group has to say while it is left: that the partitions are revoked. */
static void on_leaving(struct timer *t)
{
    rd_kafka_event_t *event;
    while ((event = rd_kafka_queue_poll(leaving_queue, 0)))
        on_event(NULL, event);
    if (rd_kafka_consumer_closed(kafka_client_handle(client)))
        close_client();
    else
        timer_start(t, CLOSING_MS, on_leaving);
}

/* Commits what has been stored, too. Who is on the way into a group for the first time, or does not reach it,
 * has nothing to commit, or nobody to tell: librdkafka would wait for five seconds to say that it leaves, for
 * it says nothing while it waits for the answer to JoinGroup. */
static void leave_if_idle(void)
{
    if (state != FINISHING || current_count > 0)
        return;
    if (!has_joined || !kafka_client_is_up(client)) {
        close_client();
        return;
    }
    state = LEAVING;
    leaving_queue = rd_kafka_queue_new(kafka_client_handle(client));
    rd_kafka_error_t *error = rd_kafka_consumer_close_queue(kafka_client_handle(client), leaving_queue);
    if (error)
        rd_kafka_error_destroy(error); /* closed already */
    timer_start(&leaving, 0, on_leaving);
}

/* Who waits to be taken again will be, elsewhere. */
static void forget_delayed(void)
{
    LIST_EACH (n, &assigned) {
        struct partition *p = container_of(n, struct partition, link);
        forget_waiting(p);
        if (timer_is_running(&p->again)) {
            timer_stop(&p->again);
            forget_current(p);
        }
    }
}

void consumer_stop(void)
{
    if (state != RUNNING)
        return;
    state = FINISHING;
    forget_delayed();
    leave_if_idle();
}

bool consumer_is_stopped(void)
{
    return state == STOPPED;
}

void consumer_abandon(void)
{
    if (state == RUNNING)
        forget_delayed();
    if (client)
        close_client();
}
