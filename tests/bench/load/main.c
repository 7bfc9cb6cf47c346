/* The load generator of the daemon-level benchmarks: many Socket.IO sockets and HTTP connections in one epoll
 * loop. It shares no code with the daemon, and works against any server that speaks the same events.
 *
 *   load idle  PORT PID PLAN
 *   load relay PORT[,PORT] PID[,PID] PLAN SECONDS SESSIONSxIN_FLIGHT|SESSIONS@PER_SECOND...
 *   load sessions PORT PID PLAN SECONDS SECONDS
 *   load match PORT PID PLAN CONNECTIONS PAIRS_PER_SECOND
 *
 * PLAN is a file of learners, "userId token sessionId" a line, the two of a pair one after the other. PID is
 * the server's process, of which CPU time and memory are read; with two servers the second learner of each
 * pair goes to the second. Prints JSON, one line a figure. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "modes.h"
#include "stats.h"

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit); /* without it, connecting says what is missing */
    }
}

void mode_idle(const struct target *target, struct plan *plan)
{
    double before_kib = process_rss_kib(target->pid), cpu_us = process_cpu_us(target->pid);
    learners_connect(plan, plan->count, target->port, 0);
    double after_kib = process_rss_kib(target->pid);
    cpu_us = process_cpu_us(target->pid) - cpu_us;
    printf("{\"sockets\":%zu,\"beforeKib\":%.0f,\"afterKib\":%.0f,\"bytesPerSocket\":%.0f,\"cpuUs\":%.0f}\n",
           plan->count, before_kib, after_kib, (after_kib - before_kib) * 1024 / (double)plan->count, cpu_us);
}

int main(int argc, char **argv)
{
    if (argc < 5)
        die("usage: load idle|relay|sessions|match PORT PID PLAN ...");
    struct target target = {.port = atoi(argv[2]), .pid = atoi(argv[3])};
    target.other_port = strchr(argv[2], ',') ? atoi(strchr(argv[2], ',') + 1) : 0;
    target.other_pid = strchr(argv[3], ',') ? atoi(strchr(argv[3], ',') + 1) : 0;
    struct plan plan = plan_read(argv[4]);
    raise_descriptor_limit();
    if (strcmp(argv[1], "idle") == 0)
        mode_idle(&target, &plan);
    else if (strcmp(argv[1], "relay") == 0 && argc > 6)
        mode_relay(&target, &plan, argv + 5);
    else if (strcmp(argv[1], "sessions") == 0 && argc == 7)
        mode_sessions(&target, &plan, argv + 5);
    else if (strcmp(argv[1], "match") == 0 && argc == 7)
        mode_match(&target, &plan, argv + 5);
    else
        die("unknown mode, or arguments missing: %s", argv[1]);
    return 0;
}
