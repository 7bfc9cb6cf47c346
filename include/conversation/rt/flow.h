/* Flows: a REST call, a socket event or a job written as ONE function that reads top to bottom
 * (docs/ARCHITECTURE.md, "Flows"). Stackless: the function is re-entered at its last AWAIT.
 *
 *     static void run(struct flow *f)
 *     {
 *         struct match_cancel *c = flow_ctx(f);
 *         FLOW_BEGIN(f);
 *         AWAIT(f, db_match_request_cancel(f, &c->id, &c->status));
 *         if (c->status == MATCH_EXPIRED)
 *             FLOW_FAIL(f, ERR_MATCH_EXPIRED);
 *         reply_match_request(f, c);
 *         FLOW_END(f);
 *     fail:
 *         reply_error(f);
 *     }
 *
 * Rules. Nothing lives across an AWAIT but the context. No switch in a flow. At `fail` flow_error(f) says
 * why, and nothing may be awaited any more. Every operation reports exactly once and never inside the call
 * that submits it. An operation that is awaited no longer (deadline, cancel) may still report: the flow's
 * memory lives until it has. The spec's `done`, if any, is called exactly once, when the function has
 * returned for the last time. */
#ifndef CONVERSATION_RT_FLOW_H
#define CONVERSATION_RT_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conversation/base/arena.h"
#include "conversation/base/err.h"
#include "conversation/base/uuid.h"

struct flow;
struct flow_op;

#define CORRELATION_ID_MAX 128

struct flow_spec {
    const char *name;            /* for logs and metrics: "match_request.create" */
    void (*run)(struct flow *f); /* the function */
    size_t ctx_size;             /* zeroed context, aligned for any type */
    int deadline_ms;             /* for the whole flow; 0: none, then every await is bounded by its adapter */
};

struct flow_start {
    const struct flow_spec *spec;
    const char *correlation_id;   /* copied; NULL: a new one */
    void *caller;                 /* what flow_caller returns; NULL for jobs */
    void (*done)(struct flow *f); /* called once when the flow has ended; may be NULL */
    /* Prepares the flow, inside flow_start: may set the caller, fill the context, fail it (flow_set_error…),
     * or submit one operation that must succeed before the function runs. May be NULL. */
    void (*before)(struct flow *f, void *arg);
    void *before_arg;
};

/* Creates a flow; its function runs for the first time from the loop, never inside this call, so the caller
 * may still fill flow_ctx. */
struct flow *flow_start(const struct flow_start *how);

/* The flow fails with `why` at its current AWAIT, from the loop; no effect once it has ended or already
 * fails. */
void flow_cancel(struct flow *f, enum err why);

void *flow_ctx(const struct flow *f);
void *flow_caller(const struct flow *f);
void flow_set_caller(struct flow *f, void *caller); /* NULL when the caller goes before the flow does */
struct arena *flow_arena(struct flow *f);
const char *flow_correlation_id(const struct flow *f);
const struct flow_spec *flow_spec_of(const struct flow *f);
int64_t flow_started_ms(const struct flow *f); /* clock_mono_ms at start */

enum err flow_error(const struct flow *f); /* OK while none */
/* JSON array text for the error body's `details`, {NULL,0} if none; in the flow's arena. */
struct str flow_error_details(const struct flow *f);

/* Used through FLOW_FAIL*. */
void flow_set_error(struct flow *f, enum err err);
void flow_set_error_details(struct flow *f, enum err err, struct str details_json);
void flow_set_error_field(struct flow *f, enum err err, const char *field, const char *reason);

/* For adapters: one operation of the flow. Everything needed is copied before the submit call returns. */
struct flow_op *flow_op_begin(struct flow *f);
void flow_op_done(struct flow_op *op, enum err err); /* from the loop, never inside the submit call */
void flow_op_done_later(struct flow_op *op,
                        enum err err); /* allowed inside the submit call: reports next turn */
/* False when the flow awaits the operation no longer: its outputs need not be made (they may still be
 * written). */
bool flow_op_is_wanted(const struct flow_op *op);
struct flow *flow_op_flow(const struct flow_op *op);

void flow_sleep(struct flow *f, int64_t ms);
/* Moves the deadline to `ms` from now: for a flow that knows only now how long it may take. */
void flow_set_deadline(struct flow *f, int64_t ms);

size_t flow_active_count(void);
void flow_cancel_all(enum err why); /* at shutdown */

/* --- the macros' part --- */
int *flow_resume_point(struct flow *f);

#define FLOW_BEGIN(f)                \
    switch (*flow_resume_point(f)) { \
    case 0:                          \
        if (flow_error(f))           \
        goto fail

#define AWAIT(f, submit)                  \
    do {                                  \
        *flow_resume_point(f) = __LINE__; \
        submit;                           \
        return;                           \
    case __LINE__:                        \
        if (flow_error(f))                \
            goto fail;                    \
    } while (0)

/* As AWAIT, but the operation's own failure is stored in *result and the flow goes on; cancel and deadline
 * still fail. */
#define AWAIT_TRY(f, result, submit)       \
    do {                                   \
        *flow_resume_point(f) = __LINE__;  \
        submit;                            \
        return;                            \
    case __LINE__:                         \
        if (!flow_take_error(f, (result))) \
            goto fail;                     \
    } while (0)

/* As AWAIT_TRY, but a failure that may pass (err_is_passing) is not taken for an answer: the operation is
 * submitted again after FLOW_RETRY_MS, until it has another result or the flow is cancelled. For what nobody
 * else would finish. */
#define FLOW_RETRY_MS 1000
#define AWAIT_LASTING(f, result, submit)   \
    for (;;) {                             \
        *flow_resume_point(f) = __LINE__;  \
        submit;                            \
        return;                            \
    case __LINE__:                         \
        if (!flow_take_error(f, (result))) \
            goto fail;                     \
        if (!err_is_passing(*(result)))    \
            break;                         \
        *flow_resume_point(f) = -__LINE__; \
        flow_sleep((f), FLOW_RETRY_MS);    \
        return;                            \
    case -__LINE__:                        \
        if (flow_error(f))                 \
            goto fail;                     \
    }                                      \
    (void)0

/* Moves the awaited operation's error to *result and clears it; false when the flow itself was cancelled. */
bool flow_take_error(struct flow *f, enum err *result);

#define FLOW_FAIL(f, err_)           \
    do {                             \
        flow_set_error((f), (err_)); \
        goto fail;                   \
    } while (0)

#define FLOW_FAIL_FIELD(f, err_, field, reason)               \
    do {                                                      \
        flow_set_error_field((f), (err_), (field), (reason)); \
        goto fail;                                            \
    } while (0)

#define FLOW_END(f) \
    }               \
    (void)(f);      \
    return

#endif
