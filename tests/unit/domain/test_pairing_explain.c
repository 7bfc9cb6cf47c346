/* What is said about a waiting request equals what is counted by comparing it with everyone.
 *
 *   PAIRING_SEED=n     the first seed (default 1); a failure prints the one to repeat
 *   PAIRING_QUEUES=n   how many random queues (default 3000) */
#include "conversation/domain/pairing_explain.h"
#include "pairing_fixture.h"
#include "pairing_world.h"

/* --- brute force --- */

static bool sleeps(const struct oracle *o, const struct match_request *r)
{
    return start_of(r) > o->now;
}

/* What speaks against `a` and `b`, `a` being in `phase`. */
static unsigned against(const struct oracle *o, const struct match_request *a, const struct match_request *b,
                        int phase)
{
    if (sleeps(o, a)) {
        int64_t apart = start_of(a) - start_of(b);
        unsigned time = apart > 300000 || apart < -300000 ? AGAINST_TIME : 0;
        return time | oracle_judge(o, a, b, 0, later_start(a, b)).failing;
    }
    int other = oracle_phase(o, b);
    return oracle_judge(o, a, b, phase > other ? phase : other, o->now).failing;
}

static const unsigned order[CONSTRAINT_COUNT] = {AGAINST_LANGUAGE, AGAINST_TIME,  AGAINST_TANDEM,
                                                 AGAINST_TOPIC,    AGAINST_LEVEL, AGAINST_SCORE};

struct count {
    const struct oracle *o;
    const struct match_request *r;
    struct pairing_explanation out;
    size_t more_by_topic[8];
};

static unsigned long blocked_alone;

static void count_against(struct count *c, const struct match_request *other, unsigned failing)
{
    if (failing == AGAINST_BLOCK) { /* told like somebody with whom nothing can be done */
        c->out.excluded[CONSTRAINT_LANGUAGE]++;
        blocked_alone++;
        return;
    }
    c->out.candidates += !(failing & AGAINST_LANGUAGE);
    c->out.eligible += !failing;
    for (int i = 0; i < CONSTRAINT_COUNT; i++) {
        if (!(failing & order[i]))
            continue;
        c->out.excluded[i]++;
        if (i != CONSTRAINT_LANGUAGE && i != CONSTRAINT_TIME)
            c->out.only_this[i] += failing == order[i];
        break;
    }
    if (failing != AGAINST_TOPIC)
        return;
    c->out.more_in_category += other->topic_category == c->r->topic_category;
    for (int i = 0; i < 8; i++)
        c->more_by_topic[i] += !strcmp(other->topic_code, topic_pool[i]);
}

static void count_changes(struct count *c, const struct match_request *other, int phase)
{
    for (int wish = PARTNER_SAME; wish <= PARTNER_ANY; wish++) {
        struct match_request changed = *c->r;
        changed.preferred_partner_level = (enum partner_level)wish;
        c->out.more_with_wish[wish] += !against(c->o, &changed, other, phase);
    }
    struct match_request practice = *c->r;
    practice.wanted_native_language[0] = '\0';
    c->out.more_without_tandem += !against(c->o, &practice, other, phase);
}

static void count_outlooks(struct count *c, const struct match_request *other, int phase)
{
    for (int later = phase + 1; later < PHASE_COUNT && !sleeps(c->o, c->r); later++)
        c->out.outlooks[later].admits += !against(c->o, c->r, other, later);
}

/* outlooks[] by phase here, whether it will come or not. */
static void count_all(struct count *c)
{
    int phase = sleeps(c->o, c->r) ? 0 : oracle_phase(c->o, c->r);
    for (unsigned i = 0; i < c->o->count; i++) {
        const struct match_request *other = &c->o->entries[i].r;
        bool is_like_it = sleeps(c->o, other) == sleeps(c->o, c->r);
        if (!c->o->entries[i].is_in || other == c->r || !is_like_it)
            continue;
        unsigned failing = against(c->o, c->r, other, phase);
        c->out.others++;
        count_against(c, other, failing);
        if (failing)
            count_changes(c, other, phase);
        count_outlooks(c, other, phase);
    }
}

/* --- comparing --- */

static void compare_topics(const struct world *w, const struct count *c, const struct pairing_explanation *e)
{
    size_t named = 0;
    for (int i = 0; i < 8; i++)
        named += c->more_by_topic[i] > 0;
    CHECK(w, e->topic_count == (named < 3 ? named : 3), "the number of topics");
    for (size_t t = 0; t < e->topic_count; t++) {
        size_t better = 0;
        for (int i = 0; i < 8; i++) {
            bool is_it = !strcmp(topic_pool[i], e->topics[t].code);
            CHECK(w, !is_it || c->more_by_topic[i] == e->topics[t].more, "the count of a topic");
            better +=
                c->more_by_topic[i] > e->topics[t].more ||
                (c->more_by_topic[i] == e->topics[t].more && strcmp(topic_pool[i], e->topics[t].code) < 0);
        }
        CHECK(w, better == t, "the order of the topics");
    }
}

