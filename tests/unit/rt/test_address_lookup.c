/* Without a name server: a host that is an address is its own answer, and a name that is none has none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conversation/base/metrics.h"
#include "conversation/rt/address_lookup.h"
#include "conversation/rt/loop.h"

static char address[ADDRESS_TEXT_MAX], problem[128];
static int ended;

static int set_up(void **state)
{
    (void)state;
    address[0] = problem[0] = '\0';
    ended = 0;
    loop_init();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    loop_done();
    metrics_reset();
    return 0;
}

static void on_ended(void *arg, const struct addrinfo *found, const char *why)
{
    assert_ptr_equal(arg, &ended);
    assert_true(!found == !!why);
    if (found)
        assert_true(address_write(found, address));
    else
        strncat(problem, why, sizeof problem - 1);
    ended++;
}

static void wait_for_its_end(void)
{
    loop_stop();
    loop_run();
}

static void looks_up(const char *host)
{
    char text[ADDRESS_TEXT_MAX];
    strncpy(text, host, sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_non_null(address_lookup_start(text, on_ended, &ended));
    text[0] = '\0'; /* it has a copy */
    assert_int_equal(ended, 0);
    wait_for_its_end();
}

static void an_address_is_found(void **state)
{
    (void)state;
    looks_up("127.0.0.1");
    assert_int_equal(ended, 1);
    assert_string_equal(address, "127.0.0.1");
}

static void a_name_that_is_none_has_a_problem(void **state)
{
    (void)state;
    char name[300];
    memset(name, 'a', sizeof name - 1); /* RFC 1035 section 2.3.4: 63 in a label, 255 in a name */
    name[sizeof name - 1] = '\0';
    looks_up(name);
    assert_int_equal(ended, 1);
    assert_true(problem[0]);
}

static void one_that_is_forgotten_ends_unseen(void **state)
{
    (void)state;
    address_lookup_forget(address_lookup_start("127.0.0.1", on_ended, &ended));
    address_lookup_forget(NULL);
    wait_for_its_end();
    assert_int_equal(ended, 0);
}

static void addresses_are_told_from_names(void **state)
{
    (void)state;
    assert_true(address_is_numeric("192.0.2.1"));
    assert_true(address_is_numeric("2001:db8::1"));
    assert_false(address_is_numeric("[2001:db8::1]"));
    assert_false(address_is_numeric("192.0.2"));
    assert_false(address_is_numeric("one.example"));
    assert_false(address_is_numeric(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_address_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_name_that_is_none_has_a_problem, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_is_forgotten_ends_unseen, set_up, tear_down),
        cmocka_unit_test(addresses_are_told_from_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
