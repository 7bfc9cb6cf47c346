/* The pairing index against the brute-force oracle (pairing_oracle.h): the same random adds, removes, clock
 * moves, expiries and tables of compatible topics go to both, and every answer must be equal.
 *
 *   PAIRING_SEED=n     the first seed (default 1); a failure prints the one to repeat
 *   PAIRING_QUEUES=n   how many random queues (default 15000: more than a million events) */
#include "pairing_world.h"

/* What happened in all the worlds together. */
static struct {
    unsigned long adds, removes, readds, clock_moves, tables, expired, pairs, refusals;
    unsigned long exchanges, pairs_gained, small_batches, small_best;
    unsigned long tandems, practice_fallbacks, any_level, ahead, by_phase[PHASE_COUNT];
} seen;

static void add_one(struct world *w)
{
    if (w->o.count == WORLD_REQUESTS)
        return;
    struct entry *e = &w->o.entries[w->o.count];
    random_request(w, e);
    if (pairing_contains(w->p, &e->r.id))
        return; /* the generator hit an id twice */
    w->o.count++;
    seen.adds++;
    CHECK(w, pairing_add(w->p, &e->r), "add");
    CHECK(w, !pairing_add(w->p, &e->r), "second add");
}

static void remove_one(struct world *w)
{
    if (w->o.count == 0)
        return;
    struct entry *e = &w->o.entries[below(w, w->o.count)];
    seen.removes += e->is_in;
    CHECK(w, pairing_remove(w->p, &e->r.id) == e->is_in, "remove");
    e->is_in = false;
}

/* What the claim's loser does: it comes back with the wait it had. */
static void readd_one(struct world *w)
{
    if (w->o.count == 0)
        return;
    struct entry *e = &w->o.entries[below(w, w->o.count)];
    if (e->is_in)
        return;
    e->is_in = true;
    e->tried_until = INT64_MIN;
    seen.readds++;
    CHECK(w, pairing_add(w->p, &e->r), "add again");
}

static bool is_same_ticket(const struct pairing_ticket *a, const struct pairing_ticket *b)
{
    return uuid_eq(&a->request_id, &b->request_id) && uuid_eq(&a->user_id, &b->user_id) &&
           !strcmp(a->target_language, b->target_language) && a->wait_start_ms == b->wait_start_ms &&
           a->expires_at_ms == b->expires_at_ms && a->tier == b->tier;
}

static bool is_same_pair(const struct pairing_pair *a, const struct pairing_pair *b)
{
    return is_same_ticket(&a->first, &b->first) && is_same_ticket(&a->second, &b->second) &&
           a->score == b->score && a->level_difference == b->level_difference &&
           a->is_tandem == b->is_tandem && a->is_any_level == b->is_any_level && a->is_ahead == b->is_ahead &&
           a->scheduled_at_ms == b->scheduled_at_ms && a->phase == b->phase;
}

static void count_pair(const struct pairing_pair *pair, const struct match_request *first)
{
    seen.pairs++;
    seen.tandems += pair->is_tandem;
    seen.any_level += pair->is_any_level;
    seen.ahead += pair->is_ahead;
    seen.by_phase[pair->phase]++;
    seen.practice_fallbacks += !pair->is_tandem && match_is_tandem_seeker(first);
}

static unsigned place_in(const struct world *w, const struct oracle_batch *b, const struct uuid *id)
{
    unsigned i = 0;
    while (i < b->count && !uuid_eq(&b->members[i]->r.id, id))
        i++;
    CHECK(w, i < b->count, "who takes part");
    return i;
}

/* Legal, described as it is, of two who took part and had no partner yet. */
static unsigned check_pair(struct world *w, const struct oracle_batch *b, const struct pairing_pair *pair,
                           bool is_taken[])
{
    struct pairing_pair admitted;
    unsigned i = place_in(w, b, &pair->first.request_id), j = place_in(w, b, &pair->second.request_id);
    struct match_request *first = &b->members[i]->r, *second = &b->members[j]->r;
    CHECK(w, !is_taken[i] && !is_taken[j] && i != j, "one partner for each");
    is_taken[i] = is_taken[j] = true;
    CHECK(w, pair->score == oracle_score(&w->o, first, second), "the score");
    CHECK(w, pairing_admits(&w->o.rules, second, first, w->o.now, &admitted), "the rule");
    CHECK(w, is_same_pair(pair, &admitted), "the description");
    CHECK(w, pair->scheduled_at_ms == (is_ahead(&w->o, first, second) ? start_of(second) : 0),
          "the time ahead");
    CHECK(w, !pair->is_ahead || i / 2 == j / 2, "who sleeps keeps the partner");
    b->members[i]->is_in = b->members[j]->is_in = false;
    count_pair(pair, first);
    return i < j ? i : j;
}

