/* The relay of ICE candidates, under one of two loads. Closed: every session keeps `in_flight` messages going
 * to and fro; what one learner receives, it answers with a candidate of its own, so a slower server is asked
 * less. Open: the learners send in turn, so many a second in all, whatever the server does; a message's time
 * then counts from when it was due. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "modes.h"
#include "stats.h"

#define WARM_UP_NS    500000000
#define DRAIN_NS      10000000000
#define TICK_NS       100000
#define IN_FLIGHT_MAX 64
#define EVENT         "[\"ice_candidate\","
#define EVENT_BYTES   300
#define JOINED        "[\"partner_joined\","

struct side {
    unsigned head, tail;
    struct bytes frame;             /* this learner's candidate, masked */
    int64_t sent_ns[IN_FLIGHT_MAX]; /* of what is under way to this learner: answers come in order */
};

struct row {
    size_t sessions;
    int in_flight;
    double per_second; /* of an open load; else 0 */
};

static struct {
    bool is_on, is_measured;
    size_t acquainted; /* learners that were told of their partner */
    int64_t under_way;
    struct samples latency;
} run;

static struct side *side_of(struct learner *l)
{
    return l->user_data;
}

static void send_candidate(struct learner *from, int64_t at_ns)
{
    struct side *to = side_of(from->partner);
    to->sent_ns[to->head++ % IN_FLIGHT_MAX] = at_ns;
    link_send(&from->link, side_of(from)->frame.p, side_of(from)->frame.n);
    run.under_way++;
}

static void on_event(struct learner *l, const char *json, size_t n)
{
    struct side *s = side_of(l);
    if (n > 11 && memcmp(json, "[\"exception\"", 12) == 0)
        die("refused: %.*s", (int)n, json);
    run.acquainted += n > strlen(JOINED) && memcmp(json, JOINED, strlen(JOINED)) == 0;
    if (n < strlen(EVENT) || memcmp(json, EVENT, strlen(EVENT)) != 0)
        return; /* partner_joined, new_prompt */
    if (s->head == s->tail)
        die("a candidate that nobody sent: %.*s", (int)n, json);
    int64_t now = now_ns(), took_ns = now - s->sent_ns[s->tail++ % IN_FLIGHT_MAX];
    run.under_way--;
    if (run.is_measured)
        samples_add(&run.latency, took_ns);
    if (run.is_on)
        send_candidate(l, now);
}

static void prepare(struct learner *l)
{
    char text[512];
    struct side *s = must_alloc(1, sizeof *s);
    int n = snprintf(
        text, sizeof text,
        "42[\"ice_candidate\",{\"sessionId\":\"%s\",\"targetUserId\":\"%s\",\"candidate\":{\"candidate\":"
        "\"candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 10.0.0.17 "
        "rport 46154 generation 0 ufrag Es\",\"sdpMid\":\"0\",\"sdpMLineIndex\":0}}]",
        l->session_id, l->partner->user_id);
    if (n != EVENT_BYTES)
        die("an event of %d bytes", n);
    frame_add(&s->frame, text, (size_t)n);
    l->user_data = s;
    l->on_event = on_event;
}

/* --- the two loads --- */

static void turn_until(int64_t until_ns)
{
    while (now_ns() < until_ns)
        link_turn(until_ns);
}

static void start_closed(struct plan *plan, const struct row *row)
{
    run.is_on = true;
    for (size_t i = 0; i < row->sessions; i++)
        for (int k = 0; k < row->in_flight; k++)
            send_candidate(&plan->learners[2 * i], now_ns());
}

static bool has_room(struct learner *to)
{
    return side_of(to)->head - side_of(to)->tail < IN_FLIGHT_MAX;
}

static void sleep_until(int64_t ns)
{
    struct timespec at = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
        ;
}

/* A learner whose partner has too much under way holds the others up; that, too, counts as the server's.
 * Awake once in a tick: woken by each message, this program would be busier than the server, and measure how
 * it catches up with itself. What it finds late counts as late. */
