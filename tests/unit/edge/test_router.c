/* Routing by a table of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conversation/edge/router.h"

static const struct handler handler;

static const struct route routes[] = {
    {GET, "/things", &handler, AUTH_NONE, NULL, 0},
    {POST, "/things", &handler, AUTH_USER, NULL, 0},
    {GET, "/things/:id", &handler, AUTH_USER, NULL, 0},
    {DELETE, "/things/:id", &handler, AUTH_USER, NULL, 0},
    {GET, "/things/latest", &handler, AUTH_USER, NULL, 0},
    {PUT, "/things/:id/parts/:part", &handler, AUTH_USER, NULL, 0},
    {GET, "/healthz", &handler, AUTH_NONE, NULL, ROUTE_OPS},
};

enum { LIST, CREATE, SHOW, REMOVE, LATEST, PUT_PART, HEALTH, NONE };

static struct route_match match;

static int set_up(void **state)
{
    (void)state;
    router_init(routes, sizeof routes / sizeof routes[0]);
    return 0;
}

static int row(enum http_method method, const char *path)
{
    router_match(method, str_of(path), true, true, &match);
    return match.route ? (int)(match.route - routes) : NONE;
}

#define API(path) API_PREFIX path

static void expect_param(int i, const char *name, const char *value)
{
    assert_true(i < match.param_count);
    assert_string_equal(match.params[i].name, name);
    assert_true(str_eqz(match.params[i].value, value));
}

static void a_row_is_found_by_method_and_path(void **state)
{
    (void)state;
    assert_int_equal(row(GET, API("/things")), LIST);
    assert_int_equal(match.param_count, 0);
    assert_int_equal(row(POST, API("/things")), CREATE);
    assert_int_equal(row(GET, "/healthz"), HEALTH);
}

static void parameters_are_segments(void **state)
{
    (void)state;
    assert_int_equal(row(GET, API("/things/7")), SHOW);
    assert_int_equal(match.param_count, 1);
    expect_param(0, "id", "7");
    assert_int_equal(row(PUT, API("/things/a%2Fb/parts/x")), PUT_PART);
    expect_param(0, "id", "a%2Fb");
    expect_param(1, "part", "x");
}

static void an_exact_path_beats_one_with_parameters(void **state)
{
    (void)state;
    assert_int_equal(row(GET, API("/things/latest")), LATEST);
    assert_int_equal(match.param_count, 0);
    assert_int_equal(row(DELETE, API("/things/latest")), REMOVE);
    expect_param(0, "id", "latest");
}

static void what_is_not_there_is_not_found(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "/",
        "",
        "/things",
        API(""),
        API("/"),
        API("/thing"),
        API("/things/"),
        API("/things/7/"),
        API("//things"),
        API("/things//parts/x"),
        API("/things/7/parts"),
        API("/things/7/parts/x/y"),
        API("x/things"),
        "/api/conversation/things",
        API("/healthz"),
        "/healthz/",
    };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        assert_int_equal(row(GET, paths[i]), NONE);
        assert_int_equal(match.allowed_methods, 0);
    }
}

static void head_is_answered_by_the_row_of_get(void **state)
{
    (void)state;
    assert_int_equal(row(HEAD, API("/things")), LIST);
    assert_int_equal(row(HEAD, API("/things/7")), SHOW);
    assert_int_equal(row(HEAD, API("/things/7/parts/x")), NONE);
}

static void expect_allow(const char *path, const char *text)
{
    struct buf allow = {0};
    assert_int_equal(row(PATCH, path), NONE);
    router_allow(match.allowed_methods, &allow);
    assert_true(str_eqz(buf_str(&allow), text));
    buf_done(&allow);
}

static void a_path_tells_its_methods(void **state)
{
    (void)state;
    expect_allow(API("/things"), "GET, POST, HEAD, OPTIONS");
    expect_allow(API("/things/7"), "GET, DELETE, HEAD, OPTIONS");
    expect_allow(API("/things/7/parts/x"), "PUT, OPTIONS");
    expect_allow("/healthz", "GET, HEAD, OPTIONS");
    assert_int_equal(row(HTTP_METHOD_OTHER, API("/things")), NONE);
    assert_true(match.allowed_methods != 0);
    assert_int_equal(row(OPTIONS, API("/things")), NONE);
    assert_true(match.allowed_methods != 0);
}

static void the_server_as_a_whole_has_the_methods_of_all_paths(void **state)
{
    (void)state;
    assert_int_equal(row(OPTIONS, "*"), NONE);
    expect_allow("*", "GET, POST, PUT, DELETE, HEAD, OPTIONS");
    router_match(OPTIONS, STR("*"), true, false, &match);
    assert_int_equal(match.allowed_methods, 1u << GET);
}

static void each_port_serves_its_own_rows(void **state)
{
    (void)state;
    router_match(GET, STR("/healthz"), false, true, &match);
    assert_null(match.route);
    assert_int_equal(match.allowed_methods, 0);
    router_match(GET, STR(API("/things")), true, false, &match);
    assert_null(match.route);
    assert_int_equal(match.allowed_methods, 0);
    router_match(GET, STR("/healthz"), true, false, &match);
    assert_ptr_equal(match.route, &routes[HEALTH]);
    router_match(GET, STR(API("/things")), false, true, &match);
    assert_ptr_equal(match.route, &routes[LIST]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_is_found_by_method_and_path),
        cmocka_unit_test(parameters_are_segments),
        cmocka_unit_test(an_exact_path_beats_one_with_parameters),
        cmocka_unit_test(what_is_not_there_is_not_found),
        cmocka_unit_test(head_is_answered_by_the_row_of_get),
        cmocka_unit_test(a_path_tells_its_methods),
        cmocka_unit_test(the_server_as_a_whole_has_the_methods_of_all_paths),
        cmocka_unit_test(each_port_serves_its_own_rows),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
