/* How a session ends, and the timers of a running one. A run holds no timer of its own: every time is
 * computed from its fields by `pick`, which session_run_due and session_run_next_ms share, so the two cannot
 * disagree. */
#include "conversation/domain/session.h"

#include <assert.h>
#include <string.h>

const char *const session_status_names[] = {"waiting", "active",    "completed", "aborted",
                                            "expired", "cancelled", NULL};
const char *const session_end_reason_names[] = {"",         "completed", "dropped", "timeout",
                                                "reported", "left",      "no_show", NULL};
const char *const session_type_names[] = {"practice", "tandem", NULL};

/* --- endings --- */

/* One row an event: how it ends a waiting session, an active one in its first minute, and one active for
 * longer. Status SESSION_STATUS_COUNT: it cannot. */
static const struct {
    enum session_end_reason reason;
    enum session_status waiting, active_early, active;
} endings[SESSION_EVENT_COUNT] = {
    [SESSION_EVENT_LEAVE] = {END_LEFT, SESSION_CANCELLED, SESSION_ABORTED, SESSION_COMPLETED},
    [SESSION_EVENT_DROP] = {END_DROPPED, SESSION_STATUS_COUNT, SESSION_ABORTED, SESSION_COMPLETED},
    [SESSION_EVENT_END] = {END_COMPLETED, SESSION_CANCELLED, SESSION_COMPLETED, SESSION_COMPLETED},
    [SESSION_EVENT_LIMIT] = {END_TIMEOUT, SESSION_STATUS_COUNT, SESSION_COMPLETED, SESSION_COMPLETED},
    [SESSION_EVENT_NO_SHOW] = {END_NO_SHOW, SESSION_EXPIRED, SESSION_STATUS_COUNT, SESSION_STATUS_COUNT},
    [SESSION_EVENT_REPORT] = {END_REPORTED, SESSION_CANCELLED, SESSION_COMPLETED, SESSION_COMPLETED},
};

bool session_ending_of(enum session_status status, enum session_event event, int64_t active_ms,
                       struct session_ending *out)
{
    assert(event < SESSION_EVENT_COUNT);
    enum session_status ended = SESSION_STATUS_COUNT;
    if (status == SESSION_WAITING)
        ended = endings[event].waiting;
    else if (status == SESSION_ACTIVE)
        ended = active_ms < SESSION_ABORT_WINDOW_MS ? endings[event].active_early : endings[event].active;
    if (ended == SESSION_STATUS_COUNT)
        return false;
    /* Nothing was completed in a session that had not begun: whoever ended it there has left it. */
    bool is_called_off = status == SESSION_WAITING && event == SESSION_EVENT_END;
    *out =
        (struct session_ending){.status = ended, .reason = is_called_off ? END_LEFT : endings[event].reason};
    return true;
}

const char *session_end_wire_reason(enum session_end_reason reason)
{
    switch (reason) {
    case END_COMPLETED: return "completed";
    case END_LEFT:
    case END_DROPPED:
    case END_NO_SHOW: return "partner_left";
    case END_TIMEOUT: return "timeout";
    case END_NONE:
    case END_REPORTED:
    case END_REASON_COUNT: break;
    }
    return "error";
}

int session_participant_index(const struct session *s, const struct uuid *user_id)
{
    for (int i = 0; i < 2; i++) {
        if (uuid_eq(&s->participants[i].user_id, user_id))
            return i;
    }
    return -1;
}

/* --- prompts --- */

/* When `key` was last shown, counted from 1; 0: never. */
static int last_shown(const char *key, const char *const *shown, int shown_count)
{
    for (int i = shown_count; i > 0; i--) {
        if (strcmp(shown[i - 1], key) == 0)
            return i;
    }
    return 0;
}

static const struct topic_prompt *first_unused(const struct topic_prompt *prompts, size_t count,
                                               const char *const *shown, int shown_count)
{
    static const int rank[PROMPT_TYPE_COUNT] = {
        [PROMPT_FOLLOW_UP] = 0, [PROMPT_MAIN] = 1, [PROMPT_ICEBREAKER] = 2};
    const struct topic_prompt *best = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct topic_prompt *p = &prompts[i];
        if (last_shown(p->key, shown, shown_count))
            continue;
        if (!best || rank[p->type] < rank[best->type] || (p->type == best->type && p->order < best->order))
            best = p;
    }
    return best;
}

/* The least recently shown one of `type`; of any type when that is PROMPT_TYPE_COUNT. */
static const struct topic_prompt *longest_ago(const struct topic_prompt *prompts, size_t count,
                                              const char *const *shown, int shown_count,
                                              enum prompt_type type)
{
    const struct topic_prompt *best = NULL;
    int best_at = 0;
    for (size_t i = 0; i < count; i++) {
        int at = last_shown(prompts[i].key, shown, shown_count);
        if ((type == PROMPT_TYPE_COUNT || prompts[i].type == type) && (!best || at < best_at)) {
            best = &prompts[i];
            best_at = at;
        }
    }
    return best;
}

