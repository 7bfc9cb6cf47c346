/* Conversations in which nobody says a word to the service: both sockets of each session are there, answer
 * the pings, and get their prompts. What is measured is the server's CPU time over a while, and its memory.
 */
#include <stdio.h>
#include <stdlib.h>

#include "modes.h"
#include "stats.h"

static size_t events;

static void on_event(struct learner *l, const char *json, size_t n)
{
    (void)l;
    (void)json;
    (void)n;
    events++;
}

static void turn_for(double seconds)
{
    int64_t until_ns = now_ns() + (int64_t)(seconds * 1e9);
    while (now_ns() < until_ns)
        link_turn(until_ns);
}

void mode_sessions(const struct target *target, struct plan *plan, char **arguments)
{
    double settle_s = atof(arguments[0]), window_s = atof(arguments[1]);
    double before_kib = process_rss_kib(target->pid);
    size_t sessions = plan->count / 2;
    for (size_t i = 0; i < plan->count; i++)
        plan->learners[i].on_event = on_event;
    learners_connect(plan, plan->count, target->port, 0);
    turn_for(settle_s);
    events = 0;
    double cpu_us = process_cpu_us(target->pid);
    int64_t begin_ns = now_ns();
    turn_for(window_s);
    double took_s = (double)(now_ns() - begin_ns) / 1e9;
    cpu_us = process_cpu_us(target->pid) - cpu_us;
    double after_kib = process_rss_kib(target->pid);
    printf("{\"sessions\":%zu,\"seconds\":%.1f,\"cpuShare\":%.4f,\"cpuUs\":%.0f,\"eventsPerSecond\":%.1f,"
           "\"beforeKib\":%.0f,\"afterKib\":%.0f,\"bytesPerSession\":%.0f}\n",
           sessions, took_s, cpu_us / took_s / 1e6, cpu_us, (double)events / took_s, before_kib, after_kib,
           (after_kib - before_kib) * 1024 / (double)sessions);
}