static void send_open_until(struct plan *plan, const struct row *row, int64_t until_ns)
{
    static size_t turn;
    int64_t begin_ns = now_ns(), due_ns = begin_ns;
    prctl(PR_SET_TIMERSLACK, 1);
    for (int64_t count = 0, now = begin_ns; now < until_ns; now = now_ns()) {
        struct learner *l = &plan->learners[turn % (2 * row->sessions)];
        for (; due_ns <= now && has_room(l->partner); turn++) {
            send_candidate(l, due_ns);
            due_ns = begin_ns + (int64_t)((double)++count * 1e9 / row->per_second);
            l = &plan->learners[(turn + 1) % (2 * row->sessions)];
        }
        link_turn(now);
        sleep_until(now + TICK_NS);
    }
}

static void load_until(struct plan *plan, const struct row *row, int64_t until_ns)
{
    if (row->per_second > 0)
        send_open_until(plan, row, until_ns);
    else
        turn_until(until_ns);
}

static void drain(void)
{
    int64_t deadline = now_ns() + DRAIN_NS;
    run.is_on = run.is_measured = false;
    while (run.under_way > 0) {
        link_turn(deadline);
        if (now_ns() > deadline)
            die("%ld candidates were never delivered", (long)run.under_way);
    }
}

/* --- a row --- */

static struct row row_of(const char *text, const struct plan *plan)
{
    struct row row = {0};
    bool is_read = strchr(text, '@') ? sscanf(text, "%zu@%lf", &row.sessions, &row.per_second) == 2
                                     : sscanf(text, "%zux%d", &row.sessions, &row.in_flight) == 2;
    if (!is_read || row.sessions > plan->count / 2 || row.in_flight > IN_FLIGHT_MAX)
        die("bad row %s", text);
    return row;
}

static double servers_cpu_us(const struct target *target)
{
    return process_cpu_us(target->pid) + (target->other_pid ? process_cpu_us(target->other_pid) : 0);
}

static void measure(const struct target *target, struct plan *plan, const struct row *row, int64_t for_ns)
{
    run.latency.n = 0;
    if (row->in_flight)
        start_closed(plan, row);
    load_until(plan, row, now_ns() + WARM_UP_NS);
    double cpu_us = servers_cpu_us(target), own_us = process_cpu_us(getpid());
    int64_t begin_ns = now_ns();
    run.is_measured = true;
    load_until(plan, row, begin_ns + for_ns);
    double took_s = (double)(now_ns() - begin_ns) / 1e9;
    cpu_us = servers_cpu_us(target) - cpu_us;
    own_us = process_cpu_us(getpid()) - own_us;
    size_t messages = run.latency.n;
    drain();
    samples_sort(&run.latency);
    printf("{\"sessions\":%zu,\"inFlight\":%d,\"messages\":%zu,\"perSecond\":%.0f,\"cpuUs\":%.3f,"
           "\"cpuShare\":%.3f,\"ownShare\":%.3f,\"p50Ms\":%.4f,\"p95Ms\":%.4f,\"p99Ms\":%.4f}\n",
           row->sessions, row->in_flight, messages, (double)messages / took_s, cpu_us / (double)messages,
           cpu_us / took_s / 1e6, own_us / took_s / 1e6, samples_ms(&run.latency, 0.5),
           samples_ms(&run.latency, 0.95), samples_ms(&run.latency, 0.99));
    fflush(stdout);
}

/* At two servers the partners hear of each other a moment after they have joined. */
static void await_partners(const struct plan *plan)
{
    int64_t deadline = now_ns() + DRAIN_NS;
    while (run.acquainted < plan->count) {
        link_turn(deadline);
        if (now_ns() > deadline)
            die("%zu learners were told of their partner, of %zu", run.acquainted, plan->count);
    }
}

void mode_relay(const struct target *target, struct plan *plan, char **arguments)
{
    int64_t for_ns = (int64_t)(atof(arguments[0]) * 1e9);
    for (size_t i = 0; i < plan->count; i++)
        prepare(&plan->learners[i]);
    learners_connect(plan, plan->count, target->port, target->other_port);
    if (target->other_port)
        await_partners(plan);
    for (char **text = arguments + 1; *text; text++) {
        struct row row = row_of(*text, plan);
        measure(target, plan, &row, for_ns);
    }
}
