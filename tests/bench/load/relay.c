/* The relay of ICE candidates. Every session keeps `in_flight` messages going to and fro: what one learner
 * receives, it answers with a candidate of its own. So the load is closed: a slower server is asked less. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "modes.h"
#include "stats.h"

#define WARM_UP_NS    500000000
#define DRAIN_NS      10000000000
#define IN_FLIGHT_MAX 64
#define EVENT         "[\"ice_candidate\","

struct side {
    struct bytes frame;             /* this learner's candidate, masked */
    int64_t sent_ns[IN_FLIGHT_MAX]; /* of what is under way to this learner: answers come in order */
    unsigned head, tail;
};

static struct {
    bool is_on, is_measured;
    int64_t under_way;
    struct samples latency;
} run;

static struct side *side_of(struct learner *l)
{
    return l->user_data;
}

static void send_candidate(struct learner *from)
{
    struct side *to = side_of(from->partner);
    to->sent_ns[to->head++ % IN_FLIGHT_MAX] = now_ns();
    link_send(&from->link, side_of(from)->frame.p, side_of(from)->frame.n);
    run.under_way++;
}

static void on_event(struct learner *l, const char *json, size_t n)
{
    struct side *s = side_of(l);
    if (n > 11 && memcmp(json, "[\"exception\"", 12) == 0)
        die("refused: %.*s", (int)n, json);
    if (n < strlen(EVENT) || memcmp(json, EVENT, strlen(EVENT)) != 0)
        return; /* partner_joined, new_prompt */
    if (s->head == s->tail)
        die("a candidate that nobody sent: %.*s", (int)n, json);
    int64_t took_ns = now_ns() - s->sent_ns[s->tail++ % IN_FLIGHT_MAX];
    run.under_way--;
    if (run.is_measured)
        samples_add(&run.latency, took_ns);
    if (run.is_on)
        send_candidate(l);
}

static void prepare(struct learner *l)
{
    char text[1024];
    struct side *s = must_alloc(1, sizeof *s);
    int n = snprintf(
        text, sizeof text,
        "42[\"ice_candidate\",{\"sessionId\":\"%s\",\"targetUserId\":\"%s\",\"candidate\":{\"candidate\":"
        "\"candidate:842163049 1 udp 1677729535 203.0.113.77 46154 typ srflx raddr 192.168.100.17 "
        "rport 46154 generation 0 ufrag EsAw\",\"sdpMid\":\"0\",\"sdpMLineIndex\":0}}]",
        l->session_id, l->partner->user_id);
    frame_add(&s->frame, text, (size_t)n);
    l->user_data = s;
    l->on_event = on_event;
}

static void turn_until(int64_t until_ns)
{
    while (now_ns() < until_ns)
        link_turn(until_ns);
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

static void measure(const struct target *target, struct plan *plan, const char *row, int64_t for_ns)
{
    size_t sessions;
    int in_flight;
    if (sscanf(row, "%zux%d", &sessions, &in_flight) != 2 || sessions > plan->count / 2 ||
        in_flight > IN_FLIGHT_MAX)
        die("bad row %s", row);
    run.is_on = true;
    run.latency.n = 0;
    for (size_t i = 0; i < sessions; i++)
        for (int k = 0; k < in_flight; k++)
            send_candidate(&plan->learners[2 * i]);
    turn_until(now_ns() + WARM_UP_NS);
    double cpu_us = process_cpu_us(target->pid);
    int64_t begin_ns = now_ns();
    run.is_measured = true;
    turn_until(begin_ns + for_ns);
    double took_s = (double)(now_ns() - begin_ns) / 1e9;
    cpu_us = process_cpu_us(target->pid) - cpu_us;
    drain();
    samples_sort(&run.latency);
    printf("{\"sessions\":%zu,\"inFlight\":%d,\"messages\":%zu,\"perSecond\":%.0f,\"cpuUs\":%.3f,"
           "\"cpuShare\":%.3f,"
           "\"p50Ms\":%.4f,\"p99Ms\":%.4f,\"bytes\":%zu}\n",
           sessions, in_flight, run.latency.n, (double)run.latency.n / took_s, cpu_us / (double)run.latency.n,
           cpu_us / took_s / 1e6, samples_ms(&run.latency, 0.5), samples_ms(&run.latency, 0.99),
           side_of(&plan->learners[0])->frame.n);
}

void mode_relay(const struct target *target, struct plan *plan, char **arguments)
{
    int64_t for_ns = (int64_t)(atof(arguments[0]) * 1e9);
    for (size_t i = 0; i < plan->count; i++)
        prepare(&plan->learners[i]);
    learners_connect(plan, plan->count, target->port);
    for (char **row = arguments + 1; *row; row++)
        measure(target, plan, *row, for_ns);
}
