/* The events leave_session and request_next_prompt, and the relayed ones: offer, answer, ice_candidate. */
#include "flows/fakes/failures.h"

#include "conversation/base/json_scan.h"
#include "conversation/codec/sdp.h"
#include "flows/event/relay.h"
#include "flows/live_parts.h"

/* --- leave_session --- */

static struct caller *leaves(const char *user_id, uint64_t socket_id)
{
    struct caller *c = event_call(user_id, socket_id, &event_leave_session, "{'sessionId':'" SESSION "'}");
    pass_ms(0);
    return c;
}

static void leaving_tells_the_partner(void **state)
{
    (void)state;
    given_conversation();
    pass_ms(90000);
    assert_ack(leaves(ANA, ANAS), "{'status':'ok','sessionStatus':'completed'}");
    assert_told(BENS, "partner_left", "{'partnerId':'" ANA "','reason':'ended'}");
    assert_told(BENS, "session_ended",
                "{'sessionId':'" SESSION "','reason':'partner_left','durationSeconds':90}");
    assert_told(ANAS, "session_ended",
                "{'sessionId':'" SESSION "','reason':'partner_left','durationSeconds':90}");
    assert_false(socket_is_in_any(ANAS) || socket_is_in_any(BENS));
    assert_int_equal(fake_db.asked.ending.event, SESSION_EVENT_LEAVE);
}

static void leaving_before_it_began_cancels(void **state)
{
    (void)state;
    given_session();
    socket_opens(ANAS, ANA);
    joins(ANA, ANAS);
    assert_ack(leaves(ANA, ANAS), "{'status':'ok','sessionStatus':'cancelled'}");
    assert_null(live_one());
}

static void leaving_twice_gives_the_same_answer(void **state)
{
    (void)state;
    given_conversation();
    leaves(ANA, ANAS);
    sockets_forget();
    assert_ack(leaves(ANA, ANAS), "{'status':'ok','sessionStatus':'aborted'}");
    assert_told_nothing(ANAS);
    assert_told_nothing(BENS);
}

static void may_say_who_leaves_but_nobody_else(void **state)
{
    (void)state;
    given_conversation();
    struct caller *c =
        event_call(ANA, ANAS, &event_leave_session, "{'userId':'" BEN "','sessionId':'" SESSION "'}");
    pass_ms(0);
    assert_refused(c, ERR_FORBIDDEN, "[{'field':'userId','reason':'is not the user of this socket'}]");
    assert_non_null(live_one());
    c = event_call(ANA, ANAS, &event_leave_session, "{'userId':'" ANA "','sessionId':'" SESSION "'}");
    pass_ms(0);
    assert_ack(c, "{'status':'ok','sessionStatus':'aborted'}");
}

static void a_stranger_cannot_leave(void **state)
{
    (void)state;
    given_conversation();
    socket_opens(EVES, EVE);
    assert_refused(leaves(EVE, EVES), ERR_SESSION_NOT_FOUND, NULL);
    assert_non_null(live_one());
}

static void leaving_needs_the_session(void **state)
{
    (void)state;
    struct caller *c = event_call(ANA, ANAS, &event_leave_session, "{}");
    pass_ms(0);
    assert_refused(c, ERR_INVALID_REQUEST, "[{'field':'sessionId','reason':'required'}]");
}

static struct caller *ana_leaves(void)
{
    return leaves(ANA, ANAS);
}

static void live_agrees_with_the_row(const struct attempt *a)
{
    (void)a;
    pass_ms(2000);
    assert_int_equal(live_one() != NULL, !session_is_over(session_row()));
}

static const struct scenario leaving = {.given = given_conversation,
                                        .start = ana_leaves,
                                        .then = live_agrees_with_the_row,
                                        .tolerated = PORT_BIT(KV_SESSION_CLEAR)};

static void a_leave_that_the_database_did_too_late_is_told(void **state)
{
    (void)state;
    given_conversation();
    port_script_next(DB_SESSION_END, (struct port_script){.is_held = true});
    struct caller *c = leaves(ANA, ANAS);
    pass_ms(5100);
    assert_refused(c, ERR_TIMEOUT, NULL);
    port_release();
    pass_ms(2000);
    assert_int_equal(c->answers, 1);
    live_agrees_with_the_row(NULL);
}

/* --- request_next_prompt --- */

