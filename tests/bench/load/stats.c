#include "stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "link.h"

void samples_add(struct samples *s, int64_t ns)
{
    if (s->n == s->size) {
        s->size = s->size ? 2 * s->size : 65536;
        s->ns = realloc(s->ns, s->size * sizeof(*s->ns));
        if (!s->ns)
            die("out of memory");
    }
    s->ns[s->n++] = ns;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

void samples_sort(struct samples *s)
{
    qsort(s->ns, s->n, sizeof(*s->ns), compare);
}

double samples_ms(const struct samples *s, double share)
{
    return s->n ? (double)s->ns[(size_t)((double)(s->n - 1) * share)] / 1e6 : 0;
}

static void read_proc(int pid, const char *file, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
    FILE *f = fopen(path, "r");
    if (!f)
        die("the server (process %d) is gone", pid);
    text[fread(text, 1, size - 1, f)] = '\0';
    fclose(f);
}

double process_cpu_us(int pid)
{
    char text[1024];
    unsigned long user, system;
    read_proc(pid, "stat", text, sizeof text);
    /* Fields 14 and 15; the name, field 2, may contain anything up to its last ')'. */
    char *after_name = strrchr(text, ')');
    if (!after_name ||
        sscanf(after_name + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
        die("cannot read /proc/%d/stat", pid);
    return (double)(user + system) * 1e6 / (double)sysconf(_SC_CLK_TCK);
}

double process_rss_kib(int pid)
{
    char text[4096];
    read_proc(pid, "status", text, sizeof text);
    char *rss = strstr(text, "VmRSS:");
    if (!rss)
        die("cannot read /proc/%d/status", pid);
    return strtod(rss + strlen("VmRSS:"), NULL);
}
