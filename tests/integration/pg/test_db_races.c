/* Two at a time, on two connections, many times each: whoever comes second changes nothing, and nothing
 * is half done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "conversation/base/clock.h"
#include "conversation/ports/db_moderation.h"
#include "direct.h"
#include "learners.h"

#ifdef __SANITIZE_ADDRESS__
#define ROUNDS 200 /* each takes several times as long, and tests/run does both builds */
#else
#define ROUNDS 1000
#endif
#define MINUTE INT64_C(60000)

static struct flow *f;        /* sets up and looks */
static struct flow *racer[2]; /* run */

/* Rounds that each outcome had, for a look at whether the race was one. */
static int outcomes[4];

static int setup(void **state)
{
    (void)state;
    f = direct_open();
    for (int i = 0; i < 2; i++)
        racer[i] = direct_open();
    direct_truncate(f);
    for (int i = 0; i < 4; i++)
        outcomes[i] = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        direct_close(racer[i]);
    direct_close(f);
    return 0;
}

static void begin_round(int round)
{
    if (round % 100 == 0)
        direct_truncate(f); /* what the rounds look for has no index */
    arena_done(flow_arena(f));
    for (int i = 0; i < 2; i++)
        arena_done(flow_arena(racer[i]));
    set_now(NOW);
}

static void print_outcomes(const char *a, const char *b)
{
    print_message("             %s: %d, %s: %d\n", a, outcomes[0], b, outcomes[1]);
}

static struct match_request a_stored_request(void)
{
    struct match_request r = a_request();
    assert_int_equal(insert_request(f, &r), OK);
    return r;
}

static const char *status_of(const struct match_request *r)
{
    return direct_value(f, "SELECT status FROM match_requests WHERE id = '%s'", UUIDZ(&r->id));
}

static int64_t events_of(const char *type, const struct uuid *id)
{
    return direct_int(
        f,
        "SELECT count(*) FROM event_outbox WHERE event_type = '%s' AND (payload->>'sessionId' = '%s'"
        " OR payload->>'matchRequestId' = '%s')",
        type, UUIDZ(id), UUIDZ(id));
}

static int64_t sessions_of(const struct uuid *id)
{
    return direct_int(f,
                      "SELECT count(*) FROM sessions s JOIN session_participants p ON p.session_id = s.id"
                      " WHERE s.id = '%s'",
                      UUIDZ(id));
}

/* --- claims --- */

struct claims {
    struct db_claim claim[2];
    struct match_request *request; /* cancelled or expired by the second racer; NULL: it claims too */
    enum err err[2];
    bool changed;
};

static void claim_or_cancel(int who, void *arg)
{
    struct claims *c = arg;
    struct session session;
    struct db_cancel cancel;
    if (who == 0) {
        c->err[0] = RUN(racer[0], db_match_claim(racer[0], &c->claim[0], &session));
    } else {
        c->err[1] =
            RUN(racer[1], db_match_request_cancel(racer[1], &c->request->id, &c->request->user_id, &cancel));
        c->changed = cancel.changed;
    }
}

static void assert_claimed_or_gone(const struct claims *c, const struct match_request *other,
                                   const char *gone)
{
    char event[32];
    snprintf(event, sizeof event, "match.%s", gone);
    bool claimed = c->err[0] == OK;
    assert_true(claimed || c->err[0] == ERR_CONFLICT);
    assert_int_equal(c->err[1], OK);
    assert_true(claimed != c->changed);
    assert_string_equal(status_of(c->request), claimed ? "matched" : gone);
    assert_string_equal(status_of(other), claimed ? "matched" : "pending");
    assert_int_equal(sessions_of(&c->claim[0].session_id), claimed ? 2 : 0);
    assert_int_equal(events_of("conversation.matched", &c->claim[0].session_id), claimed);
    assert_int_equal(events_of(event, &c->request->id), !claimed);
}

static void claim_against_cancel(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        begin_round(i);
        struct match_request ana = a_stored_request(), ben = a_stored_request();
        struct claims c = {.claim = {a_claim(&ana, &ben)}, .request = i % 2 ? &ana : &ben};
        direct_race(2, claim_or_cancel, &c);
        assert_claimed_or_gone(&c, i % 2 ? &ben : &ana, "cancelled");
        outcomes[c.changed]++;
    }
    print_outcomes("claimed", "cancelled");
}