const struct topic_prompt *session_choose_prompt(const struct topic_prompt *prompts, size_t count,
                                                 const char *const *shown, int shown_count)
{
    const struct topic_prompt *p = shown_count == 0 ? topic_first_prompt(prompts, count) : NULL;
    if (!p)
        p = first_unused(prompts, count, shown, shown_count);
    if (!p)
        p = longest_ago(prompts, count, shown, shown_count, PROMPT_MAIN);
    if (!p)
        p = longest_ago(prompts, count, shown, shown_count, PROMPT_TYPE_COUNT);
    return p;
}

/* --- the run --- */

/* splitmix64's output function: a well mixed number of the state, which prompt_interval_ms only looks at. */
static uint64_t mixed(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
    return x ^ (x >> 31);
}

static int64_t prompt_interval_ms(const struct session_run *run, const struct session_limits *limits)
{
    assert(limits->prompt_min_ms <= limits->prompt_max_ms);
    uint64_t choices = (uint64_t)(limits->prompt_max_ms - limits->prompt_min_ms) + 1;
    return limits->prompt_min_ms + (int64_t)(mixed(run->random) % choices);
}

static void note_shown(struct session_run *run, const char *key, int64_t at_ms)
{
    if (run->prompts_shown < SESSION_PROMPTS_MAX)
        run->shown_keys[run->prompts_shown++] = key;
    run->last_prompt_at_ms = at_ms;
    run->next_prompt_at_ms = 0;
    run->random += 0x9E3779B97F4A7C15ULL; /* splitmix64's step */
}

static void arm(struct session_run *run, int64_t started_at_ms, int max_duration_seconds)
{
    run->status = SESSION_ACTIVE;
    run->started_at_ms = started_at_ms;
    run->limit_at_ms = started_at_ms + (int64_t)max_duration_seconds * 1000;
    run->next_prompt_at_ms = started_at_ms;
}

void session_run_init(struct session_run *run, const struct session *s, const struct topic_prompt *prompts,
                      size_t prompt_count, uint64_t seed)
{
    *run = (struct session_run){.status = s->status,
                                .type = s->type,
                                .scheduled_at_ms = s->scheduled_at_ms,
                                .first_joined_at_ms = s->first_joined_at_ms,
                                .prompts = prompts,
                                .prompt_count = prompt_count,
                                .random = seed};
    if (s->status == SESSION_ACTIVE)
        arm(run, s->started_at_ms, s->max_duration_seconds);
}

void session_run_was_shown(struct session_run *run, const char *key, int64_t displayed_at_ms)
{
    if (strcmp(key, SESSION_SWITCH_KEY) == 0) {
        run->is_switched = true;
        return;
    }
    const char *own = ""; /* a prompt that the topic has lost counts, and is never chosen */
    for (size_t i = 0; i < run->prompt_count; i++) {
        if (strcmp(run->prompts[i].key, key) == 0)
            own = run->prompts[i].key;
    }
    note_shown(run, own, displayed_at_ms);
}

void session_run_present(struct session_run *run, int who, int64_t now_ms)
{
    run->is_present[who] = true;
    run->dropped_at_ms[who] = 0;
    if (run->first_joined_at_ms == 0)
        run->first_joined_at_ms = now_ms;
    /* The first to come back to a session taken over after a crash: the other one has the grace from now on.
     */
    if (!run->is_present[1 - who])
        session_run_absent(run, 1 - who, now_ms);
}

void session_run_absent(struct session_run *run, int who, int64_t now_ms)
{
    run->is_present[who] = false;
    if (run->status == SESSION_ACTIVE && run->dropped_at_ms[who] == 0)
        run->dropped_at_ms[who] = now_ms;
}

void session_run_activate(struct session_run *run, int64_t started_at_ms, int max_duration_seconds)
{
    arm(run, started_at_ms, max_duration_seconds);
    for (int who = 0; who < 2; who++) {
        if (!run->is_present[who])
            run->dropped_at_ms[who] = started_at_ms; /* its socket closed while the database was activating */
    }
}

static bool has_prompts_left(const struct session_run *run, const struct session_limits *limits)
{
    int max = limits->prompts_max < SESSION_PROMPTS_MAX ? limits->prompts_max : SESSION_PROMPTS_MAX;
    return run->prompt_count > 0 && run->prompts_shown < max;
}

enum err session_run_request_prompt(struct session_run *run, const struct session_limits *limits,
                                    int64_t now_ms)
{
    if (run->status != SESSION_ACTIVE || !has_prompts_left(run, limits))
        return ERR_CONFLICT;
    if (run->last_request_at_ms && now_ms - run->last_request_at_ms < limits->prompt_request_gap_ms)
        return ERR_RATE_LIMITED;
    run->last_request_at_ms = now_ms;
    if (run->next_prompt_at_ms == 0 || run->next_prompt_at_ms > now_ms)
        run->next_prompt_at_ms = now_ms;
    return OK;
}