static void compare_outlooks(const struct world *w, const struct count *c,
                             const struct pairing_explanation *e)
{
    const struct match_request *r = c->r;
    int64_t last = r->expires_at_ms ? r->expires_at_ms - w->o.rules.last_pass_ms : INT64_MAX;
    size_t n = 0;
    for (int phase = e->phase + 1; phase < PHASE_COUNT && !e->is_asleep; phase++) {
        int64_t at = start_of(r) + (phase == 1 ? 30000 : phase == 2 ? 60000 : 120000);
        if (phase < 3 && at >= last)
            continue;
        const struct pairing_outlook *o = &e->outlooks[n++];
        CHECK(w, o->phase == (enum match_phase)phase && o->at_ms == (at < last ? at : last),
              "the next phase");
        CHECK(w, o->admits == c->out.outlooks[phase].admits, "what the next phase admits");
    }
    CHECK(w, e->outlook_count == n, "the number of next phases");
}

static void compare(const struct world *w, const struct match_request *r, const struct pairing_explanation *e)
{
    struct count c = {.o = &w->o, .r = r};
    count_all(&c);
    CHECK(w, e->is_exact && e->is_asleep == sleeps(&w->o, r), "the state");
    CHECK(w, e->is_asleep || (int)e->phase == oracle_phase(&w->o, r), "the phase");
    CHECK(w, e->others == c.out.others && e->candidates == c.out.candidates, "who there is");
    CHECK(w, e->eligible == c.out.eligible, "who is eligible");
    CHECK(w, !memcmp(e->excluded, c.out.excluded, sizeof e->excluded), "what excludes");
    CHECK(w, !memcmp(e->only_this, c.out.only_this, sizeof e->only_this), "what excludes alone");
    c.out.more_with_wish[r->preferred_partner_level] = 0;
    CHECK(w, !memcmp(e->more_with_wish, c.out.more_with_wish, sizeof e->more_with_wish), "another wish");
    CHECK(w, e->more_without_tandem == (match_is_tandem_seeker(r) ? c.out.more_without_tandem : 0),
          "without tandem");
    CHECK(w, e->more_in_category == c.out.more_in_category, "the category");
    compare_topics(w, &c, e);
    compare_outlooks(w, &c, e);
}

static unsigned long explained, with_more, asleep;

static void explain_all(struct world *w)
{
    struct pairing_explanation e;
    for (unsigned i = 0; i < w->o.count; i++) {
        struct entry *entry = &w->o.entries[i];
        CHECK(w, pairing_explain(w->p, &entry->r.id, w->o.now, &e) == entry->is_in, "whether it is there");
        if (!entry->is_in)
            continue;
        compare(w, &entry->r, &e);
        explained++;
        with_more += e.more_with_wish[PARTNER_ANY] || e.topic_count || e.more_without_tandem;
        asleep += e.is_asleep && e.candidates;
    }
}

static void remove_pair(struct world *w, const struct pairing_pair *pair)
{
    for (unsigned i = 0; i < w->o.count; i++) {
        if (uuid_eq(&w->o.entries[i].r.id, &pair->first.request_id) ||
            uuid_eq(&w->o.entries[i].r.id, &pair->second.request_id))
            w->o.entries[i].is_in = false;
    }
}

/* A queue that grows, pairs and ages; explained before and after it is paired. */
static void run_world(struct world *w, uint64_t seed)
{
    world_begin(w, seed);
    w->p = pairing_new(&w->o.rules);
    for (unsigned rounds = 1 + below(w, 4); rounds > 0; rounds--) {
        for (unsigned n = below(w, 30); n > 0 && w->o.count < WORLD_REQUESTS; n--) {
            struct entry *e = &w->o.entries[w->o.count++];
            random_request(w, e);
            e->is_in = pairing_add(w->p, &e->r);
        }
        if (below(w, 2))
            explain_all(w);
        while (pairing_has_due(w->p, w->o.now)) {
            const struct pairing_pair *pairs;
            size_t count = pairing_decide(w->p, w->o.now, &pairs);
            for (size_t i = 0; i < count; i++)
                remove_pair(w, &pairs[i]);
        }
        w->o.now += below(w, 60) * 1000;
        explain_all(w);
    }
    pairing_free(w->p);
}

