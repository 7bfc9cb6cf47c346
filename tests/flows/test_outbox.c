/* The relay of the outbox: who relays and when, what a pass publishes and marks, what failures make of it,
 * how it stops; and the clean-up. */
#include "flows/fakes/outbox.h"
#include "flows/fakes/world.h"

#include "flows/job.h"
#include "flows/outbox.h"

static void given_relay(void)
{
    setenv("KAFKA_BROKERS", "kafka.example:9092", 1);
    char problem[512];
    config_free();
    assert_true(config_load(NULL, problem));
    unsetenv("KAFKA_BROKERS");
    outbox_start();
    fake_outbox_opens();
    pass_ms(0);
}

static void given_events(int count)
{
    for (int i = 0; i < count; i++)
        given_event(ANA);
}

static int count_of(int state)
{
    int n = 0;
    for (int i = 0; i < fake_outbox.count; i++)
        n += (int)fake_outbox.events[i].state == state;
    return n;
}

/* Every event arrived exactly once, and in order. */
static void assert_all_in_order(void)
{
    assert_int_equal(fake_outbox.topic_count, fake_outbox.count);
    for (int i = 0; i < fake_outbox.count; i++)
        assert_int_equal(fake_outbox.topic[i], i + 1);
    assert_int_equal(count_of(FAKE_SENT), fake_outbox.count);
}

/* --- who relays --- */

static void nothing_happens_without_brokers(void **state)
{
    (void)state;
    given_event(ANA);
    outbox_start();
    pass_ms(10000);
    assert_int_equal(port_calls_in_all(), 0);
    outbox_stop();
    assert_true(outbox_is_resting());
}

static void who_has_the_lock_relays(void **state)
{
    (void)state;
    given_event(ANA);
    given_relay();
    pass_ms(24);
    assert_all_in_order();
    assert_metric("outbox_is_relay 1");
    assert_int_equal(port_calls(DB_OUTBOX_CLAIM), 1);
    pass_ms(10000);
    assert_int_equal(port_calls(DB_OUTBOX_CLAIM), 1); /* held is held */
}

static void who_has_not_asks_every_second_and_reads_nothing(void **state)
{
    (void)state;
    given_event(ANA);
    fake_outbox.lock_is_free = false;
    given_relay();
    pass_ms(5000);
    assert_in_range(port_calls(DB_OUTBOX_CLAIM), 5, 6);
    fake_outbox_commits();
    pass_ms(100);
    assert_int_equal(port_calls(DB_OUTBOX_READ), 0);
    assert_metric("outbox_is_relay 0");
    fake_outbox.lock_is_free = true; /* the other one is gone */
    pass_ms(1100);
    assert_all_in_order();
}

static void a_lost_connection_is_a_lost_lock(void **state)
{
    (void)state;
    given_relay();
    pass_ms(100);
    fake_outbox_is_lost();
    assert_metric("outbox_is_relay 0");
    port_forget();
    given_event(ANA);
    fake_outbox_commits();
    pass_ms(10000);
    assert_int_equal(port_calls_in_all(), port_calls(DB_OUTBOX_OTHER)); /* nothing but looking */
    fake_outbox_opens();
    pass_ms(20);
    assert_int_equal(port_calls(DB_OUTBOX_CLAIM), 1);
    assert_all_in_order();
}

/* --- passes --- */

static void a_commit_is_followed_within_milliseconds_others_by_polling(void **state)
{
    (void)state;
    given_relay();
    pass_ms(200);
    given_event(ANA);
    fake_outbox_commits();
    pass_ms(16); /* the wheel's resolution is 8 ms */
    assert_int_equal(fake_outbox.topic_count, 1);
    given_event(BEN);
    pass_ms(OUTBOX_POLL_MS + 8);
    assert_all_in_order();
}

static void the_envelope_holds_the_row(void **state)
{
    (void)state;
    given_event(ANA);
    given_relay();
    pass_ms(24);
    assert_json(fake_outbox.last_value,
                "{'eventId':'event-1','eventType':'match.requested','version':'1.0',"
                "'timestamp':'2025-01-15T10:00:00.000Z','payload':{'n':1},"
                "'metadata':{'correlationId':'correlation','source':'conversation-service'}}");
    assert_string_equal(fake_outbox.last_headers, "content-type=application/json event-id=event-1 "
                                                  "event-type=match.requested correlation-id=correlation");
    assert_metric("outbox_events_sent_total{type=\"match.requested\"} 1");
}

static void a_backlog_goes_at_once_in_bounded_passes(void **state)
{
    (void)state;
    given_events(1234);
    given_relay();
    pass_ms(40);
    assert_all_in_order();
    assert_int_equal(fake_outbox.largest_pass, OUTBOX_PASS_MAX);
    assert_int_equal(port_calls(DB_OUTBOX_MARK), 3);
}