static void claim_or_expire(int who, void *arg)
{
    struct claims *c = arg;
    struct session session;
    struct db_match_requests expired = {0};
    if (who == 0) {
        c->err[0] = RUN(racer[0], db_match_claim(racer[0], &c->claim[0], &session));
    } else {
        struct uuid ids[] = {c->claim[0].second_id, c->claim[0].first_id};
        c->err[1] = RUN(racer[1], db_match_requests_expire(racer[1], ids, 2, &expired));
        c->changed = expired.count > 0;
    }
}

static void claim_against_expiry(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        begin_round(i);
        struct match_request ana = a_stored_request();
        advance(1);
        struct match_request ben = a_stored_request();
        set_now(ana.expires_at_ms);
        struct claims c = {.claim = {i % 2 ? a_claim(&ana, &ben) : a_claim(&ben, &ana)}, .request = &ana};
        direct_race(2, claim_or_expire, &c);
        assert_claimed_or_gone(&c, &ben, "expired");
        outcomes[c.changed]++;
    }
    print_outcomes("claimed", "expired");
}

static void claim_each(int who, void *arg)
{
    struct claims *c = arg;
    struct session session;
    c->err[who] = RUN(racer[who], db_match_claim(racer[who], &c->claim[who], &session));
}

static void two_claims_of_one_request(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        begin_round(i);
        struct match_request ana = a_stored_request(), ben = a_stored_request(), cem = a_stored_request();
        struct claims c = {.claim = {a_claim(&ana, &ben), a_claim(&cem, &ana)}};
        direct_race(2, claim_each, &c);
        int winner = c.err[0] == OK ? 0 : 1;
        assert_int_equal(c.err[winner], OK);
        assert_int_equal(c.err[!winner], ERR_CONFLICT);
        assert_string_equal(status_of(&ana), "matched");
        assert_string_equal(status_of(winner == 0 ? &ben : &cem), "matched");
        assert_string_equal(status_of(winner == 0 ? &cem : &ben), "pending");
        assert_int_equal(sessions_of(&c.claim[winner].session_id), 2);
        assert_int_equal(sessions_of(&c.claim[!winner].session_id), 0);
        assert_int_equal(events_of("conversation.matched", &c.claim[!winner].session_id), 0);
        outcomes[winner]++;
    }
    print_outcomes("first", "second");
}

static void two_claims_of_one_pair_crosswise(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        begin_round(i);
        struct match_request ana = a_stored_request(), ben = a_stored_request();
        struct claims c = {.claim = {a_claim(&ana, &ben), a_claim(&ben, &ana)}};
        direct_race(2, claim_each, &c);
        assert_true((c.err[0] == OK) + (c.err[1] == OK) == 1);
        assert_true((c.err[0] == ERR_CONFLICT) + (c.err[1] == ERR_CONFLICT) == 1);
        assert_int_equal(sessions_of(&c.claim[0].session_id) + sessions_of(&c.claim[1].session_id), 2);
    }
}

/* --- inserts --- */

struct inserts {
    struct match_request request[2];
    struct db_claim claim;
    enum err err[2];
};

static void insert_each(int who, void *arg)
{
    struct inserts *c = arg;
    c->err[who] = insert_request(racer[who], &c->request[who]);
}

static void two_requests_of_one_user(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        begin_round(i);
        struct inserts c = {.request = {a_request(), a_request()}};
        c.request[1].user_id = c.request[0].user_id;
        direct_race(2, insert_each, &c);
        int winner = c.err[0] == OK ? 0 : 1;
        assert_int_equal(c.err[winner], OK);
        assert_int_equal(c.err[!winner], ERR_ALREADY_MATCHED);
        assert_int_equal(events_of("match.requested", &c.request[winner].id), 1);
        assert_int_equal(events_of("match.requested", &c.request[!winner].id), 0);
        outcomes[winner]++;
    }
    print_outcomes("first", "second");
}

