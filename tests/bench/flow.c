/* What the flow engine costs: ns for one AWAIT, from the loop and back, and heap bytes of one waiting flow.
 */
#include <malloc.h>
#include <stdio.h>
#include <time.h>

#include "conversation/base/clock.h"
#include "conversation/rt/flow.h"
#include "conversation/rt/loop.h"

#define FLOWS  1000
#define AWAITS 1000
#define PARKED 100000

struct counter {
    int i;
    char payload[96]; /* about what a REST call keeps */
};

static void nothing(struct flow *f)
{
    flow_op_done_later(flow_op_begin(f), OK);
}

static void run_counter(struct flow *f)
{
    struct counter *c = flow_ctx(f);
    FLOW_BEGIN(f);
    for (; c->i < AWAITS; c->i++)
        AWAIT(f, nothing(f));
    FLOW_END(f);
fail:
    return;
}

static void run_parked(struct flow *f)
{
    FLOW_BEGIN(f);
    AWAIT(f, flow_sleep(f, 1000000));
    FLOW_END(f);
fail:
    return;
}

static const struct flow_spec counter_spec = {"bench.counter", run_counter, sizeof(struct counter), 3000};
static const struct flow_spec parked_spec = {"bench.parked", run_parked, sizeof(struct counter), 3000};

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void run_all(const struct flow_spec *spec, int count)
{
    for (int i = 0; i < count; i++)
        flow_start(&(struct flow_start){.spec = spec, .correlation_id = "bench"});
    while (flow_active_count())
        loop_turn_for_test();
}

static void measure_awaits(void)
{
    double start = now_ns();
    run_all(&counter_spec, FLOWS);
    printf("%.1f ns an await (%d flows of %d awaits at once)\n", (now_ns() - start) / FLOWS / AWAITS, FLOWS,
           AWAITS);
}

static void measure_memory(void)
{
    size_t before = mallinfo2().uordblks;
    for (int i = 0; i < PARKED; i++)
        flow_start(&(struct flow_start){.spec = &parked_spec});
    loop_turn_for_test();
    size_t after = mallinfo2().uordblks;
    printf("%.0f bytes a waiting flow, with a context of %zu bytes and its operation\n",
           (double)(after - before) / PARKED, sizeof(struct counter));
    flow_cancel_all(ERR_CANCELLED);
    while (flow_active_count())
        loop_turn_for_test();
}

static void measure_flows(void)
{
    double start = now_ns();
    for (int i = 0; i < PARKED; i++) {
        struct flow *f = flow_start(&(struct flow_start){.spec = &parked_spec, .correlation_id = "bench"});
        flow_cancel(f, ERR_CANCELLED);
        if (i % 100 == 99)
            loop_turn_for_test();
    }
    loop_turn_for_test();
    printf("%.0f ns to start and end a flow\n", (now_ns() - start) / PARKED);
}

int main(void)
{
    loop_init();
    measure_awaits();
    measure_memory();
    measure_flows();
    loop_done();
    return 0;
}