struct due {
    int64_t at_ms;
    struct session_action action;
};

/* Keeps the earlier one; of two at the same time the one offered first. */
static void offer(struct due *best, int64_t at_ms, struct session_action action)
{
    if (at_ms < best->at_ms)
        *best = (struct due){.at_ms = at_ms, .action = action};
}

static void pick_waiting(const struct session_run *run, const struct session_limits *limits, struct due *best)
{
    /* Both present: the database is about to make it active. */
    if (run->first_joined_at_ms == 0 || (run->is_present[0] && run->is_present[1]))
        return;
    int absent = run->is_present[0] ? 1 : run->is_present[1] ? 0 : -1;
    bool came_early = run->first_joined_at_ms < run->scheduled_at_ms;
    int64_t from_ms = came_early ? run->scheduled_at_ms : run->first_joined_at_ms;
    offer(best, from_ms + limits->join_window_ms,
          (struct session_action){.kind = ACTION_END, .event = SESSION_EVENT_NO_SHOW, .who = absent});
}

static void pick_ending(const struct session_run *run, const struct session_limits *limits, struct due *best)
{
    for (int who = 0; who < 2; who++) {
        if (run->dropped_at_ms[who])
            offer(best, run->dropped_at_ms[who] + limits->grace_ms,
                  (struct session_action){.kind = ACTION_END,
                                          .event = SESSION_EVENT_DROP,
                                          .who = who,
                                          .at_ms = run->dropped_at_ms[who]});
    }
    offer(best, run->limit_at_ms,
          (struct session_action){
              .kind = ACTION_END, .event = SESSION_EVENT_LIMIT, .who = -1, .at_ms = run->limit_at_ms});
}

static void pick_showing(const struct session_run *run, const struct session_limits *limits, struct due *best)
{
    if (run->type == SESSION_TANDEM && !run->is_switched)
        offer(best, run->started_at_ms + (run->limit_at_ms - run->started_at_ms) / 2,
              (struct session_action){.kind = ACTION_SWITCH_LANGUAGE, .who = -1});
    if (!run->is_warned)
        offer(best, run->limit_at_ms - limits->warn_before_ms,
              (struct session_action){.kind = ACTION_WARN_LIMIT, .who = -1});
    if (has_prompts_left(run, limits)) {
        int64_t at_ms = run->next_prompt_at_ms ? run->next_prompt_at_ms
                                               : run->last_prompt_at_ms + prompt_interval_ms(run, limits);
        offer(best, at_ms, (struct session_action){.kind = ACTION_SHOW_PROMPT, .who = -1});
    }
}

/* The earliest thing to come. Past its limit a session only ends: a process that comes late must not first
 * make up for what it would have shown. */
static struct due pick(const struct session_run *run, const struct session_limits *limits, int64_t now_ms)
{
    struct due best = {.at_ms = INT64_MAX, .action = {.kind = ACTION_NONE, .who = -1}};
    if (run->status == SESSION_WAITING)
        pick_waiting(run, limits, &best);
    if (run->status == SESSION_ACTIVE)
        pick_ending(run, limits, &best);
    if (run->status == SESSION_ACTIVE && now_ms < run->limit_at_ms)
        pick_showing(run, limits, &best);
    return best;
}

static void end_run(struct session_run *run, const struct session_action *action, int64_t now_ms)
{
    int64_t until_ms = action->at_ms ? action->at_ms : now_ms;
    struct session_ending ending;
    bool is_legal = session_ending_of(run->status, action->event, until_ms - run->started_at_ms, &ending);
    assert(is_legal); /* pick offers only what the table allows */
    run->status = ending.status;
}

struct session_action session_run_due(struct session_run *run, const struct session_limits *limits,
                                      int64_t now_ms)
{
    struct due due = pick(run, limits, now_ms);
    if (due.at_ms > now_ms)
        return (struct session_action){.kind = ACTION_NONE, .who = -1};
    switch (due.action.kind) {
    case ACTION_END: end_run(run, &due.action, now_ms); break;
    case ACTION_SHOW_PROMPT:
        due.action.prompt =
            session_choose_prompt(run->prompts, run->prompt_count, run->shown_keys, run->prompts_shown);
        note_shown(run, due.action.prompt->key, now_ms);
        break;
    case ACTION_WARN_LIMIT: run->is_warned = true; break;
    case ACTION_SWITCH_LANGUAGE: run->is_switched = true; break;
    case ACTION_NONE: break;
    }
    return due.action;
}

void session_run_goes_on(struct session_run *run, int who, int64_t now_ms)
{
    run->status = SESSION_ACTIVE;
    if (who >= 0)
        run->dropped_at_ms[who] = 0;
    for (int i = 0; i < 2; i++) /* who went while the database was asked has not begun its grace */
        if (!run->is_present[i])
            session_run_absent(run, i, now_ms);
}

int64_t session_run_next_ms(const struct session_run *run, const struct session_limits *limits)
{
    return pick(run, limits, INT64_MIN).at_ms;
}
