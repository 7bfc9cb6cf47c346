/* The matchmaker as one of several instances: what they tell each other, and what they missed. Who leads:
 * test_leadership.c. */
#include "flows/fakes/waiting.h"
#include "flows/matchmaker.h"
#include "flows/matchmaker_parts.h"
#include "flows/user_events.h"

/* --- what is told --- */

static void assert_published(const char *channel, const char *text)
{
    assert_string_equal(next_published(channel), text);
}

static void what_comes_and_goes_is_told(void **state)
{
    (void)state;
    given_matchmaker();
    arrives(REQUEST_A, ANA);
    assert_published("match_events", "added " REQUEST_A); /* at once */
    pass_ms(100);
    arrives(REQUEST_B, BEN);
    pass_ms(100);
    assert_published("match_events", "added " REQUEST_B);
    assert_published("match_events", "matched " REQUEST_A "\nmatched " REQUEST_B);
    assert_published("match_events", "");
}

/* A comparison finds the row between its insert and this. */
static void one_that_was_found_before_is_told_all_the_same(void **state)
{
    (void)state;
    given_follower();
    given_request(REQUEST_A, ANA);
    matchmaker_reload_soon();
    pass_ms(1000);
    assert_int_equal(matchmaker_waiting(), 1);
    matchmaker_add(row(REQUEST_A));
    assert_published("match_events", "added " REQUEST_A);
}

static void what_follows_closely_is_told_together(void **state)
{
    (void)state;
    given_matchmaker();
    arrives(REQUEST_A, ANA);
    matchmaker_remove(&row(REQUEST_A)->id, WAIT_CANCELLED);
    arrives(REQUEST_B, BEN);
    pass_ms(100);
    assert_published("match_events", "added " REQUEST_A);
    assert_published("match_events", "removed " REQUEST_A "\nadded " REQUEST_B);
    assert_published("match_events", "");
}

static void many_are_told_in_several_messages(void **state)
{
    (void)state;
    given_follower();
    int lines = 0, messages = 0;
    for (unsigned i = 0; i < 600; i++) {
        struct match_request *r = given_request(REQUEST_A, ANA);
        r->id.b[0] = (uint8_t)(i >> 8);
        r->id.b[1] = (uint8_t)i;
        matchmaker_add(r);
    }
    pass_ms(100);
    for (const char *text = next_published("match_events"); *text; text = next_published("match_events")) {
        messages++;
        for (const char *at = text; (at = strstr(at, "added ")) != NULL; at++)
            lines++;
    }
    assert_int_equal(lines, 600);
    assert_in_range(messages, 6, 8);
}

static void an_expiry_is_told(void **state)
{
    (void)state;
    given_matchmaker();
    arrives(REQUEST_A, ANA);
    pass_ms(121000);
    assert_published("match_events", "added " REQUEST_A);
    assert_published("match_events", "expired " REQUEST_A);
}

static void a_cancel_is_told(void **state)
{
    (void)state;
    given_matchmaker();
    arrives(REQUEST_A, ANA);
    pass_ms(100);
    bus_forget();
    rest_call(ANA, rest_match_cancel, .id = REQUEST_A);
    pass_ms(0);
    assert_published("match_events", "removed " REQUEST_A);
}

static void who_drains_still_tells(void **state)
{
    (void)state;
    given_matchmaker();
    matchmaker_stop();
    arrives(REQUEST_A, ANA);
    matchmaker_remove(&row(REQUEST_A)->id, WAIT_CANCELLED);
    assert_published("match_events", "added " REQUEST_A);
    assert_published("match_events", "removed " REQUEST_A);
}

/* --- what is heard --- */

static void one_that_came_elsewhere_is_read_and_paired(void **state)
{
    (void)state;
    given_matchmaker();
    arrives(REQUEST_A, ANA);
    pass_ms(100);
    given_request(REQUEST_B, BEN);
    port_forget();
    assert_true(bus_says("match_events", "added " REQUEST_B));
    pass_ms(100);
    assert_status(REQUEST_A, MATCH_MATCHED);
    assert_calls("db_match_requests_by_id db_match_claim kv_queue_remove kv_session_put");
}

