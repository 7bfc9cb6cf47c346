/* Who may make a match request, and retries of one, against the real database. */
#include "statement_fixture.h"

#ifdef __SANITIZE_ADDRESS__
#define ROUNDS 100
#else
#define ROUNDS 400
#endif

static enum err insert(struct flow *flow, const struct match_request *r, const struct db_insert_terms *terms)
{
    struct db_week week;
    return RUN(flow, db_match_request_insert(flow, r, terms, &week));
}

/* --- keys --- */

static struct db_insert_terms keyed(const char *key, const char *asked)
{
    return (struct db_insert_terms){
        .repeatable = {.key = str_of(key), .asked = str_of(asked)},
        .estimated_wait_seconds = 42,
    };
}

static struct db_first_result first_result(const struct uuid *user_id, const char *key, const char *asked)
{
    const struct db_repeatable repeatable = {.key = str_of(key), .asked = str_of(asked)};
    struct db_first_result by_key;
    assert_int_equal(RUN(f, db_match_first_result(f, user_id, &repeatable, &by_key)), OK);

    struct db_admission admission; /* which says the same */
    const struct db_admission_query q = {
        .user_id = *user_id, .language = "en", .topic_code = "free_talk", .repeatable = repeatable};
    assert_int_equal(RUN(f, db_match_admission(f, &q, &admission)), OK);
    assert_int_equal(admission.first.is_found, by_key.is_found);
    assert_int_equal(admission.first.is_same, by_key.is_same);
    assert_uuid_equal(admission.first.request_id, by_key.request_id);
    assert_int_equal(admission.first.estimated_wait_seconds, by_key.estimated_wait_seconds);
    assert_int_equal(admission.first.expires_at_ms, by_key.expires_at_ms);
    return by_key;
}

static void a_key_finds_the_first_result(void **state)
{
    (void)state;
    struct match_request r = a_request();
    struct uuid other = uuid_random();
    struct db_insert_terms terms = keyed("it's \"k\\1\"", "as\\ked|");
    assert_int_equal(insert(f, &r, &terms), OK);
    advance(DB_KEY_KEPT_MS - 1);
    struct db_first_result first = first_result(&r.user_id, "it's \"k\\1\"", "as\\ked|");
    assert_true(first.is_found);
    assert_true(first.is_same);
    assert_uuid_equal(first.request_id, r.id);
    assert_int_equal(first.estimated_wait_seconds, 42);
    assert_int_equal(first.expires_at_ms, r.expires_at_ms);
    assert_false(first_result(&r.user_id, "it's \"k\\1\"", "asked").is_same);
    assert_false(first_result(&r.user_id, "k2", "asked").is_found);
    assert_false(first_result(&other, "it's \"k\\1\"", "as\\ked|").is_found);
    advance(1);
    assert_false(first_result(&r.user_id, "it's \"k\\1\"", "as\\ked|").is_found);
}

static void no_key_finds_nothing(void **state)
{
    (void)state;
    struct match_request r = a_request();
    assert_int_equal(insert_request(f, &r), OK);
    const struct db_repeatable none = {.key = {NULL, 0}};
    struct db_first_result first;
    assert_int_equal(RUN(f, db_match_first_result(f, &r.user_id, &none, &first)), OK);
    assert_false(first.is_found);
}

/* Also of a request that is over: a late retry must not make another one. */
static void a_key_is_used_once(void **state)
{
    (void)state;
    struct match_request r = a_request(), again = a_request();
    struct db_insert_terms terms = keyed("k1", "asked");
    struct db_cancel cancel;
    again.user_id = r.user_id;
    assert_int_equal(insert(f, &r, &terms), OK);
    assert_int_equal(RUN(f, db_match_request_cancel(f, &r.id, &r.user_id, &cancel)), OK);
    assert_int_equal(insert(f, &again, &terms), ERR_ALREADY_MATCHED);
    assert_int_equal(direct_int(f, "SELECT count(*) FROM match_requests"), 1);
    assert_event_count(f, 2);
}