static void kafka_away_means_one_pass_waits(void **state)
{
    (void)state;
    port_script_next(PUBLISH_ALL, (struct port_script){.is_held = true});
    given_events(3);
    given_relay();
    pass_ms(20);
    for (int i = 0; i < 100; i++) {
        given_event(BEN);
        fake_outbox_commits();
        pass_ms(MINUTE);
    }
    assert_int_equal(port_calls(DB_OUTBOX_READ), 1);
    assert_int_equal(flow_active_count(), 1);
    port_release_of(PUBLISH_ALL);
    pass_ms(100);
    assert_all_in_order();
}

/* --- failures --- */

static void what_failed_is_sent_again_singly_and_nothing_overtakes(void **state)
{
    (void)state;
    given_events(10);
    for (int i = 3; i < 10; i++)
        fake_outbox.events[i].result = PUBLISH_FAILED; /* as when the brokers refuse a while */
    given_relay();
    pass_ms(3500);
    assert_int_equal(fake_outbox.topic_count, 3);
    assert_int_equal(count_of(FAKE_SENT), 3);
    assert_in_range(port_calls(PUBLISH_ALL), 4, 5); /* once a second, not more */
    for (int i = 3; i < 10; i++)
        fake_outbox.events[i].result = PUBLISH_WAITING;
    pass_ms(2000);
    assert_all_in_order();
}

static void a_commit_does_not_cut_the_pause_of_a_failure(void **state)
{
    (void)state;
    given_event(ANA)->result = PUBLISH_FAILED;
    given_relay();
    pass_ms(20);
    for (int i = 0; i < 50; i++) {
        fake_outbox_commits();
        pass_ms(10);
    }
    assert_int_equal(port_calls(PUBLISH_ALL), 1);
}

static void an_event_that_is_refused_alone_is_put_aside(void **state)
{
    (void)state;
    given_events(9);
    for (int i = 2; i < 9; i++)
        fake_outbox.events[i].result = PUBLISH_REFUSED; /* one of them, but all travel together */
    given_relay();
    pass_ms(20);
    assert_int_equal(count_of(FAKE_REFUSED), 0);
    for (int i = 3; i < 9; i++)
        fake_outbox.events[i].result = PUBLISH_WAITING; /* alone they are taken */
    pass_ms(3000);
    assert_int_equal(fake_outbox.events[2].state, FAKE_REFUSED);
    assert_int_equal(count_of(FAKE_SENT), 8);
    assert_metric("outbox_delivery_failures_total{reason=\"refused\"} 8");
}

static void a_mark_is_repeated_until_it_is_made(void **state)
{
    (void)state;
    port_script_next(DB_OUTBOX_MARK, (struct port_script){.err = ERR_DB_UNAVAILABLE});
    port_script_next(DB_OUTBOX_MARK, (struct port_script){.err = ERR_DB_UNAVAILABLE, .is_lost = true});
    given_events(2);
    given_relay();
    pass_ms(20);
    fake_outbox_is_lost(); /* that is why */
    pass_ms(500);
    fake_outbox_opens();
    pass_ms(5000);
    assert_int_equal(port_calls(DB_OUTBOX_MARK), 3);
    assert_all_in_order();
}

static void a_read_that_fails_is_made_again(void **state)
{
    (void)state;
    port_script_next(DB_OUTBOX_CLAIM, (struct port_script){.err = ERR_DB_UNAVAILABLE});
    port_script_next(DB_OUTBOX_READ, (struct port_script){.err = ERR_DB_UNAVAILABLE});
    given_events(2);
    given_relay();
    pass_ms(2100);
    assert_all_in_order();
}

/* --- looking --- */

static void look(void)
{
    flow_start(&(struct flow_start){.spec = &job_outbox_look});
    pass_ms(0);
}

static void how_far_behind_it_is_can_be_seen(void **state)
{
    (void)state;
    fake_outbox.lock_is_free = false;
    given_events(7);
    given_relay();
    pass_ms(90000);
    look();
    assert_metric("outbox_unsent_events 7");
    assert_metric("outbox_lag_seconds 90");
    fake_outbox.lock_is_free = true;
    pass_ms(10000); /* it looks by itself, too */
    assert_metric("outbox_unsent_events 0");
    assert_metric("outbox_lag_seconds 0");
}

/* --- stopping --- */

