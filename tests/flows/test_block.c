/* Blocks: POST and DELETE /users/:userId/block, GET /users/me/blocks, and what the queue makes of them. */
#include "flows/fakes/failures.h"
#include "flows/fakes/waiting.h"
#include "flows/matchmaker.h"

static struct caller *call(const char *user_id, const struct handler *handler, const char *whom)
{
    struct caller *c = rest_call_of(user_id, handler, &(struct call_input){.whom = whom});
    pass_ms(0);
    return c;
}

static struct caller *block(void)
{
    return call(ANA, &rest_user_block, BEN);
}

static struct caller *unblock(void)
{
    return call(ANA, &rest_user_unblock, BEN);
}

static void given_nothing(void)
{
}

static void given_blocked(void)
{
    fake_moderation.blocks[fake_moderation.block_count++] = (struct db_block){id_of(ANA), id_of(BEN)};
}

static void blocks_and_unblocks(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) { /* again: the same answer */
        assert_answer(block(), 200, "{'success':true}");
        assert_int_equal(fake_moderation.block_count, 1);
    }
    const struct db_block *row = &fake_moderation.blocks[0];
    struct uuid ana = id_of(ANA), ben = id_of(BEN);
    assert_true(uuid_eq(&row->user_id, &ana) && uuid_eq(&row->blocked_id, &ben));
    for (int i = 0; i < 2; i++) {
        assert_answer(unblock(), 200, "{'success':true}");
        assert_int_equal(fake_moderation.block_count, 0);
    }
    assert_calls("db_user_block db_user_block db_user_unblock db_user_unblock");
}

static void nobody_blocks_themselves(void **state)
{
    (void)state;
    const char *details = "[{'field':'userId','reason':'is yourself'}]";
    assert_refused(call(ANA, &rest_user_block, ANA), ERR_INVALID_REQUEST, details);
    assert_refused(call(ANA, &rest_user_unblock, ANA), ERR_INVALID_REQUEST, details);
    assert_calls("");
}

static void a_user_is_named_by_id(void **state)
{
    (void)state;
    assert_int_equal(call(ANA, &rest_user_block, "me")->err, ERR_INVALID_REQUEST);
    assert_int_equal(call(ANA, &rest_user_block, "")->err, ERR_INVALID_REQUEST);
    assert_calls("");
}

/* --- the list --- */

static struct caller *list(const char *query)
{
    struct caller *c = rest_call(ANA, rest_user_blocks, .query = query);
    pass_ms(0);
    return c;
}

static struct caller *list_all(void)
{
    return list("");
}

static void lists_whom_one_has_blocked(void **state)
{
    (void)state;
    assert_answer(list_all(), 200, "{'blocks':[],'total':0,'hasMore':false}");
    fake_moderation.listed[0] = (struct db_block_entry){id_of(BEN), "Ben", T0};
    fake_moderation.listed[1] = (struct db_block_entry){id_of(EVE), NULL, T0 - 1000};
    fake_moderation.listed_count = 2;
    fake_moderation.listed_total = 5;
    assert_answer(list("limit=2&offset=2"), 200,
                  "{'blocks':[{'userId':'" BEN
                  "','displayName':'Ben','blockedAt':'2025-01-15T10:00:00.000Z'},"
                  "{'userId':'" EVE "','blockedAt':'2025-01-15T09:59:59.000Z'}],'total':5,'hasMore':true}");
    struct uuid ana = id_of(ANA);
    assert_true(uuid_eq(&fake_moderation.asked.blocks.user_id, &ana));
    assert_int_equal(fake_moderation.asked.blocks.limit, 2);
    assert_int_equal(fake_moderation.asked.blocks.offset, 2);
    assert_non_null(strstr(list("offset=3")->body, "\"hasMore\":false"));
}

