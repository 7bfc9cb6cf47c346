/* The failure driver: runs one scenario again and again, and at each of its port calls lets the upstream
 * fail, lose its answer, say nothing, or the client go. What holds for every flow is asserted here; `then`
 * adds the scenario's own. */
#ifndef TESTS_FLOWS_FAKES_FAILURES_H
#define TESTS_FLOWS_FAKES_FAILURES_H

#include "flows/fakes/world.h"

typedef unsigned __int128 port_set; /* bits of ports */
_Static_assert(PORT_COUNT <= 128, "a bit for each port");
#define PORT_BIT(port) ((port_set)1 << (port))

struct attempt {
    const struct caller *caller; /* NULL: a job */
    enum port port;              /* whose call it happened at */
    enum err err;                /* what was reported; OK: nothing failed */
    bool took_effect;            /* that call's effect had taken place all the same */
};

struct scenario {
    void (*given)(void);                   /* rows, sockets */
    struct caller *(*start)(void);         /* starts the flow; NULL for a job */
    void (*then)(const struct attempt *a); /* may be NULL */
    port_set tolerated;                    /* bits of ports whose failure does not fail the flow */
    int64_t watch_ms;                      /* how long a job is given to finish; 0: at once */
};

/* A row of a test table: what `driver` does to the scenario. */
#define FAILURE_TEST(driver, scenario)                                                  \
    {                                                                                   \
        .name = #driver ": " #scenario, .test_func = driver, .setup_func = world_begin, \
        .teardown_func = world_end, .initial_state = (void *)&(scenario)                \
    }

/* Rows for whatever can go wrong with a call, with one that only reads (to lose its answer is to fail), and
 * with a job, which has no client. */
#define FAILURE_TESTS_OF_CALL(scenario) \
    FAILURE_TESTS_OF_READ(scenario), FAILURE_TEST(every_answer_is_lost, scenario)
#define FAILURE_TESTS_OF_READ(scenario)                                                             \
    FAILURE_TEST(every_upstream_fails, scenario), FAILURE_TEST(every_upstream_is_silent, scenario), \
        FAILURE_TEST(client_goes_at_every_step, scenario)
#define FAILURE_TESTS_OF_JOB(scenario)                                                          \
    FAILURE_TEST(every_upstream_fails, scenario), FAILURE_TEST(every_answer_is_lost, scenario), \
        FAILURE_TEST(every_upstream_is_silent, scenario)

/* The drivers; their state is the scenario. */

/* Each call fails with each of DB_UNAVAILABLE, KV_UNAVAILABLE, TIMEOUT and INTERNAL: exactly one answer, the
 * right error. */
void every_upstream_fails(void **state);
/* The same failures, but the effect took place. */
void every_answer_is_lost(void **state);
/* Each call is not answered before the flow's deadline: ERR_TIMEOUT; then the answer comes. */
void every_upstream_is_silent(void **state);
/* The client goes (the flow is cancelled) during each call; then the call is answered. */
void client_goes_at_every_step(void **state);

#endif