static void a_key_of_yesterday_is_free(void **state)
{
    (void)state;
    struct match_request r = a_request();
    struct db_insert_terms terms = keyed("k1", "asked");
    struct db_cancel cancel;
    assert_int_equal(insert(f, &r, &terms), OK);
    assert_int_equal(RUN(f, db_match_request_cancel(f, &r.id, &r.user_id, &cancel)), OK);
    advance(DB_KEY_KEPT_MS);
    struct match_request again = a_request();
    again.user_id = r.user_id;
    assert_int_equal(insert(f, &again, &terms), OK);
    assert_uuid_equal(first_result(&r.user_id, "k1", "asked").request_id, again.id);
}

static void what_is_taken_back_frees_its_key(void **state)
{
    (void)state;
    struct match_request r = a_request(), again = a_request();
    struct db_insert_terms terms = keyed("k1", "asked");
    struct db_cancel cancel;
    again.user_id = r.user_id;
    assert_int_equal(insert(f, &r, &terms), OK);
    assert_int_equal(RUN(f, db_match_request_take_back(f, &r.id, &r.user_id, &cancel)), OK);
    assert_true(cancel.changed);
    assert_int_equal(cancel.request.status, MATCH_CANCELLED);
    assert_false(first_result(&r.user_id, "k1", "asked").is_found);
    assert_int_equal(insert(f, &again, &terms), OK);
}

/* --- regions --- */

static struct db_admission admission_in(const char *language)
{
    struct db_admission a;
    const struct db_admission_query q = {.user_id = uuid_random(),
                                         .language = language,
                                         .topic_code = "free_talk",
                                         .time = {MATCH_NOW, NOW, NOW + 1}};
    assert_int_equal(RUN(f, db_match_admission(f, &q, &a)), OK);
    return a;
}

static void a_region_has_the_topics_of_its_language(void **state)
{
    (void)state;
    struct db_topics topics;
    struct db_topic_query q = {.user_id = uuid_random(), .code = "free_talk", .language = "en-GB"};
    assert_string_equal(admission_in("en").topic.language, "en");
    assert_string_equal(admission_in("en-GB").topic.language, "en");
    assert_false(admission_in("eo-GB").topic_found);
    assert_int_equal(RUN(f, db_topic_get(f, &q, &topics)), OK);
    assert_int_equal(topics.count, 1);
    assert_string_equal(topics.items[0].language, "en");
    /* a topic of its own comes first */
    EXEC(f,
         "INSERT INTO topics (code, target_language_code, name_key, description_key, title, level, category,"
         " estimated_duration_minutes) VALUES ('free_talk', 'en-GB', 'n', 'd', 't', 'A1', 'other', 5)");
    assert_string_equal(admission_in("en-GB").topic.language, "en-GB");
    assert_string_equal(admission_in("en").topic.language, "en");
    assert_int_equal(RUN(f, db_topic_get(f, &q, &topics)), OK);
    assert_int_equal(topics.count, 1);
    assert_string_equal(topics.items[0].language, "en-GB");
    EXEC(f, "DELETE FROM topics WHERE target_language_code = 'en-GB'");
}

/* --- retries at once --- */

#define RACERS 4

struct race {
    struct flow *racer[RACERS];
    struct match_request request[RACERS];
    enum err err[RACERS];
};

static void insert_each(int who, void *arg)
{
    struct race *race = arg;
    struct db_insert_terms terms = keyed("k1", "asked");
    race->err[who] = insert(race->racer[who], &race->request[who], &terms);
}

static void retries_at_once_make_one_request(void **state)
{
    (void)state;
    struct race race;
    for (int who = 0; who < RACERS; who++)
        race.racer[who] = direct_open();
    for (int i = 0; i < ROUNDS; i++) {
        struct uuid user_id = uuid_random();
        int winner = -1, stored = 0;
        for (int who = 0; who < RACERS; who++) {
            arena_done(flow_arena(race.racer[who]));
            race.request[who] = a_request();
            race.request[who].user_id = user_id;
        }
        direct_race(RACERS, insert_each, &race);
        for (int who = 0; who < RACERS; who++) {
            if (race.err[who] == OK)
                winner = who, stored++;
            else
                assert_int_equal(race.err[who], ERR_ALREADY_MATCHED);
        }
        assert_int_equal(stored, 1);
        assert_uuid_equal(first_result(&user_id, "k1", "asked").request_id, race.request[winner].id);
        arena_done(flow_arena(f));
    }
    for (int who = 0; who < RACERS; who++)
        direct_close(race.racer[who]);
}

/* --- the week --- */

#define MONDAY INT64_C(1736726400000) /* 2025-01-13T00:00:00.000Z, of the week of NOW */