static void many_that_came_elsewhere_are_read_by_few_statements(void **state)
{
    (void)state;
    given_follower();
    for (unsigned i = 0; i < 600; i++) {
        struct match_request *r = given_request(REQUEST_A, ANA);
        char text[64];
        r->id.b[0] = (uint8_t)(i >> 8);
        r->id.b[1] = (uint8_t)i;
        snprintf(text, sizeof text, "added %s", UUIDZ(&r->id));
        bus_says("match_events", text);
    }
    pass_ms(100);
    assert_int_equal(matchmaker_waiting(), 600);
    assert_calls("db_match_requests_by_id db_match_requests_by_id db_match_requests_by_id");
}

static void one_that_is_known_or_gone_changes_nothing(void **state)
{
    (void)state;
    given_follower();
    arrives(REQUEST_A, ANA);
    given_request(REQUEST_B, BEN)->status = MATCH_CANCELLED;
    bus_says("match_events", "added " REQUEST_A "\nadded " REQUEST_B "\nadded " REQUEST_C);
    pass_ms(100);
    assert_int_equal(matchmaker_waiting(), 1);
}

static void one_that_went_elsewhere_is_out(void **state)
{
    (void)state;
    given_follower();
    arrives(REQUEST_A, ANA);
    arrives(REQUEST_B, BEN);
    pass_ms(100);
    bus_forget();
    bus_says("match_events", "removed " REQUEST_A "\nremoved " REQUEST_C);
    assert_int_equal(matchmaker_waiting(), 1);
    pass_ms(100);
    assert_published("match_events", ""); /* what was heard is not said again */
}

/* The row was read before it went, and comes after. */
static void one_that_goes_while_it_is_read_does_not_come_back(void **state)
{
    (void)state;
    given_follower();
    given_request(REQUEST_A, ANA);
    given_request(REQUEST_B, BEN);
    port_script_next(DB_MATCH_REQUESTS_BY_ID, (struct port_script){.is_held = true});
    bus_says("match_events", "added " REQUEST_A "\nadded " REQUEST_B);
    pass_ms(100);
    bus_says("match_events", "removed " REQUEST_A);
    port_release();
    pass_ms(100);
    assert_int_equal(matchmaker_waiting(), 1);
}

/* Those of a claim that was lost do not wait until nobody comes elsewhere any more. */
static void those_in_doubt_get_their_turn(void **state)
{
    (void)state;
    given_follower();
    const struct match_request *a = given_request(REQUEST_A, ANA);
    given_request(REQUEST_B, BEN);
    given_request(REQUEST_C, CAROL);
    port_script_always(DB_MATCH_REQUESTS_BY_ID, (struct port_script){.is_held = true});
    bus_says("match_events", "added " REQUEST_B);
    pass_ms(10);
    matchmaker_look(&a->id, 1);
    bus_says("match_events", "added " REQUEST_C);
    pass_ms(10);
    for (int i = 0; i < 2; i++) {
        port_release_of(DB_MATCH_REQUESTS_BY_ID);
        pass_ms(10);
    }
    assert_true(pairing_contains(matchmaker_pairing(), &a->id));
    port_release_of(DB_MATCH_REQUESTS_BY_ID);
}

static void a_look_that_fails_is_made_up_for(void **state)
{
    static const enum err errors[] = {ERR_DB_UNAVAILABLE, ERR_TIMEOUT, ERR_INTERNAL};
    (void)state;
    for (int i = 0; i < 3; i++) {
        world_again();
        given_follower();
        given_request(REQUEST_A, ANA);
        port_script_next(DB_MATCH_REQUESTS_BY_ID, (struct port_script){.err = errors[i]});
        bus_says("match_events", "added " REQUEST_A);
        pass_ms(1000);
        assert_int_equal(matchmaker_waiting(), 1);
    }
}

static void what_is_heard_while_the_database_is_away_is_read_later(void **state)
{
    (void)state;
    given_follower();
    given_request(REQUEST_A, ANA);
    fake_db_goes_away();
    bus_says("match_events", "added " REQUEST_A);
    pass_ms(10000);
    assert_calls("");
    fake_db_comes_back();
    pass_ms(500);
    assert_int_equal(matchmaker_waiting(), 1);
}