static void counts_equal_brute_force(void **state)
{
    (void)state;
    uint64_t first = from_environment("PAIRING_SEED", 1), queues = from_environment("PAIRING_QUEUES", 3000);
    struct world *w = calloc(1, sizeof *w);
    for (uint64_t i = 0; i < queues; i++)
        run_world(w, first + i);
    print_message("seeds %llu to %llu: %lu requests explained, %lu with something to change, %lu blocked "
                  "with nothing else against them, "
                  "%lu asleep\n",
                  (unsigned long long)first, (unsigned long long)(first + queues - 1), explained, with_more,
                  blocked_alone, asleep);
    if (queues >= 1000)
        assert_true(explained > 10 * queues && with_more > queues && blocked_alone > queues / 10 &&
                    asleep > queues / 10);
    free(w);
}

/* --- by example --- */

/* A B1 learner of `travel.airport`, alone among those who come close. */
static void an_explanation_by_example(void **state)
{
    (void)state;
    struct match_request own = newcomer(1), others[9];
    for (unsigned i = 0; i < 9; i++) {
        others[i] = newcomer(10 + i);
        others[i].created_at_ms = T0 + SECOND;
    }
    for (unsigned i = 0; i < 3; i++) {
        others[i].level = LEVEL_B2;
        others[i].preferred_partner_level = PARTNER_LOWER;
    }
    for (unsigned i = 3; i < 5; i++)
        strcpy(others[i].topic_code, "travel.hotel");
    others[5].history_is_known = own.history_is_known = false;
    strcpy(others[6].wanted_native_language, "es");
    others[7].excluded = &own.user_id;
    others[7].excluded_count = 1;
    strcpy(others[8].target_language, "en");
    for (unsigned i = 0; i < 9; i++)
        add(&others[i]);
    add(&own);

    struct pairing_explanation e;
    assert_true(pairing_explain(p, &own.id, T0 + 10 * SECOND, &e));
    assert_int_equal(e.others, 9);
    assert_int_equal(e.candidates, 7);
    assert_int_equal(e.excluded[CONSTRAINT_LANGUAGE], 2); /* one of them blocked, which is not told */
    assert_int_equal(e.excluded[CONSTRAINT_TANDEM], 1);
    assert_int_equal(e.excluded[CONSTRAINT_TOPIC], 2);
    assert_int_equal(e.excluded[CONSTRAINT_LEVEL], 3);
    assert_int_equal(e.excluded[CONSTRAINT_SCORE], 1);
    assert_int_equal(e.more_with_wish[PARTNER_HIGHER], 3);
    assert_int_equal(e.more_in_category, 2);
    assert_int_equal(e.topic_count, 1);
    assert_string_equal(e.topics[0].code, "travel.hotel");
    assert_int_equal(e.outlook_count, 3);
    assert_int_equal(e.outlooks[0].phase, PHASE_LEVEL);
    assert_true(e.outlooks[0].at_ms == T0 + 30 * SECOND && e.outlooks[2].at_ms == T0 + 120 * SECOND);
    assert_int_equal(e.outlooks[0].admits, 4); /* three of B2, one without points */
    assert_int_equal(e.outlooks[1].admits, 7); /* the category, plain practice */
    assert_int_equal(e.outlooks[2].admits, 7);
}

static void explaining_changes_nothing(void **state)
{
    (void)state;
    struct match_request a = newcomer(1), b = newcomer(2);
    struct pairing_explanation e;
    add(&a);
    add(&b);
    assert_true(pairing_explain(p, &a.id, T0 + 70 * SECOND, &e));
    assert_int_equal(e.eligible, 1);
    assert_int_equal(pairing_next_due_ms(p), T0);
    expect_pair(T0 + 70 * SECOND, 1, 2);
    assert_false(pairing_explain(p, &a.id, T0 + 70 * SECOND, &e));
}

/* More than are looked at one by one: they are counted all the same, as strangers. */
static void too_many_to_look_at(void **state)
{
    (void)state;
    enum { MANY = PAIRING_EXPLAIN_LOOKS_MAX + 500 };
    struct pairing_explanation e;
    for (unsigned i = 0; i < MANY; i++) {
        struct match_request r = request_of(100 + i);
        add(&r);
    }
    struct match_request own = request_of(1);
    add(&own);
    assert_true(pairing_explain(p, &own.id, T0, &e));
    assert_false(e.is_exact);
    assert_int_equal(e.candidates, MANY);
    assert_int_equal(e.excluded[CONSTRAINT_SCORE], MANY);
    assert_int_equal(e.outlooks[0].admits, MANY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_explanation_by_example),
        TEST(explaining_changes_nothing),
        TEST(too_many_to_look_at),
        cmocka_unit_test(counts_equal_brute_force),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
