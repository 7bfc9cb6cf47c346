/* Who has blocked whom. */
#include "statement_fixture.h"

#include "conversation/ports/db_moderation.h"

static struct db_blocked block(const struct uuid *who, const struct uuid *whom)
{
    struct db_block b = {*who, *whom};
    struct db_blocked out;
    assert_int_equal(RUN(f, db_user_block(f, &b, &out)), OK);
    return out;
}

static struct db_blocked unblock(const struct uuid *who, const struct uuid *whom)
{
    struct db_block b = {*who, *whom};
    struct db_blocked out;
    assert_int_equal(RUN(f, db_user_unblock(f, &b, &out)), OK);
    return out;
}

static struct db_blocks blocks(const struct uuid *who, int limit, int offset)
{
    struct db_blocks_query q = {.user_id = *who, .limit = limit, .offset = offset};
    struct db_blocks out;
    assert_int_equal(RUN(f, db_user_blocks(f, &q, &out)), OK);
    return out;
}

static void to_block_twice_is_to_block_once(void **state)
{
    (void)state;
    struct uuid me = uuid_random(), other = uuid_random();
    assert_true(block(&me, &other).changed);
    advance(1000);
    assert_false(block(&me, &other).changed);
    assert_true(block(&other, &me).changed); /* each one's own */
    assert_int_equal(direct_int(f, "SELECT count(*) FROM user_blocks"), 2);
    assert_int_equal(blocks(&me, 20, 0).items[0].blocked_at_ms, NOW);
    assert_true(unblock(&me, &other).changed);
    assert_false(unblock(&me, &other).changed);
    assert_int_equal(blocks(&me, 20, 0).total, 0);
    assert_int_equal(blocks(&other, 20, 0).total, 1);
    assert_event_count(f, 0);
}

static void the_pending_requests_of_both_are_named(void **state)
{
    (void)state;
    struct match_request now = a_request(), later = a_request(), theirs = a_request(), gone = a_request();
    struct db_cancel cancel;
    gone.user_id = later.user_id = now.user_id;
    later.mode = MATCH_SCHEDULED;
    later.scheduled_for_ms = NOW + 60 * MINUTE;
    later.expires_at_ms = later.scheduled_for_ms + 2 * MINUTE;
    assert_int_equal(insert_request(f, &gone), OK);
    assert_int_equal(RUN(f, db_match_request_cancel(f, &gone.id, &gone.user_id, &cancel)), OK);
    assert_int_equal(insert_request(f, &now), OK);
    assert_int_equal(insert_request(f, &later), OK);
    assert_int_equal(insert_request(f, &theirs), OK);
    struct match_request nobodys = a_request();
    assert_int_equal(insert_request(f, &nobodys), OK);
    struct db_blocked answers[] = {block(&now.user_id, &theirs.user_id), block(&now.user_id, &theirs.user_id),
                                   unblock(&now.user_id, &theirs.user_id)};
    for (int i = 0; i < 3; i++) {
        const struct db_ids *ids = &answers[i].requests;
        assert_int_equal(ids->count, 3);
        assert_uuid_equal(ids->items[2], theirs.id);
        for (int k = 0; k < 2; k++)
            assert_true(uuid_eq(&ids->items[k], &now.id) || uuid_eq(&ids->items[k], &later.id));
    }
}

static struct session an_arranged_session(const struct uuid *one, const struct uuid *other, int64_t at_ms)
{
    struct match_request a = a_request(), b = a_request();
    struct session s;
    a.user_id = *one;
    b.user_id = *other;
    a.mode = b.mode = MATCH_SCHEDULED;
    a.scheduled_for_ms = b.scheduled_for_ms = at_ms;
    a.expires_at_ms = b.expires_at_ms = at_ms + 2 * MINUTE;
    assert_int_equal(insert_request(f, &a), OK);
    assert_int_equal(insert_request(f, &b), OK);
    struct db_claim claim = a_claim(&a, &b);
    claim.scheduled_at_ms = at_ms;
    assert_int_equal(RUN(f, db_match_claim(f, &claim, &s)), OK);
    return s;
}