static void nonsense_is_not_heard(void **state)
{
    static const char *const texts[] = {"",
                                        "\n",
                                        "added",
                                        "added ",
                                        "added x",
                                        "lost " REQUEST_A,
                                        REQUEST_A,
                                        "added " REQUEST_A "x",
                                        "\nadded  " REQUEST_A "\n"};
    (void)state;
    given_follower();
    given_request(REQUEST_A, ANA);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        bus_says("match_events", texts[i]);
    pass_ms(100);
    assert_calls("");
}

static void nothing_is_heard_after_the_end(void **state)
{
    (void)state;
    given_follower();
    given_request(REQUEST_A, ANA);
    bus_says("match_events", "added " REQUEST_A);
    matchmaker_stop();
    assert_false(bus_says("match_events", "removed " REQUEST_A));
    pass_ms(1000);
    assert_calls("");
}

static void stopping_during_a_look_is_harmless(void **state)
{
    (void)state;
    given_follower();
    given_request(REQUEST_A, ANA);
    port_script_next(DB_MATCH_REQUESTS_BY_ID, (struct port_script){.is_held = true});
    bus_says("match_events", "added " REQUEST_A);
    pass_ms(100);
    matchmaker_stop();
    port_release();
    pass_ms(100);
    assert_int_equal(matchmaker_waiting(), 0);
    assert_int_equal(flow_active_count(), 0);
}

/* --- what was missed --- */

static void what_was_not_heard_is_found_in_time(void **state)
{
    (void)state;
    given_follower();
    given_request(REQUEST_A, ANA)->expires_at_ms += MINUTE;
    pass_ms(61000); /* MATCH_QUEUE_CLEANUP_INTERVAL */
    assert_int_equal(matchmaker_waiting(), 1);
    row(REQUEST_A)->status = MATCH_MATCHED;
    pass_ms(61000);
    assert_int_equal(matchmaker_waiting(), 0);
}

static void a_follower_writes_nothing_into_redis(void **state)
{
    (void)state;
    given_follower();
    given_request(REQUEST_A, ANA);
    matchmaker_reload_soon();
    pass_ms(1000);
    assert_int_equal(matchmaker_waiting(), 1);
    assert_calls("db_topic_pairs db_match_requests_pending db_match_requests_by_id");
}

static void redis_is_not_written_again_when_it_has_everything(void **state)
{
    (void)state;
    given_request(REQUEST_A, ANA);
    given_matchmaker();
    assert_true(fake_kv_queue_is_whole());
    matchmaker_reload_soon();
    pass_ms(1000);
    assert_calls("db_topic_pairs kv_queue_check db_match_requests_pending");
}

static void a_scheduled_one_is_not_in_redis_before_its_time(void **state)
{
    (void)state;
    struct match_request *r = given_request(REQUEST_A, ANA);
    r->mode = MATCH_SCHEDULED;
    r->scheduled_for_ms = T0 + 30 * MINUTE;
    r->expires_at_ms = T0 + 32 * MINUTE;
    given_matchmaker();
    assert_int_equal(matchmaker_waiting(), 1);
    assert_int_equal(fake_kv_queue_length(), 0);
}

/* The mark says who fills; only a fill without a gap makes it whole. */
static void a_fill_that_fails_is_done_again(void **state)
{
    (void)state;
    given_request(REQUEST_A, ANA);
    port_script_next(KV_QUEUE_ADD, (struct port_script){.err = ERR_KV_UNAVAILABLE});
    given_matchmaker();
    assert_false(fake_kv_queue_is_whole());
    matchmaker_reload_soon();
    pass_ms(1000);
    assert_true(fake_kv_queue_is_whole());
    assert_int_equal(fake_kv_queue_length(), 1);
}

static void ghosts_of_every_page_go(void **state)
{
    (void)state;
    given_follower();
    for (unsigned i = 0; i < 690; i++) {
        struct match_request *r = given_request(REQUEST_A, ANA);
        r->id.b[0] = (uint8_t)(i >> 8);
        r->id.b[1] = (uint8_t)i;
        matchmaker_add(r);
    }
    for (unsigned i = 0; i < 690; i += 7) /* the first and the last are among them */
        fake_db.requests[i].status = MATCH_CANCELLED;
    fake_db.requests[689].status = MATCH_EXPIRED;
    matchmaker_reload_soon();
    pass_ms(1000);
    assert_int_equal(matchmaker_waiting(), 690 - 100);
    assert_calls("db_topic_pairs db_match_requests_pending db_match_requests_pending");
}