static void a_page_has_bounds(void **state)
{
    static const char *const bad[] = {"limit=0", "limit=101", "limit=x", "offset=-1", "offset=1000001"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(list(bad[i])->err, ERR_INVALID_REQUEST);
    list_all();
    assert_int_equal(fake_moderation.asked.blocks.limit, 20);
}

/* --- the queue --- */

/* Ana and Ben wait, too far apart in level to be paired at once. */
static void given_two_who_wait(void)
{
    given_matchmaker();
    arrives(REQUEST_A, ANA);
    row(REQUEST_A)->level = LEVEL_B1;
    struct match_request *ben = given_request(REQUEST_B, BEN);
    ben->level = LEVEL_B2;
    matchmaker_add(ben);
    pass_ms(1000);
    bus_forget();
    port_forget();
}

static void two_who_wait_are_not_paired_once_one_has_blocked_the_other(void **state)
{
    static const char *const who[][2] = {{ANA, BEN}, {BEN, ANA}};
    (void)state;
    for (int i = 0; i < 2; i++) {
        world_again();
        given_two_who_wait();
        assert_int_equal(call(who[i][0], &rest_user_block, who[i][1])->status, 200);
        pass_ms(118000); /* through all phases, to just before they expire */
        assert_status(REQUEST_A, MATCH_PENDING);
        assert_status(REQUEST_B, MATCH_PENDING);
        assert_int_equal(port_calls(DB_MATCH_CLAIM), 0);
        assert_int_equal(matchmaker_waiting(), 2);
        pass_ms(2000);
        assert_status(REQUEST_A, MATCH_EXPIRED);
    }
}

/* Else the two tests above and below would show nothing. */
static void without_a_block_they_are_paired(void **state)
{
    (void)state;
    given_two_who_wait();
    pass_ms(31000);
    assert_status(REQUEST_A, MATCH_MATCHED);
}

static void once_unblocked_they_are_paired(void **state)
{
    (void)state;
    given_two_who_wait();
    block();
    pass_ms(40000);
    assert_status(REQUEST_A, MATCH_PENDING);
    unblock();
    pass_ms(1000);
    assert_status(REQUEST_A, MATCH_MATCHED);
    assert_status(REQUEST_B, MATCH_MATCHED);
}

/* Both requests may have been read while the block stood. */
static void once_unblocked_they_are_paired_whichever_was_read_since(void **state)
{
    static const char *const ids[] = {REQUEST_A, REQUEST_B};
    (void)state;
    for (int i = 0; i < 2; i++) {
        char text[64];
        world_again();
        given_two_who_wait();
        block();
        snprintf(text, sizeof text, "changed %s", ids[i]);
        assert_true(bus_says("match_events", text));
        pass_ms(40000);
        assert_status(REQUEST_A, MATCH_PENDING);
        unblock();
        pass_ms(1000);
        assert_status(REQUEST_A, MATCH_MATCHED);
    }
}

static void the_other_instances_are_told(void **state)
{
    (void)state;
    given_two_who_wait();
    block();
    assert_string_equal(next_published("match_events"), "changed " REQUEST_A);
    pass_ms(10);
    assert_string_equal(next_published("match_events"), "changed " REQUEST_B);
}

static void an_instance_that_hears_of_it_reads_the_request_anew(void **state)
{
    (void)state;
    given_two_who_wait();
    given_blocked(); /* elsewhere */
    assert_true(bus_says("match_events", "changed " REQUEST_A));
    pass_ms(40000);
    assert_status(REQUEST_A, MATCH_PENDING);
    assert_int_equal(port_calls(DB_MATCH_CLAIM), 0);
    assert_int_equal(matchmaker_waiting(), 2);
}

static void when_that_read_fails_it_is_found_again(void **state)
{
    (void)state;
    given_two_who_wait();
    port_script_next(DB_MATCH_REQUESTS_BY_ID, (struct port_script){.err = ERR_DB_UNAVAILABLE});
    block();
    assert_int_equal(matchmaker_waiting(), 0);
    pass_ms(3000);
    assert_int_equal(matchmaker_waiting(), 2);
    pass_ms(40000);
    assert_status(REQUEST_A, MATCH_PENDING);
}

/* What was read before the block is not taken after it. */
static void a_read_that_is_under_way_is_not_trusted(void **state)
{
    (void)state;
    given_matchmaker();
    given_request(REQUEST_A, ANA);
    struct match_request *ben = given_request(REQUEST_B, BEN);
    matchmaker_add(ben);
    port_script_next(DB_MATCH_REQUESTS_BY_ID, (struct port_script){.is_held = true});
    assert_true(bus_says("match_events", "added " REQUEST_A));
    pass_ms(100);
    block();
    port_release();
    pass_ms(5000);
    assert_int_equal(matchmaker_waiting(), 2);
    assert_status(REQUEST_A, MATCH_PENDING);
    assert_int_equal(port_calls(DB_MATCH_CLAIM), 0);
}

static void without_a_matchmaker_only_the_others_are_told(void **state)
{
    (void)state;
    given_topic();
    given_request(REQUEST_A, ANA);
    assert_int_equal(block()->status, 200);
    assert_string_equal(next_published("match_events"), "changed " REQUEST_A);
}

/* --- what is arranged --- */

static void given_arranged(void)
{
    struct session *s = given_session();
    s->scheduled_at_ms = T0 + 3600000;
    socket_opens(BENS, BEN);
}

static void what_the_two_have_arranged_is_called_off(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) { /* also by the second call, when the first did not get so far */
        world_again();
        given_arranged();
        if (i)
            given_blocked();
        assert_int_equal(block()->status, 200);
        assert_row(SESSION_CANCELLED, END_LEFT);
        assert_int_equal(times_told("session_ended"), 1);
    }
}