static struct caller *asks_for_prompt(void)
{
    struct caller *c = event_call(ANA, ANAS, &event_request_next_prompt, "{'sessionId':'" SESSION "'}");
    pass_ms(0);
    return c;
}

static void both_get_the_next_prompt(void **state)
{
    (void)state;
    given_conversation();
    pass_ms(20000);
    assert_ack(asks_for_prompt(), "{'status':'ok'}");
    assert_told(ANAS, "new_prompt", "{'promptKey':'p.follow1','category':'follow_up'}");
    assert_told(BENS, "new_prompt", "{'promptKey':'p.follow1','category':'follow_up'}");
    assert_string_equal(fake_db.shown[1].key, "p.follow1");
    assert_metric("prompts_displayed_total{type=\"follow_up\"} 1");
}

static void not_more_than_one_in_ten_seconds(void **state)
{
    (void)state;
    given_conversation();
    pass_ms(20000);
    asks_for_prompt();
    sockets_forget();
    pass_ms(9990);
    assert_refused(asks_for_prompt(), ERR_RATE_LIMITED, NULL);
    assert_told_nothing(BENS);
    pass_ms(10);
    assert_ack(asks_for_prompt(), "{'status':'ok'}");
}

static void five_prompts_are_all(void **state)
{
    (void)state;
    given_conversation(); /* with the icebreaker shown */
    for (int i = 0; i < 4; i++) {
        pass_ms(15000);
        assert_ack(asks_for_prompt(), "{'status':'ok'}");
    }
    pass_ms(15000);
    assert_refused(asks_for_prompt(), ERR_NO_PROMPT_LEFT, NULL);
    assert_int_equal(fake_db.shown_count, 5);
}

static void asking_restarts_the_interval(void **state)
{
    (void)state;
    given_conversation();
    pass_ms(170000); /* just before the earliest next one */
    asks_for_prompt();
    sockets_forget();
    pass_ms(179000);
    assert_told_nothing(ANAS);
    pass_ms(121100);
    next_told(ANAS, "new_prompt");
}

static void a_waiting_session_has_no_next_prompt(void **state)
{
    (void)state;
    given_session();
    socket_opens(ANAS, ANA);
    joins(ANA, ANAS);
    const struct caller *c = asks_for_prompt();
    assert_int_equal(c->answers, 1);
    assert_true(c->err == ERR_NO_PROMPT_LEFT || c->err == ERR_CONFLICT);
}

static void no_prompts_after_the_end(void **state)
{
    (void)state;
    given_conversation();
    leaves(ANA, ANAS);
    assert_refused(asks_for_prompt(), ERR_NOT_IN_SESSION, NULL);
}

static void a_prompt_is_shown_though_it_cannot_be_stored(void **state)
{
    (void)state;
    given_conversation();
    pass_ms(20000);
    fake_db_goes_away();
    assert_ack(asks_for_prompt(), "{'status':'ok'}");
    assert_told(BENS, "new_prompt", "{'promptKey':'p.follow1','category':'follow_up'}");
    pass_ms(11000);
    fake_db_comes_back();
    pass_ms(1100);
    assert_string_equal(fake_db.shown[1].key, "p.follow1");
    assert_int_equal(fake_db.shown[1].at_ms, T0 + 20000); /* when it was shown, not when it was stored */
    assert_int_equal(flow_active_count(), 0);
}

/* --- relay --- */

#define SDP(ufrag)                                                                                     \
    "v=0\\r\\no=- 1 1 IN IP4 127.0.0.1\\r\\ns=-\\r\\nt=0 0\\r\\nm=audio 9 UDP/TLS/RTP/SAVPF 111\\r\\n" \
    "c=IN IP4 0.0.0.0\\r\\na=ice-ufrag:" ufrag "\\r\\na=ice-pwd:asd88fgpdd777uzjYhagZg12\\r\\n"        \
    "a=fingerprint:sha-256 "                                                                           \
    "AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99\\r\\n"
#define CANDIDATE "candidate:1 1 udp 2122260223 192.0.2.1 54400 typ host"