static void one_that_comes_during_a_comparison_stays(void **state)
{
    (void)state;
    given_follower();
    port_script_next(DB_MATCH_REQUESTS_PENDING, (struct port_script){.is_held = true});
    matchmaker_reload_soon();
    pass_ms(1000);
    arrives(REQUEST_A, ANA); /* not in the page that was read before */
    port_release();
    pass_ms(1000);
    assert_int_equal(matchmaker_waiting(), 1);
}

/* --- users elsewhere --- */

static void a_user_is_told_on_whatever_instance(void **state)
{
    (void)state;
    user_events_start();
    given_matchmaker();
    arrives(REQUEST_A, ANA);
    pass_ms(121000);
    assert_published("user_events", ANA " match_expired {\"matchRequestId\":\"" REQUEST_A "\"}");
    assert_int_equal(times_told("match_expired"), 1);
}

static void events_from_elsewhere_reach_the_sockets_here(void **state)
{
    (void)state;
    user_events_start();
    socket_opens(ANAS, ANA);
    socket_opens(ANAS_SECOND, ANA);
    socket_opens(BENS, BEN);
    bus_says("user_events", ANA " match_found {\"text\":\"with spaces\"}");
    assert_told(ANAS, "match_found", "{'text':'with spaces'}");
    assert_told(ANAS_SECOND, "match_found", "{'text':'with spaces'}");
    assert_told_nothing(BENS);
    assert_published("user_events", "");
}

static void nonsense_reaches_nobody(void **state)
{
    (void)state;
    user_events_start();
    socket_opens(ANAS, ANA);
    bus_says("user_events", "");
    bus_says("user_events", ANA);
    bus_says("user_events", ANA " match_found");
    bus_says("user_events", "x match_found {}");
    bus_says("user_events", ANA " session_ended ");
    bus_says("user_events", ANA " session_ended {\"sessionId\":");
    bus_says("user_events", ANA " session_ended [\"sessionId\"]");
    bus_says("user_events", ANA " session_ended {\"sessionId\":\"x\"}");
    bus_says("user_events",
             ANA " eventxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx {}");
    assert_told_nothing(ANAS);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WORLD_TEST(what_comes_and_goes_is_told),
        WORLD_TEST(one_that_was_found_before_is_told_all_the_same),
        WORLD_TEST(what_follows_closely_is_told_together),
        WORLD_TEST(many_are_told_in_several_messages),
        WORLD_TEST(an_expiry_is_told),
        WORLD_TEST(a_cancel_is_told),
        WORLD_TEST(who_drains_still_tells),
        WORLD_TEST(one_that_came_elsewhere_is_read_and_paired),
        WORLD_TEST(many_that_came_elsewhere_are_read_by_few_statements),
        WORLD_TEST(one_that_is_known_or_gone_changes_nothing),
        WORLD_TEST(one_that_went_elsewhere_is_out),
        WORLD_TEST(one_that_goes_while_it_is_read_does_not_come_back),
        WORLD_TEST(those_in_doubt_get_their_turn),
        WORLD_TEST(a_look_that_fails_is_made_up_for),
        WORLD_TEST(what_is_heard_while_the_database_is_away_is_read_later),
        WORLD_TEST(nonsense_is_not_heard),
        WORLD_TEST(nothing_is_heard_after_the_end),
        WORLD_TEST(stopping_during_a_look_is_harmless),
        WORLD_TEST(what_was_not_heard_is_found_in_time),
        WORLD_TEST(a_follower_writes_nothing_into_redis),
        WORLD_TEST(redis_is_not_written_again_when_it_has_everything),
        WORLD_TEST(a_scheduled_one_is_not_in_redis_before_its_time),
        WORLD_TEST(a_fill_that_fails_is_done_again),
        WORLD_TEST(ghosts_of_every_page_go),
        WORLD_TEST(one_that_comes_during_a_comparison_stays),
        WORLD_TEST(a_user_is_told_on_whatever_instance),
        WORLD_TEST(events_from_elsewhere_reach_the_sockets_here),
        WORLD_TEST(nonsense_reaches_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