static void claim_or_insert(int who, void *arg)
{
    struct inserts *c = arg;
    struct session session;
    if (who == 0)
        c->err[0] = RUN(racer[0], db_match_claim(racer[0], &c->claim, &session));
    else
        c->err[1] = insert_request(racer[1], &c->request[1]);
}

static void a_new_request_while_the_old_one_is_claimed(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        begin_round(i);
        struct match_request ana = a_stored_request(), ben = a_stored_request();
        struct inserts c = {.claim = a_claim(&ana, &ben), .request = {ana, a_request()}};
        c.request[1].user_id = i % 2 ? ana.user_id : ben.user_id;
        direct_race(2, claim_or_insert, &c);
        assert_int_equal(c.err[0], OK);
        assert_true(c.err[1] == ERR_ALREADY_MATCHED || c.err[1] == ERR_ALREADY_IN_SESSION);
        outcomes[c.err[1] == ERR_ALREADY_IN_SESSION]++;
    }
    print_outcomes("already matched", "already in session");
}

/* --- joins --- */

struct joins {
    struct session session;
    struct db_join join[2];
    struct db_ended ended;
    enum err err[2];
};

static void join_each(int who, void *arg)
{
    struct joins *c = arg;
    c->err[who] = RUN(racer[who], db_session_join(racer[who], &c->session.id,
                                                  &c->session.participants[who].user_id, &c->join[who]));
}

static void two_joins_activate_once(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        begin_round(i);
        struct joins c = {.session = a_waiting_session(f, 0)};
        advance(1);
        direct_race(2, join_each, &c);
        assert_true(c.err[0] == OK && c.err[1] == OK);
        assert_true(c.join[0].activated != c.join[1].activated);
        int second = c.join[1].activated;
        struct session stored;
        assert_int_equal(RUN(f, db_session_get(f, &c.session.id, &stored)), OK);
        assert_int_equal(stored.status, SESSION_ACTIVE);
        assert_memory_equal(&stored, &c.join[second].session, sizeof stored);
        assert_true(stored.participants[0].joined_at_ms == NOW + 1 &&
                    stored.participants[1].joined_at_ms == NOW + 1);
        assert_int_equal(c.join[!second].session.status, SESSION_WAITING);
        assert_int_equal(events_of("conversation.started", &c.session.id), 1);
        outcomes[second]++;
    }
    print_outcomes("first activates", "second activates");
}

static void join_or_unjoin(int who, void *arg)
{
    struct joins *c = arg;
    const struct uuid *user = &c->session.participants[who].user_id;
    if (who == 0)
        join_each(0, c);
    else
        c->err[1] = RUN(racer[1], db_session_unjoin(racer[1], &c->session.id, user, c->join[1].number));
}

static void join_against_the_partners_unjoin(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        begin_round(i);
        struct joins c = {.session = a_waiting_session(f, 0)};
        assert_int_equal(
            RUN(f, db_session_join(f, &c.session.id, &c.session.participants[1].user_id, &c.join[1])), OK);
        direct_race(2, join_or_unjoin, &c);
        assert_true(c.err[0] == OK && c.err[1] == OK);
        struct session stored;
        assert_int_equal(RUN(f, db_session_get(f, &c.session.id, &stored)), OK);
        assert_int_equal(stored.status, c.join[0].activated ? SESSION_ACTIVE : SESSION_WAITING);
        assert_true(stored.participants[0].joined_at_ms != 0);
        assert_true((stored.participants[1].joined_at_ms != 0) == c.join[0].activated);
        assert_int_equal(events_of("conversation.started", &c.session.id), c.join[0].activated);
        outcomes[!c.join[0].activated]++;
    }
    print_outcomes("active", "waiting");
}

static void join_or_leave(int who, void *arg)
{
    struct joins *c = arg;
    if (who == 0)
        join_each(0, c);
    else
        c->err[1] = end_session(racer[1], &c->session, &c->session.participants[1].user_id,
                                SESSION_EVENT_LEAVE, &c->ended);
}