/* `payload` in single-quoted JSON; *reason, if asked for, is why it was refused. */
static enum err relay_of(const char *user_id, enum err (*handler)(struct relay_call *), const char *payload,
                         const char **reason)
{
    char *json = json_of_quoted(payload);
    struct json_wanted members[] = {{.key = STR("targetUserId")},
                                    {.key = handler == relay_ice_candidate ? STR("candidate") : STR("sdp")}};
    struct json_index index;
    enum json_type type;
    assert_true(json_take_indexed(&(struct str){json, strlen(json)}, &type, &index));
    json_find(&index, NULL, members, 2);
    struct relay_call call = {.index = &index,
                              .target = &members[0],
                              .value = &members[1],
                              .socket_id = ANAS,
                              .session = live_one() ? live_one()->number : 0,
                              .user_id = id_of(user_id)};
    enum err err = handler(&call);
    if (reason)
        *reason = call.reason;
    free(json);
    return err;
}

static enum err anas_candidate(void)
{
    return relay_of(ANA, relay_ice_candidate,
                    "{'sessionId':'" SESSION "','targetUserId':'" BEN "','candidate':{'candidate':'" CANDIDATE
                    "'}}",
                    NULL);
}

static enum err anas_offer(const char *sdp)
{
    char payload[1024];
    snprintf(payload, sizeof payload, "{'sessionId':'%s','targetUserId':'%s','sdp':'%s'}", SESSION, BEN, sdp);
    return relay_of(ANA, relay_offer, payload, NULL);
}

static void relays_to_the_partner_only_and_verbatim(void **state)
{
    (void)state;
    given_conversation();
    assert_int_equal(anas_offer(SDP("abcd")), OK);
    assert_told(BENS, "offer", "{'from':'" ANA "','sdp':'" SDP("abcd") "'}");
    assert_int_equal(relay_of(BEN, relay_answer, "{'targetUserId':'" ANA "','sdp':'" SDP("efgh") "'}", NULL),
                     OK);
    assert_told(ANAS, "answer", "{'from':'" BEN "','sdp':'" SDP("efgh") "'}");
    assert_int_equal(anas_candidate(), OK);
    assert_told(BENS, "ice_candidate", "{'from':'" ANA "','candidate':{'candidate':'" CANDIDATE "'}}");
    assert_told_nothing(ANAS);
    assert_told_nothing(BENS);
}

static void candidates_are_passed_on_with_all_their_members(void **state)
{
    static const char *const candidates[] = {
        "{'candidate':'" CANDIDATE "','sdpMid':'0','sdpMLineIndex':0,'usernameFragment':'abcd'}",
        "{'candidate':''}",
        "{}",
        "{ 'candidate' : 'a=" CANDIDATE "' , 'x' : [1, {'y':null}] }",
    };
    (void)state;
    given_conversation();
    for (size_t i = 0; i < sizeof candidates / sizeof candidates[0]; i++) {
        char payload[512], expected[512];
        snprintf(payload, sizeof payload, "{'targetUserId':'%s','candidate':%s}", BEN, candidates[i]);
        snprintf(expected, sizeof expected, "{'from':'%s','candidate':%s}", ANA, candidates[i]);
        assert_int_equal(relay_of(ANA, relay_ice_candidate, payload, NULL), OK);
        assert_told(BENS, "ice_candidate", expected);
    }
}

static void refuses_a_target_that_is_not_the_partner(void **state)
{
    static const struct {
        const char *payload;
        enum err err;
        const char *reason;
    } cases[] = {
        {"{'targetUserId':'" EVE "','sdp':'v=0'}", ERR_FORBIDDEN, "targetUserId is not the partner"},
        {"{'targetUserId':'" ANA "','sdp':'v=0'}", ERR_FORBIDDEN, "targetUserId is not the partner"},
        {"{'targetUserId':'Ben','sdp':'v=0'}", ERR_INVALID_REQUEST, "targetUserId must be a UUID"},
        {"{'targetUserId':7,'sdp':'v=0'}", ERR_INVALID_REQUEST, "targetUserId must be a UUID"},
        {"{'targetUserId':null}", ERR_INVALID_REQUEST, "targetUserId must be a UUID"},
        {"{}", ERR_INVALID_REQUEST, "targetUserId must be a UUID"},
    };
    enum err (*const handlers[])(struct relay_call *) = {relay_offer, relay_answer, relay_ice_candidate};
    (void)state;
    given_conversation();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int h = 0; h < 3; h++) {
            const char *reason = NULL;
            assert_int_equal(relay_of(ANA, handlers[h], cases[i].payload, &reason), cases[i].err);
            assert_string_equal(reason, cases[i].reason);
        }
    }
    assert_told_nothing(BENS);
}

