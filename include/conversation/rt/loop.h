/* The one event loop of the process (libuv). Everything but the thread pool runs on its thread. */
#ifndef CONVERSATION_RT_LOOP_H
#define CONVERSATION_RT_LOOP_H

#include <stddef.h>

#include "conversation/base/err.h"
#include "conversation/base/list.h"

struct uv_loop_s;

void loop_init(void); /* once, before anything else in rt */
struct uv_loop_s *loop_uv(void);
void loop_run(void);           /* until loop_stop; then closes what rt opened and returns */
void loop_stop(void);          /* from the loop thread */
void loop_turn_for_test(void); /* one turn that does not sleep, instead of loop_run */
void loop_done(void);          /* after loop_run: closes the loop; asserts that no handle is left */

/* Runs once, before the loop next polls, in order of request. For "never complete inside the submit call". */
struct loop_task {
    struct list link;
    void (*run)(struct loop_task *t);
};
void loop_defer(struct loop_task *t); /* embedded by its owner; must be idle */
void loop_undefer(struct loop_task *t);

/* Runs at the end of every turn, after callbacks and before the loop sleeps: the place to flush written data.
 */
void loop_at_turn_end(void (*run)(void));

/* Blocking or CPU-heavy work: `work` in the pool, then `done` on the loop. Owned by the caller until `done`.
 */
struct loop_work {
    void (*work)(struct loop_work *w);
    void (*done)(struct loop_work *w);
    void *request; /* the loop's */
};
void loop_work_start(struct loop_work *w);

#endif
