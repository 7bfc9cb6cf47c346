/* Set-up. */
#include "flows/fakes/world.h"

#include <uv.h>

#include "conversation/base/log.h"
#include "flows/fakes/outbox.h"
#include "flows/matchmaker.h"
#include "flows/outbox.h"
#include "flows/topic_lists.h"

enum { TURNS_MAX = 1000 };

static int64_t now_ms,
    mono_ms = 1000000; /* the monotonic clock goes on from test to test, as the timer wheel does */

int64_t world_now_ms(void)
{
    return now_ms;
}

struct uuid id_of(const char *text)
{
    struct uuid id;
    assert_true(uuid_parse(str_of(text), &id));
    return id;
}

/* --- time --- */

/* Until nothing is deferred any more: the loop would sleep. */
static void settle(void)
{
    int turns = 0;
    do {
        loop_turn_for_test();
        assert_in_range(++turns, 1, TURNS_MAX);
    } while (uv_backend_timeout(loop_uv()) == 0);
}

static void step(int64_t ms)
{
    now_ms += ms;
    mono_ms += ms;
    clock_set_for_test(now_ms, mono_ms);
    timer_wheel_advance(mono_ms);
    settle();
}

void pass_ms(int64_t ms)
{
    settle();
    while (ms > 0) {
        int64_t next = timer_wheel_next_ms();
        int64_t part = next > 0 && next < ms ? next : ms;
        step(part);
        ms -= part;
    }
}

/* --- begin and end --- */

static void load_defaults(void)
{
    char problem[512];
    if (!config_load(NULL, problem))
        fail_msg("%s", problem);
}

int world_begin(void **state)
{
    (void)state;
    now_ms = T0;
    clock_set_for_test(now_ms, mono_ms);
    log_set_threshold(LOG_ERROR + 1); /* refusals and failures are what is tested */
    load_defaults();
    loop_init();
    port_reset();
    fake_db_reset();
    fake_privacy_reset();
    fake_projection_reset();
    fake_kv_reset();
    fake_kv_user_reset();
    fake_profile_reset();
    fake_outbox_reset();
    return 0;
}

int world_end(void **state)
{
    (void)state;
    matchmaker_stop();
    outbox_done();
    flow_cancel_all(ERR_CANCELLED);
    while (port_release())
        continue;
    settle();
    live_done();
    topic_lists_drop();
    size_t flows_left = flow_active_count();
    loop_done();
    port_reset();
    bus_reset();
    sockets_reset();
    fake_consumer_reset();
    reply_reset();
    metrics_reset();
    config_free();
    log_done();
    assert_int_equal(flows_left, 0);
    return 0;
}

void world_again(void)
{
    world_end(NULL);
    world_begin(NULL);
}

/* --- rows --- */

static const struct topic_prompt travel_prompts[] = {
    {"p.ice", PROMPT_ICEBREAKER, 1}, {"p.main1", PROMPT_MAIN, 1},        {"p.main2", PROMPT_MAIN, 2},
    {"p.main3", PROMPT_MAIN, 3},     {"p.follow1", PROMPT_FOLLOW_UP, 1}, {"p.follow2", PROMPT_FOLLOW_UP, 2},
};

struct topic *given_topic(void)
{
    struct topic *t = &fake_db.topics[fake_db.topic_count++];
    *t = (struct topic){
        .code = "travel",
        .language = "es",
        .name_key = "topics.travel.name",
        .description_key = "topics.travel.description",
        .title = "Travel",
        .level = LEVEL_A2,
        .category = CATEGORY_TRAVEL,
        .estimated_duration_minutes = 15,
        .popularity_score = 0.5,
        .has_required_skills = true,
        .prompts = travel_prompts,
        .prompt_count = sizeof travel_prompts / sizeof travel_prompts[0],
    };
    return t;
}

struct match_request request_by(const char *id, const char *user_id)
{
    return (struct match_request){
        .id = id_of(id),
        .user_id = id_of(user_id),
        .target_language = "es",
        .native_language = "fr",
        .topic_code = "travel",
        .display_name = "Learner",
        .topic_category = CATEGORY_TRAVEL,
        .level = LEVEL_B1,
        .max_wait_seconds = 120,
        .created_at_ms = now_ms,
        .expires_at_ms = now_ms + 120000,
        .history_is_known = true,
    };
}

struct match_request *given_request(const char *id, const char *user_id)
{
    struct match_request *r = &fake_db.requests[fake_db.request_count++];
    *r = request_by(id, user_id);
    return r;
}

struct session *given_session(void)
{
    given_topic();
    struct session *s = &fake_db.sessions[fake_db.session_count++];
    *s = (struct session){
        .id = id_of(SESSION),
        .target_language = "es",
        .topic_code = "travel",
        .created_at_ms = now_ms,
        .max_duration_seconds = 900,
        .participants =
            {
                {.user_id = id_of(ANA),
                 .display_name = "Ana",
                 .avatar_url = "https://img.example/ana.png",
                 .native_language = "fr",
                 .target_language = "es"},
                {.user_id = id_of(BEN),
                 .display_name = "Ben",
                 .native_language = "en",
                 .target_language = "es"},
            },
    };
    return s;
}

struct session *given_active_session(void)
{
    struct session *s = given_session();
    s->status = SESSION_ACTIVE;
    s->first_joined_at_ms = s->started_at_ms = now_ms - 2 * MINUTE;
    s->participants[0].joined_at_ms = s->participants[1].joined_at_ms = s->started_at_ms;
    return s;
}

struct session *session_row(void)
{
    struct uuid id = id_of(SESSION);
    return fake_session(&id);
}

/* --- live sessions --- */

struct caller *joins(const char *user_id, uint64_t socket_id)
{
    char payload[128];
    snprintf(payload, sizeof payload, "{'userId':'%s','sessionId':'%s'}", user_id, SESSION);
    struct caller *c = event_call(user_id, socket_id, &event_join_session, payload);
    pass_ms(0);
    return c;
}

void given_conversation(void)
{
    given_session();
    socket_opens(ANAS, ANA);
    socket_opens(BENS, BEN);
    joins(ANA, ANAS);
    joins(BEN, BENS);
    assert_int_equal(session_row()->status, SESSION_ACTIVE);
    sockets_forget();
    port_forget();
}

struct live *live_one(void)
{
    struct uuid id = id_of(SESSION);
    return live_get(&id);
}

/* --- looking --- */

void assert_metric(const char *line)
{
    struct buf text = {0}, wanted = {0};
    buf_addf(&wanted, "\n%s\n", line);
    buf_addc(&wanted, '\0');
    metrics_render(&text);
    buf_addc(&text, '\0');
    bool has_it = strstr(text.p, wanted.p) != NULL;
    if (!has_it)
        print_error("no line \"%s\" in\n%s", line, text.p);
    buf_done(&text);
    buf_done(&wanted);
    assert_true(has_it);
}

void assert_row(enum session_status status, enum session_end_reason reason)
{
    assert_string_equal(session_status_names[session_row()->status], session_status_names[status]);
    assert_string_equal(session_end_reason_names[session_row()->end_reason],
                        session_end_reason_names[reason]);
}