static void refuses_bad_descriptions_and_candidates(void **state)
{
#define WITH(members) "'candidate':{'candidate':'" CANDIDATE "'," members "}"
    static const char string[] = "sdp must be a string",
                      wrong_type[] =
                          "candidate has an sdpMid, sdpMLineIndex or usernameFragment of a wrong type";
    static const struct {
        enum err (*handler)(struct relay_call *);
        const char *member;
        enum err err;
        const char *reason;
    } cases[] = {
        {relay_offer, "'x':1", ERR_INVALID_SDP, string},
        {relay_offer, "'sdp':null", ERR_INVALID_SDP, string},
        {relay_offer, "'sdp':''", ERR_INVALID_SDP, "v=0 is not the first line"},
        {relay_answer, "'sdp':{'type':'answer'}", ERR_INVALID_SDP, string},
        {relay_answer, "'sdp':'v=0\\r\\n'", ERR_INVALID_SDP, "no m= section"},
        {relay_ice_candidate, "'x':1", ERR_INVALID_CANDIDATE, "candidate is missing"},
        {relay_ice_candidate, "'candidate':'" CANDIDATE "'", ERR_INVALID_CANDIDATE,
         "candidate must be an RTCIceCandidateInit object"},
        {relay_ice_candidate, "'candidate':{'candidate':7}", ERR_INVALID_CANDIDATE,
         "candidate.candidate must be a string"},
        {relay_ice_candidate, "'candidate':{'candidate':'candidate:1'}", ERR_INVALID_CANDIDATE,
         "the component is not 1 to 256"},
        {relay_ice_candidate, WITH("'sdpMid':0"), ERR_INVALID_CANDIDATE, wrong_type},
        {relay_ice_candidate, WITH("'sdpMLineIndex':'0'"), ERR_INVALID_CANDIDATE, wrong_type},
        {relay_ice_candidate, WITH("'sdpMLineIndex':-1"), ERR_INVALID_CANDIDATE, wrong_type},
        {relay_ice_candidate, WITH("'sdpMLineIndex':0.5"), ERR_INVALID_CANDIDATE, wrong_type},
        {relay_ice_candidate, WITH("'sdpMLineIndex':65536"), ERR_INVALID_CANDIDATE, wrong_type},
        {relay_ice_candidate, WITH("'usernameFragment':{}"), ERR_INVALID_CANDIDATE, wrong_type},
    };
    (void)state;
    given_conversation();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char payload[512];
        const char *reason = "none";
        snprintf(payload, sizeof payload, "{'targetUserId':'%s',%s}", BEN, cases[i].member);
        assert_int_equal(relay_of(ANA, cases[i].handler, payload, &reason), cases[i].err);
        assert_string_equal(reason, cases[i].reason);
    }
    assert_told_nothing(BENS);
#undef WITH
}

static void refuses_what_is_too_long(void **state)
{
    static char payload[SDP_MAX_BYTES * 2];
    (void)state;
    given_conversation();
    int n = snprintf(payload, sizeof payload, "{'targetUserId':'%s','sdp':'%s", BEN, SDP("abcd"));
    while (n < SDP_MAX_BYTES * 3 / 2) /* an escape is twice as long as what it stands for */
        n += snprintf(payload + n, sizeof payload - (size_t)n, "a=x-filler:1\\r\\n");
    snprintf(payload + n, sizeof payload - (size_t)n, "'}");
    const char *reason = "none";
    assert_int_equal(relay_of(ANA, relay_offer, payload, &reason), ERR_INVALID_SDP);
    assert_string_equal(reason, "sdp is longer than 10 KiB");
    n = snprintf(payload, sizeof payload, "{'targetUserId':'%s','candidate':{'candidate':'%s", BEN,
                 CANDIDATE);
    while (n < CANDIDATE_MAX_BYTES + 200)
        n += snprintf(payload + n, sizeof payload - (size_t)n, " network-cost 10");
    snprintf(payload + n, sizeof payload - (size_t)n, "'}}");
    assert_int_equal(relay_of(ANA, relay_ice_candidate, payload, &reason), ERR_INVALID_CANDIDATE);
    assert_string_equal(reason, "candidate.candidate is longer than 1 KiB");
    snprintf(payload, sizeof payload, "{'targetUserId':'%s','candidate':{'candidate':'','x':'%*s'}}", BEN,
             2 * CANDIDATE_MAX_BYTES, ""); /* what is passed on as it came has a bound, too */
    assert_int_equal(relay_of(ANA, relay_ice_candidate, payload, &reason), ERR_INVALID_CANDIDATE);
    assert_string_equal(reason, "candidate is too long");
    assert_told_nothing(BENS);
}