static void also_when_the_caller_does_not_wait_for_the_answer(void **state)
{
    (void)state;
    given_arranged();
    port_script_next(DB_USER_BLOCK, (struct port_script){.is_held = true});
    struct caller *c = block();
    flow_cancel(c->flow, ERR_CANCELLED);
    pass_ms(0);
    assert_int_equal(c->err, ERR_CANCELLED);
    port_release();
    pass_ms(2000);
    assert_int_equal(fake_moderation.block_count, 1);
    assert_row(SESSION_CANCELLED, END_LEFT);
    assert_int_equal(times_told("session_ended"), 1);
}

static void what_runs_or_is_with_others_goes_on(void **state)
{
    (void)state;
    given_conversation();
    block();
    assert_row(SESSION_ACTIVE, END_NONE);
    world_again();
    given_arranged();
    assert_int_equal(call(ANA, &rest_user_block, EVE)->status, 200);
    assert_int_equal(unblock()->status, 200);
    assert_row(SESSION_WAITING, END_NONE);
}

/* --- the upstream --- */

static const struct scenario blocking = {.given = given_nothing, .start = block};
static const struct scenario unblocking = {.given = given_blocked, .start = unblock};
static const struct scenario listing = {.given = given_nothing, .start = list_all};

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WORLD_TEST(blocks_and_unblocks),
        WORLD_TEST(nobody_blocks_themselves),
        WORLD_TEST(a_user_is_named_by_id),
        WORLD_TEST(lists_whom_one_has_blocked),
        WORLD_TEST(a_page_has_bounds),
        WORLD_TEST(two_who_wait_are_not_paired_once_one_has_blocked_the_other),
        WORLD_TEST(without_a_block_they_are_paired),
        WORLD_TEST(once_unblocked_they_are_paired),
        WORLD_TEST(once_unblocked_they_are_paired_whichever_was_read_since),
        WORLD_TEST(the_other_instances_are_told),
        WORLD_TEST(an_instance_that_hears_of_it_reads_the_request_anew),
        WORLD_TEST(when_that_read_fails_it_is_found_again),
        WORLD_TEST(a_read_that_is_under_way_is_not_trusted),
        WORLD_TEST(without_a_matchmaker_only_the_others_are_told),
        WORLD_TEST(what_the_two_have_arranged_is_called_off),
        WORLD_TEST(also_when_the_caller_does_not_wait_for_the_answer),
        WORLD_TEST(what_runs_or_is_with_others_goes_on),
        FAILURE_TESTS_OF_CALL(blocking),
        FAILURE_TESTS_OF_CALL(unblocking),
        FAILURE_TESTS_OF_CALL(listing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