static void join_against_leave(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        begin_round(i);
        struct joins c = {.session = a_waiting_session(f, 0)};
        assert_int_equal(
            RUN(f, db_session_join(f, &c.session.id, &c.session.participants[1].user_id, &c.join[1])), OK);
        direct_race(2, join_or_leave, &c);
        bool joined = c.err[0] == OK;
        assert_true(joined || c.err[0] == ERR_SESSION_ENDED);
        assert_int_equal(c.err[1], OK);
        assert_true(c.ended.changed);
        struct session stored;
        assert_int_equal(RUN(f, db_session_get(f, &c.session.id, &stored)), OK);
        assert_memory_equal(&stored, &c.ended.session, sizeof stored);
        assert_int_equal(stored.status, joined ? SESSION_ABORTED : SESSION_CANCELLED);
        assert_int_equal(events_of("conversation.started", &c.session.id), joined);
        assert_int_equal(events_of("conversation.aborted", &c.session.id), joined);
        outcomes[!joined]++;
    }
    print_outcomes("joined, then left", "left, then refused");
}

/* --- ends --- */

struct ends {
    struct session session;
    struct db_ended ended[2];
    struct db_swept swept[2];
    struct db_rated rated[2];
    enum err err[2];
};

static void end_each(int who, void *arg)
{
    struct ends *c = arg;
    c->err[who] = end_session(racer[who], &c->session, &c->session.participants[who].user_id,
                              who == 0 ? SESSION_EVENT_END : SESSION_EVENT_LEAVE, &c->ended[who]);
}

static void assert_ended_once(const struct ends *c, enum session_end_reason reason)
{
    struct session stored;
    assert_int_equal(RUN(f, db_session_get(f, &c->session.id, &stored)), OK);
    assert_int_equal(stored.status, SESSION_COMPLETED);
    assert_int_equal(stored.end_reason, reason);
    assert_int_equal(events_of("conversation.completed", &c->session.id), 1);
}

static void two_ends_change_once(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        begin_round(i);
        struct ends c = {.session = an_active_session(f)};
        advance(2 * MINUTE);
        direct_race(2, end_each, &c);
        assert_true(c.err[0] == OK && c.err[1] == OK);
        assert_true(c.ended[0].changed != c.ended[1].changed);
        assert_memory_equal(&c.ended[0].session, &c.ended[1].session, sizeof c.session);
        assert_ended_once(&c, c.ended[0].changed ? END_COMPLETED : END_LEFT);
        outcomes[c.ended[1].changed]++;
    }
    print_outcomes("end", "leave");
}

static void sweep_or_end(int who, void *arg)
{
    static const struct db_sweep_query q = {.slack_ms = 1000, .join_window_ms = 60000};
    struct ends *c = arg;
    if (who == 0)
        end_each(0, c);
    else
        c->err[1] = RUN(racer[1], db_sessions_sweep(racer[1], &q, &c->swept[1]));
}

static void sweep_against_end(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        begin_round(i);
        struct ends c = {.session = an_active_session(f)};
        advance(20 * MINUTE);
        direct_race(2, sweep_or_end, &c);
        assert_true(c.err[0] == OK && c.err[1] == OK);
        assert_true(c.ended[0].changed == (c.swept[1].ended_count == 0));
        assert_ended_once(&c, c.ended[0].changed ? END_COMPLETED : END_TIMEOUT);
        outcomes[!c.ended[0].changed]++;
    }
    print_outcomes("end", "sweep");
}

static void rate_each(int who, void *arg)
{
    struct ends *c = arg;
    struct db_rating r = {.session_id = c->session.id,
                          .user_id = c->session.participants[who].user_id,
                          .rating = who == 0 ? 5 : 2};
    c->err[who] = RUN(racer[who], db_session_rate(racer[who], &r, &c->rated[who]));
}

static void two_ratings_see_each_other(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        begin_round(i);
        struct ends c = {.session = an_active_session(f)};
        assert_int_equal(end_session(f, &c.session, NULL, SESSION_EVENT_LIMIT, &c.ended[0]), OK);
        direct_race(2, rate_each, &c);
        assert_true(c.err[0] == OK && c.err[1] == OK);
        int last = c.rated[1].average == 3.5;
        assert_true(c.rated[last].average == 3.5);
        assert_true(c.rated[!last].average == (last ? 5.0 : 2.0));
        assert_string_equal(
            direct_value(f, "SELECT payload->>'averageRating' FROM event_outbox ORDER BY id DESC LIMIT 1"),
            "3.5");
        outcomes[last]++;
    }
    print_outcomes("first is last", "second is last");
}