static void what_the_two_have_arranged_is_named(void **state)
{
    (void)state;
    struct uuid me = uuid_random(), other = uuid_random(), third = uuid_random();
    struct session talk = a_talk(f, &me, &other, MINUTE);
    struct session first = an_arranged_session(&me, &other, NOW + 60 * MINUTE);
    struct session second = an_arranged_session(&other, &me, NOW + 180 * MINUTE);
    struct session third_ones = an_arranged_session(&me, &third, NOW + 300 * MINUTE);
    struct db_report r = {.session_id = talk.id, .reporter_id = other};
    struct db_reported reported;
    assert_by_index(db_session_report(f, &r, &reported));
    struct db_blocked blocked = block(&me, &other);
    const struct db_ids *all[] = {&reported.arranged, &blocked.arranged};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(all[i]->count, 2);
        for (int k = 0; k < 2; k++)
            assert_true(uuid_eq(&all[i]->items[k], &first.id) || uuid_eq(&all[i]->items[k], &second.id));
    }
    assert_int_equal(unblock(&me, &other).arranged.count, 0);
    r = (struct db_report){.session_id = first.id, .reporter_id = other};
    assert_int_equal(RUN(f, db_session_report(f, &r, &reported)), OK);
    assert_int_equal(reported.arranged.count, 1); /* the one that is reported ends as such */
    assert_uuid_equal(reported.arranged.items[0], second.id);

    struct db_ended ended;
    assert_int_equal(end_session(f, &second, &me, SESSION_EVENT_LEAVE, &ended), OK);
    assert_int_equal(block(&other, &me).arranged.count, 1);
    assert_uuid_equal(block(&me, &third).arranged.items[0], third_ones.id);
}

static void the_list_is_latest_first_with_the_names_one_knows(void **state)
{
    (void)state;
    struct uuid me = uuid_random(), met = uuid_random(), nameless = uuid_random(), stranger = uuid_random();
    struct uuid third = uuid_random();
    struct session first = a_talk(f, &me, &met, MINUTE), second = a_talk(f, &met, &me, MINUTE);
    a_talk(f, &met, &third, MINUTE); /* without me: its names are not mine to see */
    a_talk(f, &me, &nameless, MINUTE);
    const char *rename =
        "UPDATE session_participants SET display_name = '%s' WHERE session_id = '%s' AND user_id = '%s'";
    char id[64];
    snprintf(id, sizeof id, "%s", UUIDZ(&met));
    EXEC(f, "UPDATE session_participants SET display_name = 'Later' WHERE user_id = '%s'", id);
    EXEC(f, rename, "Before", UUIDZ(&first.id), id);
    EXEC(f, rename, "Méli", UUIDZ(&second.id), id);
    EXEC(f, "UPDATE session_participants SET display_name = '' WHERE user_id = '%s'", UUIDZ(&nameless));
    set_now(NOW);
    block(&me, &met);
    set_now(NOW + 1);
    block(&me, &stranger);
    set_now(NOW + 2);
    block(&me, &nameless);

    struct db_blocks all = blocks(&me, 20, 0);
    assert_true(all.count == 3 && all.total == 3);
    assert_uuid_equal(all.items[0].user_id, nameless);
    assert_null(all.items[0].display_name);
    assert_uuid_equal(all.items[1].user_id, stranger);
    assert_null(all.items[1].display_name);
    assert_uuid_equal(all.items[2].user_id, met);
    assert_string_equal(all.items[2].display_name, "Méli");
    assert_int_equal(all.items[2].blocked_at_ms, NOW);
    struct db_blocks page = blocks(&me, 2, 2);
    assert_true(page.count == 1 && page.total == 3);
    page = blocks(&me, 2, 3);
    assert_true(page.count == 0 && page.total == 3);
}

static void all_are_found_by_index(void **state)
{
    (void)state;
    struct db_block b = {uuid_random(), uuid_random()};
    struct db_blocks_query q = {.user_id = b.user_id, .limit = 20};
    struct db_blocked blocked;
    struct db_blocks out;
    assert_by_index(db_user_block(f, &b, &blocked));
    assert_by_index(db_user_blocks(f, &q, &out));
    assert_by_index(db_user_unblock(f, &b, &blocked));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(to_block_twice_is_to_block_once),
        TEST(the_pending_requests_of_both_are_named),
        TEST(what_the_two_have_arranged_is_named),
        TEST(the_list_is_latest_first_with_the_names_one_knows),
        TEST(all_are_found_by_index),
    };
    return cmocka_run_group_tests(tests, direct_create_database, direct_drop_database);
}
