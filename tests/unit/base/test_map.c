#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conversation/base/list.h"
#include "conversation/base/map.h"

struct thing {
    struct map_node node;
    bool is_in;
    int visits;
};

enum { THINGS = 3000 };
static struct thing things[THINGS];
static struct uuid keys[THINGS];

static struct thing *thing_of(struct map_node *n)
{
    return container_of(n, struct thing, node);
}

static void set_up(void)
{
    for (int i = 0; i < THINGS; i++) {
        things[i] = (struct thing){0};
        keys[i] = uuid_random();
    }
}

static void empty_map_answers(void **state)
{
    (void)state;
    struct map m = {0};
    struct uuid u = uuid_random();
    assert_null(map_get(&m, &u));
    assert_null(map_remove(&m, &u));
    map_each(&m, NULL, NULL);
    map_done(&m);
}

static void agrees_with_a_plain_array(void **state)
{
    (void)state;
    struct map m = {0};
    size_t count = 0;
    set_up();
    srandom(1);
    for (int step = 0; step < 200000; step++) {
        int i = (int)(random() % THINGS);
        struct map_node *found = map_get(&m, &keys[i]);
        assert_ptr_equal(found, things[i].is_in ? &things[i].node : NULL);
        if (!things[i].is_in && random() % 3) {
            map_put(&m, &keys[i], &things[i].node);
            assert_true(uuid_eq(&things[i].node.key, &keys[i]));
            things[i].is_in = true;
            count++;
        } else if (random() % 2) {
            assert_ptr_equal(map_remove(&m, &keys[i]), found);
            count -= things[i].is_in;
            things[i].is_in = false;
        }
        assert_int_equal(m.count, count);
    }
    map_done(&m);
}

static void visit_and_maybe_remove(struct map_node *n, void *arg)
{
    thing_of(n)->visits++;
    if ((thing_of(n) - things) % 2)
        assert_ptr_equal(map_remove(arg, &n->key), n);
}

static void each_visits_all_once_and_may_remove(void **state)
{
    (void)state;
    struct map m = {0};
    set_up();
    for (int i = 0; i < THINGS; i++)
        map_put(&m, &keys[i], &things[i].node);
    map_each(&m, visit_and_maybe_remove, &m);
    assert_int_equal(m.count, THINGS / 2);
    for (int i = 0; i < THINGS; i++) {
        assert_int_equal(things[i].visits, 1);
        assert_int_equal(map_get(&m, &keys[i]) == NULL, i % 2);
    }
    map_done(&m);
}

/* Keys that differ in few bits, as counted-up ids do, still spread over the buckets. */
static void spreads_similar_keys(void **state)
{
    (void)state;
    for (int byte = 0; byte < 15; byte++) {
        struct map m = {0};
        set_up();
        for (int i = 0; i < THINGS; i++) {
            struct uuid u = {0};
            u.b[byte] = (uint8_t)i;
            u.b[byte + 1] = (uint8_t)(i >> 8);
            map_put(&m, &u, &things[i].node);
        }
        for (size_t b = 0; b < m.bucket_count; b++) {
            int length = 0;
            for (struct map_node *n = m.buckets[b]; n; n = n->next)
                length++;
            assert_in_range(length, 0, 40);
        }
        map_done(&m);
    }
}

static void list_keeps_order_and_knows_its_members(void **state)
{
    (void)state;
    struct list head, nodes[5] = {0};
    list_init(&head);
    assert_true(list_is_empty(&head));
    for (int i = 0; i < 5; i++) {
        assert_false(list_is_linked(&nodes[i]));
        list_add_tail(&head, &nodes[i]);
        assert_true(list_is_linked(&nodes[i]));
    }
    list_remove(&nodes[2]);
    list_remove(&nodes[2]);
    assert_false(list_is_linked(&nodes[2]));
    int seen = 0;
    LIST_EACH (n, &head)
        seen = seen * 10 + (int)(n - nodes);
    assert_int_equal(seen, 134); /* 0, 1, 3, 4 */
    LIST_EACH_SAFE (n, after, &head)
        list_remove(n);
    assert_true(list_is_empty(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_map_answers),
        cmocka_unit_test(agrees_with_a_plain_array),
        cmocka_unit_test(each_visits_all_once_and_may_remove),
        cmocka_unit_test(spreads_similar_keys),
        cmocka_unit_test(list_keeps_order_and_knows_its_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