struct reports {
    struct session sessions[2]; /* participant 0 is reported */
    struct db_reported reported[2];
    struct db_flag flag;
    enum err err[2];
};

static void report_each(int who, void *arg)
{
    struct reports *c = arg;
    struct db_report r = {.session_id = c->sessions[who].id,
                          .reporter_id = c->sessions[who].participants[1].user_id};
    c->err[who] = RUN(racer[who], db_session_report(racer[who], &r, &c->reported[who]));
}

static struct session a_talk_with(const struct uuid *user)
{
    struct uuid other = uuid_random();
    return a_talk(f, user, &other, MINUTE);
}

/* So many others have reported the user; two more are about to. */
static struct reports after_reports(const struct uuid *user, int others)
{
    for (int i = 0; i < others; i++)
        EXEC(f,
             "INSERT INTO reports (session_id, reporter_id, reported_user_id, reason)"
             " VALUES (gen_random_uuid(), gen_random_uuid(), '%s', 'spam')",
             UUIDZ(user));
    return (struct reports){.sessions = {a_talk_with(user), a_talk_with(user)}};
}

/* Neither would be one too many by itself. */
static void two_reports_see_each_other(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        begin_round(i);
        struct uuid user = uuid_random();
        struct reports c = after_reports(&user, REPORTERS_TOLERATED - 1);
        direct_race(2, report_each, &c);
        assert_true(c.err[0] == OK && c.err[1] == OK);
        assert_int_equal(c.reported[0].is_flagged + c.reported[1].is_flagged, 1);
        assert_int_equal(
            direct_int(f, "SELECT reporter_count FROM user_flags WHERE user_id = '%s'", UUIDZ(&user)), 4);
        outcomes[c.reported[1].is_flagged]++;
    }
    print_outcomes("first is last", "second is last");
}

static void report_or_review(int who, void *arg)
{
    struct reports *c = arg;
    if (who == 0) {
        report_each(0, arg);
        return;
    }
    struct db_review r = {
        .user_id = c->sessions[0].participants[0].user_id, .reviewer_id = uuid_random(), .decision = -1};
    c->err[1] = RUN(racer[1], db_flag_review(racer[1], &r, &c->flag));
}

/* A report is reviewed with the others, or counts towards the next flag. */
static void report_against_review(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        begin_round(i);
        struct uuid user = uuid_random();
        struct reports c = after_reports(&user, REPORTERS_TOLERATED);
        report_each(1, &c);
        assert_true(c.reported[1].is_flagged);
        direct_race(2, report_or_review, &c);
        assert_true(c.err[0] == OK && c.err[1] == OK);
        assert_false(c.reported[0].is_flagged);
        int64_t open = direct_int(
            f, "SELECT count(*) FROM reports WHERE reported_user_id = '%s' AND reviewed_at IS NULL",
            UUIDZ(&user));
        assert_int_equal(c.flag.reporter_count, open ? 4 : 5);
        assert_int_equal(
            open + direct_int(f, "SELECT count(*) FROM reports WHERE flag_id = '%s'", UUIDZ(&c.flag.id)), 5);
        outcomes[open == 0]++;
    }
    print_outcomes("review", "report");
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(claim_against_cancel),       TEST(claim_against_expiry),
        TEST(two_claims_of_one_request),  TEST(two_claims_of_one_pair_crosswise),
        TEST(two_requests_of_one_user),   TEST(a_new_request_while_the_old_one_is_claimed),
        TEST(two_joins_activate_once),    TEST(join_against_the_partners_unjoin),
        TEST(join_against_leave),         TEST(two_ends_change_once),
        TEST(sweep_against_end),          TEST(two_ratings_see_each_other),
        TEST(two_reports_see_each_other), TEST(report_against_review),
    };
    return cmocka_run_group_tests(tests, direct_create_database, direct_drop_database);
}