static void a_stop_sends_what_is_there_and_relays_on(void **state)
{
    (void)state;
    given_relay();
    pass_ms(100);
    given_events(700);
    outbox_stop();
    assert_false(outbox_is_resting());
    pass_ms(40);
    assert_true(outbox_is_resting());
    given_event(BEN); /* a last request's */
    fake_outbox_commits();
    assert_false(outbox_is_resting());
    pass_ms(40);
    assert_true(outbox_is_resting());
    assert_all_in_order();
    given_event(BEN); /* another instance's: nobody else has the lock yet */
    pass_ms(OUTBOX_POLL_MS + 24);
    assert_all_in_order();
    outbox_done();
    port_forget();
    pass_ms(60000);
    assert_int_equal(port_calls_in_all(), 0);
}

static void a_stop_does_not_wait_for_what_others_write(void **state)
{
    (void)state;
    given_relay();
    pass_ms(100);
    outbox_stop();
    int rests = 0;
    for (int i = 0; i < 20; i++) { /* without end */
        given_event(BEN);
        pass_ms(10);
        rests += outbox_is_resting();
    }
    assert_in_range(rests, 10, 20);
}

static void a_stop_does_not_try_again_what_fails(void **state)
{
    (void)state;
    given_relay();
    pass_ms(100);
    given_event(ANA)->result = PUBLISH_FAILED;
    outbox_stop();
    pass_ms(40);
    assert_true(outbox_is_resting());
    port_forget();
    pass_ms(10000);
    assert_int_equal(port_calls(PUBLISH_ALL), 0);
}

static void a_stop_does_not_wait_for_kafka(void **state)
{
    (void)state;
    port_script_next(PUBLISH_ALL, (struct port_script){.is_held = true});
    given_event(ANA);
    given_relay();
    pass_ms(20);
    fake_outbox.is_up = false;
    outbox_stop();
    pass_ms(0);
    assert_true(outbox_is_resting());
    fake_outbox_commits();
    pass_ms(100);
    assert_true(outbox_is_resting());
    assert_int_equal(count_of(FAKE_UNSENT), 1);
}

static void who_does_not_relay_has_nothing_to_stop(void **state)
{
    (void)state;
    fake_outbox.lock_is_free = false;
    given_relay();
    given_event(ANA);
    outbox_stop();
    pass_ms(2000);
    assert_true(outbox_is_resting());
    assert_int_equal(fake_outbox.topic_count, 0);
}

/* --- clean-up --- */

static void purge(void)
{
    fake_outbox.old_each = 2500;
    flow_start(&(struct flow_start){.spec = &job_outbox_purge});
    pass_ms(1000);
}

static void old_events_go_a_few_at_a_time(void **state)
{
    (void)state;
    given_relay();
    purge();
    assert_int_equal(fake_outbox.purge_calls, 3); /* of 2,500, a thousand at once */
    assert_false(fake_outbox.purged.unsent);
    assert_int_equal(fake_outbox.purged.before_ms / 60000,
                     (world_now_ms() - 7 * 24 * 60 * INT64_C(60000)) / 60000);
}

static void without_kafka_unsent_ones_go_too(void **state)
{
    (void)state;
    purge();
    assert_int_equal(fake_outbox.purge_calls, 6);
    assert_true(fake_outbox.purged.unsent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(nothing_happens_without_brokers),
        WORLD_TEST(who_has_the_lock_relays),
        WORLD_TEST(who_has_not_asks_every_second_and_reads_nothing),
        WORLD_TEST(a_lost_connection_is_a_lost_lock),
        WORLD_TEST(a_commit_is_followed_within_milliseconds_others_by_polling),
        WORLD_TEST(the_envelope_holds_the_row),
        WORLD_TEST(a_backlog_goes_at_once_in_bounded_passes),
        WORLD_TEST(kafka_away_means_one_pass_waits),
        WORLD_TEST(what_failed_is_sent_again_singly_and_nothing_overtakes),
        WORLD_TEST(a_commit_does_not_cut_the_pause_of_a_failure),
        WORLD_TEST(an_event_that_is_refused_alone_is_put_aside),
        WORLD_TEST(a_mark_is_repeated_until_it_is_made),
        WORLD_TEST(a_read_that_fails_is_made_again),
        WORLD_TEST(how_far_behind_it_is_can_be_seen),
        WORLD_TEST(a_stop_sends_what_is_there_and_relays_on),
        WORLD_TEST(a_stop_does_not_wait_for_what_others_write),
        WORLD_TEST(a_stop_does_not_try_again_what_fails),
        WORLD_TEST(a_stop_does_not_wait_for_kafka),
        WORLD_TEST(who_does_not_relay_has_nothing_to_stop),
        WORLD_TEST(old_events_go_a_few_at_a_time),
        WORLD_TEST(without_kafka_unsent_ones_go_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