static void the_partner_must_be_connected(void **state)
{
    (void)state;
    given_conversation();
    socket_goes(BENS);
    assert_int_equal(anas_offer(SDP("abcd")), ERR_PARTNER_NOT_CONNECTED);
    socket_opens(BENS_SECOND, BEN);
    joins(BEN, BENS_SECOND);
    sockets_forget();
    assert_int_equal(anas_offer(SDP("abcd")), OK);
    next_told(BENS_SECOND, "offer");
    assert_told_nothing(BENS);
}

static void a_stranger_and_an_ended_session_relay_nothing(void **state)
{
    (void)state;
    given_conversation();
    assert_int_equal(relay_of(EVE, relay_offer, "{'targetUserId':'" BEN "','sdp':'" SDP("abcd") "'}", NULL),
                     ERR_NOT_IN_SESSION);
    leaves(ANA, ANAS);
    assert_int_equal(anas_offer(SDP("abcd")), ERR_NOT_IN_SESSION);
}

static void candidates_are_limited_per_negotiation(void **state)
{
    (void)state;
    given_conversation();
    config.rate_limit_ice_candidates = 3;
    assert_int_equal(anas_offer(SDP("abcd")), OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(anas_candidate(), OK);
    assert_int_equal(anas_candidate(), ERR_RATE_LIMITED);
    assert_int_equal(anas_offer(SDP("abcd")), OK); /* the same negotiation */
    assert_int_equal(anas_candidate(), ERR_RATE_LIMITED);
    assert_int_equal(anas_offer(SDP("efgh")), OK); /* a restart of ICE */
    assert_int_equal(anas_candidate(), OK);
    assert_int_equal(relay_of(BEN, relay_ice_candidate, "{'targetUserId':'" ANA "','candidate':{}}", NULL),
                     OK);
    config.rate_limit_ice_candidates = 0;
    for (int i = 0; i < 100; i++)
        assert_int_equal(anas_candidate(), OK);
}

static void a_refused_candidate_does_not_count(void **state)
{
    (void)state;
    given_conversation();
    config.rate_limit_ice_candidates = 1;
    for (int i = 0; i < 5; i++)
        assert_int_equal(relay_of(ANA, relay_ice_candidate,
                                  "{'targetUserId':'" BEN "','candidate':{'candidate':'x'}}", NULL),
                         ERR_INVALID_CANDIDATE);
    assert_int_equal(anas_candidate(), OK);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WORLD_TEST(leaving_tells_the_partner),
        WORLD_TEST(leaving_before_it_began_cancels),
        WORLD_TEST(leaving_twice_gives_the_same_answer),
        WORLD_TEST(may_say_who_leaves_but_nobody_else),
        WORLD_TEST(a_stranger_cannot_leave),
        WORLD_TEST(leaving_needs_the_session),
        FAILURE_TEST(every_upstream_fails, leaving),
        WORLD_TEST(a_leave_that_the_database_did_too_late_is_told),
        WORLD_TEST(both_get_the_next_prompt),
        WORLD_TEST(not_more_than_one_in_ten_seconds),
        WORLD_TEST(five_prompts_are_all),
        WORLD_TEST(asking_restarts_the_interval),
        WORLD_TEST(a_waiting_session_has_no_next_prompt),
        WORLD_TEST(no_prompts_after_the_end),
        WORLD_TEST(a_prompt_is_shown_though_it_cannot_be_stored),
        WORLD_TEST(relays_to_the_partner_only_and_verbatim),
        WORLD_TEST(candidates_are_passed_on_with_all_their_members),
        WORLD_TEST(refuses_a_target_that_is_not_the_partner),
        WORLD_TEST(refuses_bad_descriptions_and_candidates),
        WORLD_TEST(refuses_what_is_too_long),
        WORLD_TEST(the_partner_must_be_connected),
        WORLD_TEST(a_stranger_and_an_ended_session_relay_nothing),
        WORLD_TEST(candidates_are_limited_per_negotiation),
        WORLD_TEST(a_refused_candidate_does_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
