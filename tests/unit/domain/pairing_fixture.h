/* One pairing index, and what the tests of it by example say again and again. */
#ifndef TESTS_UNIT_DOMAIN_PAIRING_FIXTURE_H
#define TESTS_UNIT_DOMAIN_PAIRING_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "conversation/domain/pairing.h"
#include "requests.h"

#define SECOND 1000

static const struct topic_pair table[] = {{"travel.airport", "work.business_trip"}};
static const struct pairing_rules rules = {
    .min_score = 50, .last_pass_ms = 1000, .compatible = table, .compatible_count = 1};

static struct pairing *p;

/* What was decided together, given one by one. */
struct decided {
    const struct pairing_pair *pairs;
    size_t count, given;
};
static struct decided decided;

static inline int setup(void **state)
{
    (void)state;
    p = pairing_new(&rules);
    decided = (struct decided){0};
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    pairing_free(p);
    return 0;
}

/* A known history without the partner: "never spoke". */
static inline struct match_request newcomer(unsigned n)
{
    struct match_request r = request_of(n);
    r.history_is_known = true;
    return r;
}

static inline void add(const struct match_request *r)
{
    assert_true(pairing_add(p, r));
}

static inline bool next_pair(int64_t at_ms, struct pairing_pair *out)
{
    while (decided.given == decided.count && pairing_has_due(p, at_ms)) {
        decided.count = pairing_decide(p, at_ms, &decided.pairs);
        decided.given = 0;
    }
    if (decided.given == decided.count)
        return false;
    *out = decided.pairs[decided.given++];
    return true;
}

static inline void expect_none(int64_t at_ms)
{
    struct pairing_pair pair;
    assert_false(next_pair(at_ms, &pair));
}

static inline struct pairing_pair expect_pair(int64_t at_ms, unsigned first, unsigned second)
{
    struct pairing_pair pair;
    assert_true(next_pair(at_ms, &pair));
    struct uuid first_id = id_of(first), second_id = id_of(second);
    assert_true(uuid_eq(&pair.first.request_id, &first_id));
    assert_true(uuid_eq(&pair.second.request_id, &second_id));
    return pair;
}

/* Two requests added at T0: paired at `seconds` and not a millisecond earlier. */
static inline struct pairing_pair expect_pair_from(const struct match_request *a,
                                                   const struct match_request *b, int seconds)
{
    add(a);
    add(b);
    if (seconds > 0) {
        expect_none(T0);
        expect_none(T0 + seconds * SECOND - 1);
    }
    struct pairing_pair pair;
    assert_true(next_pair(T0 + seconds * SECOND, &pair));
    assert_int_equal(pairing_count(p), 0);
    return pair;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
