/* Scripts, records and delivers. Outputs are written at delivery even when the flow does not want them any
 * more, as a real adapter may: the sanitizers then show whether the flow's memory is still there. */
#include "flows/fakes/port.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conversation/rt/loop.h"
#include "conversation/rt/timer.h"

enum { SCRIPTS_MAX = 64, CALLS_MAX = 4096 };

const char *const port_names[PORT_COUNT] = {
#define PORT_NAME(id, name) [id] = name,
    PORT_TABLE(PORT_NAME)};

struct port_call {
    struct list link; /* in `held` */
    enum port port;
    struct port_script script;
    struct flow_op *op;
    struct timer timer;
    struct loop_task task;
    enum err err;
    void *out, *result;
    size_t size;
};

static struct {
    struct port_script by_port[PORT_COUNT][SCRIPTS_MAX];
    int count[PORT_COUNT], used[PORT_COUNT];
    struct port_script always[PORT_COUNT];
    struct {
        int at; /* counted from the begin of the record */
        struct port_script script;
    } by_number[SCRIPTS_MAX];
    int by_number_count;
} scripts;

static enum port record[CALLS_MAX];
static int record_count;
static struct list held = {&held, &held};

/* --- scripts --- */

void port_script_next(enum port port, struct port_script script)
{
    assert_in_range(scripts.count[port], 0, SCRIPTS_MAX - 1);
    scripts.by_port[port][scripts.count[port]++] = script;
}

void port_script_always(enum port port, struct port_script script)
{
    scripts.always[port] = script;
}

void port_script_call(int number, struct port_script script)
{
    int i = scripts.by_number_count++;
    assert_in_range(i, 0, SCRIPTS_MAX - 1);
    scripts.by_number[i].at = record_count + number;
    scripts.by_number[i].script = script;
}

static struct port_script script_of(enum port port, bool is_recorded)
{
    for (int i = 0; is_recorded && i < scripts.by_number_count; i++) {
        if (scripts.by_number[i].at == record_count)
            return scripts.by_number[i].script;
    }
    if (scripts.used[port] < scripts.count[port])
        return scripts.by_port[port][scripts.used[port]++];
    return scripts.always[port];
}

/* --- the record --- */

int port_calls(enum port port)
{
    int n = 0;
    for (int i = 0; i < record_count; i++)
        n += record[i] == port;
    return n;
}

int port_calls_in_all(void)
{
    return record_count;
}

enum port port_of_call(int number)
{
    assert_in_range(number, 1, record_count);
    return record[number - 1];
}

void assert_calls(const char *names)
{
    char made[4096] = "";
    for (int i = 0; i < record_count; i++) {
        assert_true(strlen(made) + strlen(port_names[record[i]]) + 2 < sizeof made);
        if (i > 0)
            strcat(made, " ");
        strcat(made, port_names[record[i]]);
    }
    assert_string_equal(made, names);
}

void port_forget(void)
{
    record_count = 0;
    scripts.by_number_count = 0;
}

void port_reset(void)
{
    assert_true(list_is_empty(&held));
    port_forget();
    memset(&scripts, 0, sizeof scripts);
}

/* --- calls --- */

struct port_call *port_begin(struct flow *f, enum port port)
{
    struct port_call *call = calloc(1, sizeof *call);
    assert_non_null(call);
    bool is_recorded = port != KV_LEASE_HOLD;
    if (is_recorded) {
        assert_in_range(record_count, 0, CALLS_MAX - 1);
        record[record_count++] = port;
    }
    call->port = port;
    call->script = script_of(port, is_recorded);
    call->op = flow_op_begin(f);
    return call;
}

bool port_takes_effect(const struct port_call *call)
{
    return call->script.err == OK || call->script.is_lost;
}

static void deliver(struct port_call *call)
{
    struct flow_op *op = call->op;
    enum err err = call->err;
    if (err == OK && call->size)
        memcpy(call->out, call->result, call->size);
    free(call->result);
    free(call);
    flow_op_done(op, err);
}

static void on_task(struct loop_task *t)
{
    deliver(container_of(t, struct port_call, task));
}

static void on_timer(struct timer *t)
{
    deliver(container_of(t, struct port_call, timer));
}

void port_answer(struct port_call *call, enum err err, void *out, const void *result, size_t size)
{
    call->err = call->script.err ? call->script.err : err;
    call->out = out;
    call->size = size;
    call->result = malloc(size + 1);
    assert_non_null(call->result);
    if (size)
        memcpy(call->result, result, size);
    call->task.run = on_task;
    if (call->script.is_held)
        list_add_tail(&held, &call->link);
    else if (call->script.delay_ms)
        timer_start(&call->timer, call->script.delay_ms, on_timer);
    else
        loop_defer(&call->task);
}

bool port_release(void)
{
    if (list_is_empty(&held))
        return false;
    struct port_call *call = LIST_FIRST(&held, struct port_call, link);
    list_remove(&call->link);
    loop_defer(&call->task);
    return true;
}

void port_release_of(enum port port)
{
    LIST_EACH (n, &held) {
        struct port_call *call = container_of(n, struct port_call, link);
        if (call->port == port) {
            list_remove(&call->link);
            loop_defer(&call->task);
            return;
        }
    }
    fail_msg("no call of %s is held", port_names[port]);
}