/* What came out of the exchange: `sum` of the pairs' scores and one for each. */
static void check_exchange(struct world *w, const struct oracle_batch *b, size_t count, int sum)
{
    int before = 0;
    for (unsigned i = 0; i < b->paired; i += 2)
        before += 1 + oracle_score(&w->o, &b->members[i]->r, &b->members[i + 1]->r);
    CHECK(w, sum >= before && count >= b->paired / 2, "the sum");
    CHECK(w, sum == before || b->paired > 2 || b->count > 3, "what was exchanged with nobody to exchange");
    seen.exchanges += sum > before;
    seen.pairs_gained += count - b->paired / 2;
    if (b->paired < 4 || b->count > 12 || b->has_sleepers)
        return;
    int best = oracle_best_sum(&w->o, b, 0);
    CHECK(w, sum <= best, "the best sum");
    seen.small_batches++;
    seen.small_best += sum == best;
}

static void decide_once(struct world *w)
{
    struct oracle_batch b;
    const struct pairing_pair *pairs;
    bool is_taken[WORLD_REQUESTS] = {false};
    int sum = 0;
    unsigned place = 0;
    oracle_decide(&w->o, &b);
    size_t count = pairing_decide(w->p, w->o.now, &pairs);
    for (size_t i = 0; i < count; i++) {
        unsigned at = check_pair(w, &b, &pairs[i], is_taken);
        CHECK(w, i == 0 || at > place, "the order");
        place = at;
        sum += 1 + pairs[i].score;
    }
    for (unsigned i = 0; i < b.paired; i++)
        CHECK(w, is_taken[i], "somebody has lost a partner");
    bool has_others = b.paired > 2 || b.count > b.paired + 1;
    for (unsigned i = 0; i + 1 < b.paired && !has_others; i += 2)
        CHECK(w,
              uuid_eq(&pairs[i / 2].first.request_id, &b.members[i]->r.id) ||
                  uuid_eq(&pairs[i / 2].second.request_id, &b.members[i]->r.id),
              "the pair");
    check_exchange(w, &b, count, sum);
    seen.refusals += count == 0;
}

static bool has_due(struct world *w)
{
    bool has = oracle_next_due(&w->o) != NULL;
    CHECK(w, pairing_has_due(w->p, w->o.now) == has, "whether somebody is due");
    return has;
}

static void decide_all(struct world *w)
{
    do
        decide_once(w);
    while (has_due(w));
}

static bool expire_one(struct world *w)
{
    struct entry *first = NULL;
    for (unsigned i = 0; i < w->o.count; i++) {
        struct entry *e = &w->o.entries[i];
        if (!e->is_in || !e->r.expires_at_ms || e->r.expires_at_ms > w->o.now)
            continue;
        if (!first || e->r.expires_at_ms < first->r.expires_at_ms ||
            (e->r.expires_at_ms == first->r.expires_at_ms && earlier(&e->r, &first->r)))
            first = e;
    }
    struct pairing_ticket ticket;
    CHECK(w, pairing_expire(w->p, w->o.now, &ticket) == (first != NULL), "whether one expires");
    if (!first)
        return false;
    CHECK(w, uuid_eq(&ticket.request_id, &first->r.id), "who expires");
    first->is_in = false;
    seen.expired++;
    return true;
}

static void check_next_due(struct world *w)
{
    int64_t due = INT64_MAX;
    size_t count = 0;
    for (unsigned i = 0; i < w->o.count; i++) {
        const struct entry *e = &w->o.entries[i];
        if (!e->is_in)
            continue;
        int64_t of_e = oracle_due(&w->o, e);
        if (e->r.expires_at_ms && e->r.expires_at_ms < of_e)
            of_e = e->r.expires_at_ms;
        due = of_e < due ? of_e : due;
        count++;
    }
    CHECK(w, pairing_next_due_ms(w->p) == due, "next due");
    CHECK(w, pairing_count(w->p) == count, "count");
}