static const struct db_insert_terms three_a_week = {
    .estimated_wait_seconds = 60, .weekly_limit = 3, .week_start_ms = MONDAY};

static struct match_request request_of(const struct uuid *user_id)
{
    struct match_request r = a_request();
    r.user_id = *user_id;
    return r;
}

/* A conversation of this user with somebody, begun at `started_at_ms`. */
static void talked(const struct uuid *user_id, int64_t started_at_ms, int64_t active_ms)
{
    struct uuid partner = uuid_random();
    set_now(started_at_ms);
    a_talk(f, user_id, &partner, active_ms);
    set_now(NOW);
}

static enum err asks(const struct uuid *user_id, struct db_week *week)
{
    struct match_request r = request_of(user_id);
    return RUN(f, db_match_request_insert(f, &r, &three_a_week, week));
}

static void three_conversations_a_week(void **state)
{
    (void)state;
    struct uuid user = uuid_random();
    struct db_week week;
    talked(&user, MONDAY, 60000);
    talked(&user, MONDAY + DAY, 60000);
    assert_int_equal(asks(&user, &week), OK);
    assert_true(week.used == 2 && week.reserved == 0);
    EXEC(f, "UPDATE match_requests SET status = 'cancelled' WHERE status = 'pending'");
    talked(&user, MONDAY + 2 * DAY, 60000);
    assert_int_equal(asks(&user, &week), ERR_DAILY_LIMIT_REACHED);
    assert_true(week.used == 3 && week.reserved == 0);
    struct match_request r = request_of(&user); /* of a premium learner */
    assert_int_equal(insert_request(f, &r), OK);
}

static void what_counts_was_active_this_week_and_not_aborted(void **state)
{
    (void)state;
    struct uuid user = uuid_random();
    struct db_week week;
    talked(&user, MONDAY - 1, 600000);      /* begun last week */
    talked(&user, MONDAY + 3600000, 59999); /* left within the first minute: aborted */
    talked(&user, MONDAY + 7200000, 60000); /* this one counts */
    assert_int_equal(asks(&user, &week), OK);
    assert_true(week.used == 1 && week.reserved == 0);
}

static void the_week_turns_on_monday(void **state)
{
    (void)state;
    struct uuid user = uuid_random();
    struct db_week week;
    for (int i = 0; i < 3; i++)
        talked(&user, MONDAY + i * DAY, 60000);
    set_now(MONDAY + 7 * DAY - 1);
    assert_int_equal(asks(&user, &week), ERR_DAILY_LIMIT_REACHED);
    set_now(MONDAY + 7 * DAY);
    struct match_request r = request_of(&user);
    struct db_insert_terms terms = three_a_week;
    terms.week_start_ms = MONDAY + 7 * DAY;
    assert_int_equal(RUN(f, db_match_request_insert(f, &r, &terms, &week)), OK);
    assert_true(week.used == 0 && week.reserved == 0);
}

/* A request that was made before its twin's conversation took the last place: the claim does not let it pass.
 */
static void a_claim_sees_that_the_week_is_used_up(void **state)
{
    (void)state;
    struct uuid user = uuid_random();
    for (int i = 0; i < 3; i++)
        talked(&user, MONDAY + i * DAY, 60000);
    struct match_request late = request_of(&user), ben = a_request();
    assert_int_equal(insert_request(f, &late), OK); /* as if it had not seen them */
    assert_int_equal(insert_request(f, &ben), OK);
    struct db_claim claim = a_claim(&late, &ben);
    struct session session;
    int64_t events = direct_int(f, "SELECT count(*) FROM event_outbox");
    claim.free_weekly_limit = 3;
    claim.week_start_ms = MONDAY;
    assert_int_equal(RUN(f, db_match_claim(f, &claim, &session)), ERR_CONFLICT);
    assert_string_equal(direct_value(f, "SELECT status FROM match_requests WHERE id = '%s'", UUIDZ(&late.id)),
                        "cancelled");
    assert_string_equal(direct_value(f, "SELECT status FROM match_requests WHERE id = '%s'", UUIDZ(&ben.id)),
                        "pending");
    assert_int_equal(direct_int(f, "SELECT count(*) FROM event_outbox"), events + 1);
    assert_int_equal(
        direct_int(f, "SELECT count(*) FROM event_outbox WHERE event_type = 'match.cancelled' AND key = '%s'",
                   UUIDZ(&user)),
        1);
    assert_int_equal(direct_int(f, "SELECT count(*) FROM sessions WHERE status = 'waiting'"), 0);
}

