/* What was measured: samples and their percentiles, and what the process under test used. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct samples {
    int64_t *ns;
    size_t n, size;
};

void samples_add(struct samples *s, int64_t ns);
void samples_sort(struct samples *s);
/* In ms, of sorted samples; `share` from 0 to 1. */
double samples_ms(const struct samples *s, double share);

/* CPU time of all threads of `pid` so far, user and system, in us; in steps of 10 ms, as the kernel accounts
 * it. */
double process_cpu_us(int pid);
double process_rss_kib(int pid);