static void check_admits(struct world *w)
{
    if (w->o.count < 2)
        return;
    const struct match_request *a = &w->o.entries[below(w, w->o.count)].r,
                               *b = &w->o.entries[below(w, w->o.count)].r;
    struct pairing_pair pair;
    int score = oracle_score(&w->o, a, b);
    CHECK(w, pairing_admits(&w->o.rules, a, b, w->o.now, &pair) == (score >= 0), "admission");
    CHECK(w, score < 0 || pair.score == score, "the rule's score");
}

static void move_clock(struct world *w, int64_t to)
{
    w->o.now = to > w->o.now ? to : w->o.now;
    seen.clock_moves++;
}

/* The new table counts at once. */
static void change_table(struct world *w)
{
    w->o.rules.compatible = w->tables[1];
    w->o.rules.compatible_count = below(w, PAIRS_MAX + 1);
    pairing_set_compatible(w->p, w->tables[1], w->o.rules.compatible_count);
    seen.tables++;
}

static void step(struct world *w)
{
    unsigned what = below(w, 20);
    if (what < 9) {
        add_one(w);
    } else if (what < 10) {
        remove_one(w);
    } else if (what < 11) {
        readd_one(w);
    } else if (what < 13) {
        move_clock(w, w->o.now + below(w, 40) * 1000);
    } else if (what < 14) {
        int64_t due = pairing_next_due_ms(w->p);
        move_clock(w, due != INT64_MAX ? due : 0);
    } else if (what < 15) {
        decide_once(w); /* the rest, if any, stays due while more happens */
    } else if (what < 16 && below(w, 4) == 0) {
        change_table(w);
    } else if (what < 19) {
        decide_all(w);
        check_next_due(w);
    } else {
        while (expire_one(w))
            ;
    }
    check_admits(w);
}

static void run_world(struct world *w, uint64_t seed)
{
    world_begin(w, seed);
    w->p = pairing_new(&w->o.rules);
    for (unsigned steps = 30 + below(w, 90); steps > 0; steps--)
        step(w);
    decide_all(w);
    check_next_due(w);
    pairing_free(w->p); /* with tickets still in */
}

static unsigned long events_seen(void)
{
    return seen.adds + seen.removes + seen.readds + seen.clock_moves + seen.tables + seen.expired +
           seen.pairs + seen.refusals;
}

static void print_seen(uint64_t first, uint64_t queues)
{
    print_message(
        "seeds %llu to %llu, %lu events: %lu adds, %lu removes, %lu adds again, %lu clock moves, %lu tables, "
        "%lu expiries, %lu pairs, %lu times none\n",
        (unsigned long long)first, (unsigned long long)(first + queues - 1), events_seen(), seen.adds,
        seen.removes, seen.readds, seen.clock_moves, seen.tables, seen.expired, seen.pairs, seen.refusals);
    print_message(
        "pairs: %lu tandem, %lu tandem seekers in practice, %lu ahead of time; by phase %lu %lu %lu %lu\n",
        seen.tandems, seen.practice_fallbacks, seen.ahead, seen.by_phase[0], seen.by_phase[1],
        seen.by_phase[2], seen.by_phase[3]);
    print_message("%lu moments with an exchange, %lu pairs more; %lu of %lu small ones as good as can be\n",
                  seen.exchanges, seen.pairs_gained, seen.small_best, seen.small_batches);
}

static void equals_the_oracle_on_random_queues(void **state)
{
    (void)state;
    uint64_t first = from_environment("PAIRING_SEED", 1), queues = from_environment("PAIRING_QUEUES", 15000);
    struct world *w = calloc(1, sizeof *w);
    for (uint64_t i = 0; i < queues; i++)
        run_world(w, first + i);
    print_seen(first, queues);
    if (queues >= 1000) { /* the worlds must be rich enough to mean something */
        assert_true(events_seen() > queues * 1000000 / 15000);
        assert_true(seen.tandems > queues / 10 && seen.expired > queues / 10 && seen.ahead > queues / 10 &&
                    seen.practice_fallbacks > queues / 100 && seen.tables > queues / 10);
        assert_true(seen.exchanges > queues / 10 && seen.pairs_gained > queues / 100);
        assert_true(100 * seen.small_best > 97 * seen.small_batches && seen.small_batches > queues / 10);
        for (int i = 0; i < PHASE_COUNT; i++)
            assert_true(seen.by_phase[i] > queues / 10);
    }
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(equals_the_oracle_on_random_queues)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
