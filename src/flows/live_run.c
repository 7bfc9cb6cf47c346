/* The timers of live sessions, and what comes when they are due. Every instance that holds a session runs
 * them, so that its socket is shown everything at its time whether or not the instances hear each other: the
 * same prompts, for their choice and their times follow from the session's id and from how many were shown.
 */
#include "conversation/base/clock.h"
#include "conversation/base/log.h"
#include "conversation/base/metrics.h"
#include "conversation/config.h"
#include "flows/job.h"
#include "flows/live_parts.h"

static struct session_limits limits(void)
{
    return (struct session_limits){
        .join_window_ms = config.session_join_window_seconds * 1000LL,
        .grace_ms = config.session_reconnect_grace_seconds * 1000LL,
        .prompt_min_ms = config.prompt_interval_min_seconds * 1000LL,
        .prompt_max_ms = config.prompt_interval_max_seconds * 1000LL,
        .prompts_max = config.prompts_max,
        .prompt_request_gap_ms = config.prompt_request_gap_seconds * 1000LL,
        .warn_before_ms = 60000,
    };
}

static void on_timer(struct timer *t)
{
    live_run_due(container_of(t, struct live, timer));
}

void live_arm(struct live *l)
{
    struct session_limits lim = limits();
    int64_t next = session_run_next_ms(&l->run, &lim);
    if (next == INT64_MAX) {
        timer_stop(&l->timer);
        return;
    }
    int64_t wait = next - clock_now_ms();
    timer_start(&l->timer, wait > 0 ? wait : 0, on_timer);
}

static void show_prompt(struct live *l, const struct topic_prompt *prompt)
{
    tell_prompt(l, prompt->key, prompt_category_names[prompt->type]);
    if (!live_runs(l))
        return;
    metric_inc(M_PROMPTS, prompt_type_names[prompt->type]);
    LOG(LOG_INFO, "prompt.displayed", LOG_UUID("sessionId", &l->session.id), LOG_Z("promptKey", prompt->key));
    job_prompt_store(&l->session.id, prompt);
    session_keys_changed(&l->keys);
}

static void switch_language(struct live *l)
{
    static const struct topic_prompt prompt = {.key = SESSION_SWITCH_KEY, .type = PROMPT_MAIN};
    tell_prompt(l, prompt.key, prompt_category_names[prompt.type]);
    if (live_runs(l))
        job_prompt_store(&l->session.id, &prompt); /* so that a restart does not tell it again */
}

static int latest_join(const struct peer *p)
{
    return p->join_number > p->row_number ? p->join_number : p->row_number;
}

static void act(struct live *l, const struct session_action *a)
{
    static const struct uuid nobody;
    switch (a->kind) {
    case ACTION_END:
        job_session_end(&(struct db_session_ending){
            .id = l->session.id,
            .by = a->who >= 0 ? l->session.participants[a->who].user_id : nobody,
            .event = a->event,
            .at_ms = a->at_ms,
            .join = a->who >= 0 ? latest_join(&l->peers[a->who]) : 0,
        });
        break;
    case ACTION_SHOW_PROMPT: show_prompt(l, a->prompt); break;
    case ACTION_WARN_LIMIT: tell_prompt(l, "session.one_minute_left", "main_topic"); break;
    case ACTION_SWITCH_LANGUAGE: switch_language(l); break;
    case ACTION_NONE: break;
    }
}

void live_run_due(struct live *l)
{
    struct session_limits lim = limits();
    struct session_action a;
    while ((a = session_run_due(&l->run, &lim, clock_now_ms())).kind != ACTION_NONE)
        act(l, &a);
    live_arm(l);
}

enum err live_request_prompt(struct live *l)
{
    struct session_limits lim = limits();
    enum err err = session_run_request_prompt(&l->run, &lim, clock_now_ms());
    if (err)
        return err;
    live_run_due(l);
    if (live_is_shared(l))
        remote_say_state(l, false); /* before its time: the other instance would show it later */
    return OK;
}

void live_catch_up(struct live *l, int shown, int64_t at_ms)
{
    struct session_run *run = &l->run;
    if (run->status != SESSION_ACTIVE || shown > SESSION_PROMPTS_MAX)
        return;
    while (run->prompts_shown < shown) {
        const struct topic_prompt *p =
            session_choose_prompt(run->prompts, run->prompt_count, run->shown_keys, run->prompts_shown);
        if (!p)
            return; /* the topic has lost its prompts since the other instance read them */
        session_run_was_shown(run, p->key, at_ms);
        run->last_request_at_ms = at_ms; /* it came before its time: somebody has asked for it */
        show_prompt(l, p);
    }
    live_arm(l);
}
