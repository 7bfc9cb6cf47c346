/* CPU time and memory of the process, from getrusage and /proc/self/statm. */
#include "conversation/rt/process.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "conversation/base/clock.h"
#include "conversation/base/metrics.h"

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static void update_cpu(void)
{
    static double reported;
    struct rusage used;
    if (getrusage(RUSAGE_SELF, &used) < 0)
        return;
    double now = seconds(used.ru_utime) + seconds(used.ru_stime);
    metric_add(M_PROCESS_CPU, now - reported, NULL, NULL, NULL);
    reported = now;
}

static void update_memory(void)
{
    long pages;
    FILE *statm = fopen("/proc/self/statm", "re");
    if (!statm)
        return;
    if (fscanf(statm, "%*d %ld", &pages) == 1)
        metric_set(M_PROCESS_RSS, (double)pages * (double)sysconf(_SC_PAGESIZE), NULL);
    fclose(statm);
}

static void update(void)
{
    update_cpu();
    update_memory();
}

void process_metrics_start(void)
{
    metric_set(M_PROCESS_START, (double)clock_now_ms() / 1000, NULL);
    metrics_on_render(update);
}