static void premium_claims_are_not_counted(void **state)
{
    (void)state;
    struct uuid user = uuid_random();
    for (int i = 0; i < 3; i++)
        talked(&user, MONDAY + i * DAY, 60000);
    struct match_request ana = request_of(&user), ben = a_request();
    ana.tier = TIER_PREMIUM;
    assert_int_equal(insert_request(f, &ana), OK);
    assert_int_equal(insert_request(f, &ben), OK);
    struct db_claim claim = a_claim(&ana, &ben);
    struct session session;
    claim.free_weekly_limit = 3;
    claim.week_start_ms = MONDAY;
    assert_int_equal(RUN(f, db_match_claim(f, &claim, &session)), OK);
}

/* --- the week, raced for --- */

/* One thread's part: asks, is matched, talks and ends it, as often as it is let, all with real statements at
 * once. */
struct greed {
    struct flow *racer[RACERS];
    struct uuid user;
    int talks[RACERS];
};

static bool talk(struct flow *flow, const struct match_request *mine)
{
    struct match_request partner = a_request();
    struct db_claim claim = a_claim(mine, &partner);
    struct session session;
    struct db_join join;
    struct db_ended ended;
    claim.free_weekly_limit = 3;
    claim.week_start_ms = MONDAY;
    if (insert_request(flow, &partner) || RUN(flow, db_match_claim(flow, &claim, &session)))
        return false;
    for (int i = 0; i < 2; i++)
        if (RUN(flow, db_session_join(flow, &session.id, &session.participants[i].user_id, &join)))
            return false;
    return end_session(flow, &session, &mine->user_id, SESSION_EVENT_END, &ended) == OK;
}

static void be_greedy(int who, void *arg)
{
    struct greed *g = arg;
    struct flow *flow = g->racer[who];
    enum err err = OK;
    while (err != ERR_DAILY_LIMIT_REACHED) {
        struct match_request mine = request_of(&g->user);
        struct db_week week;
        struct db_cancel cancel;
        err = RUN(flow, db_match_request_insert(flow, &mine, &three_a_week, &week));
        if (err == OK && talk(flow, &mine))
            g->talks[who]++;
        else if (err == OK) /* lost to one of the others */
            (void)RUN(flow, db_match_request_cancel(flow, &mine.id, &mine.user_id, &cancel));
        arena_done(flow_arena(flow));
    }
}

static void nobody_gets_past_the_limit_by_asking_at_once(void **state)
{
    (void)state;
    struct greed g;
    for (int who = 0; who < RACERS; who++)
        g.racer[who] = direct_open();
    for (int i = 0; i < ROUNDS / 10; i++) {
        int talks = 0;
        memset(g.talks, 0, sizeof g.talks);
        g.user = uuid_random();
        direct_race(RACERS, be_greedy, &g);
        int64_t used =
            direct_int(f,
                       "SELECT count(*) FROM session_participants p JOIN sessions s ON s.id = p.session_id"
                       " WHERE p.user_id = '%s' AND s.started_at IS NOT NULL AND s.status <> 'aborted'",
                       UUIDZ(&g.user));
        assert_int_equal(used, 3);
        for (int who = 0; who < RACERS; who++)
            talks += g.talks[who];
        assert_int_equal(talks, 3);
    }
    for (int who = 0; who < RACERS; who++)
        direct_close(g.racer[who]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_key_finds_the_first_result),
        TEST(no_key_finds_nothing),
        TEST(a_key_is_used_once),
        TEST(a_key_of_yesterday_is_free),
        TEST(what_is_taken_back_frees_its_key),
        TEST(a_region_has_the_topics_of_its_language),
        TEST(retries_at_once_make_one_request),
        TEST(three_conversations_a_week),
        TEST(what_counts_was_active_this_week_and_not_aborted),
        TEST(the_week_turns_on_monday),
        TEST(a_claim_sees_that_the_week_is_used_up),
        TEST(premium_claims_are_not_counted),
        TEST(nobody_gets_past_the_limit_by_asking_at_once),
    };
    return cmocka_run_group_tests(tests, direct_create_database, direct_drop_database);
}
