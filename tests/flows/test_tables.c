/* What must hold of every row of the behaviour tables: src/routes.c, src/events.c, and the field tables of
 * their handlers. */
#include "flows/fakes/router.h"
#include "flows/fakes/world.h"

#include "flows/bus/bus.h"
#include "flows/job.h"
#include "tables.h"

enum { NAMES_MAX = 64 };

static const char *names[NAMES_MAX];
static int name_count;

static void assert_new_name(const char *name)
{
    assert_non_null(name);
    assert_string_not_equal(name, "");
    for (int i = 0; i < name_count; i++)
        assert_string_not_equal(names[i], name);
    assert_in_range(name_count, 0, NAMES_MAX - 1);
    names[name_count++] = name;
}

static void assert_flow(const struct flow_spec *spec)
{
    assert_new_name(spec->name);
    assert_non_null(spec->run);
    assert_in_range(spec->deadline_ms, 0, 60000);
}

static bool path_has(const char *path, const char *parameter)
{
    char wanted[32];
    snprintf(wanted, sizeof wanted, "/:%s", parameter);
    const char *at = strstr(path, wanted);
    return at && (at[strlen(wanted)] == '/' || at[strlen(wanted)] == '\0');
}

/* The size of what a row writes into the context. */
static size_t size_of(enum field_type type)
{
    switch (type) {
    case FIELD_STRING: return sizeof(struct str);
    case FIELD_INT:
    case FIELD_ENUM: return sizeof(int);
    case FIELD_BOOL: return sizeof(bool);
    case FIELD_UUID: return sizeof(struct uuid);
    case FIELD_TIME: return sizeof(int64_t);
    }
    return 0;
}

static void assert_field(const struct field *field, const struct handler *handler)
{
    assert_true(field->offset + size_of(field->type) <= handler->flow.ctx_size);
    assert_int_equal(field->valid != NULL, field->expected != NULL); /* a refusal says what was expected */
    if (field->type == FIELD_ENUM)
        assert_non_null(field->choices);
    if (field->type == FIELD_INT)
        assert_true(field->min < field->max);
    for (const struct field *other = handler->input; other != field; other++) {
        assert_string_not_equal(other->name, field->name);
        assert_true(other->offset + size_of(other->type) <= field->offset ||
                    field->offset + size_of(field->type) <= other->offset);
    }
}

static void the_fields_of_every_handler_fit(const struct handler *handler)
{
    for (const struct field *field = handler->input; field && field->name; field++)
        assert_field(field, handler);
}

static void every_route_is_complete(void **state)
{
    (void)state;
    routes_init();
    struct routes routes = routes_given();
    assert_true(routes.count > 0);
    name_count = 0;
    for (size_t i = 0; i < routes.count; i++) {
        const struct route *r = &routes.rows[i];
        assert_int_equal(r->path[0], '/');
        assert_non_null(r->handler);
        assert_flow(&r->handler->flow);
        the_fields_of_every_handler_fit(r->handler);
    }
}

static void every_route_of_users_asks_for_a_token_and_ends_in_time(void **state)
{
    (void)state;
    routes_init();
    struct routes routes = routes_given();
    for (size_t i = 0; i < routes.count; i++) {
        const struct route *r = &routes.rows[i];
        bool is_ops = (r->flags & ROUTE_OPS) != 0;
        bool is_moderation = strncmp(r->path, "/moderation/", strlen("/moderation/")) == 0;
        assert_int_equal(r->auth, is_ops ? AUTH_NONE : is_moderation ? AUTH_MODERATOR : AUTH_USER);
        if (!is_ops)
            assert_in_range(r->handler->flow.deadline_ms, 1000, 10000);
    }
}

/* The router gives what is in the path; the handler takes it from there, and only that. */
static void path_parameters_and_fields_agree(void **state)
{
    (void)state;
    routes_init();
    struct routes routes = routes_given();
    for (size_t i = 0; i < routes.count; i++) {
        const struct route *r = &routes.rows[i];
        int in_fields = 0, in_path = 0;
        for (const struct field *field = r->handler->input; field && field->name; field++) {
            if (field->source != FIELD_FROM_PATH)
                continue;
            in_fields++;
            assert_true(field->is_required);
            assert_true(path_has(r->path, field->name));
        }
        for (const char *c = r->path; *c; c++)
            in_path += *c == ':';
        assert_int_equal(in_fields, in_path);
    }
}

static void no_two_routes_are_the_same(void **state)
{
    (void)state;
    routes_init();
    struct routes routes = routes_given();
    for (size_t i = 0; i < routes.count; i++) {
        for (size_t k = 0; k < i; k++)
            assert_false(routes.rows[i].method == routes.rows[k].method &&
                         strcmp(routes.rows[i].path, routes.rows[k].path) == 0);
    }
}

static void the_limits_are_those_of_the_configuration(void **state)
{
    (void)state;
    config.rate_limit_match_requests = 7;
    config.rate_limit_session_joins = 0;
    config.rate_limit_reports = config.rate_limit_blocks = config.rate_limit_exports = 0;
    routes_init();
    struct routes routes = routes_given();
    int limited = 0;
    for (size_t i = 0; i < routes.count; i++) {
        const struct rate_limit *limit = routes.rows[i].limit;
        if (!limit)
            continue;
        limited++;
        assert_true(limit->window_ms > 0);
        assert_int_equal(limit->limit, strcmp(limit->what, "match_requests") == 0 ? 7 : 0);
    }
    assert_int_equal(limited, 5);
}

static void every_event_is_complete(void **state)
{
    (void)state;
    name_count = 0;
    for (const struct event_row *row = event_rows; row->name; row++) {
        assert_new_name(row->name);
        assert_true(row->needs == NEEDS_USER || row->needs == NEEDS_SESSION);
        assert_true((row->handler != NULL) != (row->relay != NULL)); /* one of the two */
        assert_true((row->relay != NULL) == (row->relays != NULL));
        if (row->relay)
            assert_int_equal(row->needs, NEEDS_SESSION);
        if (row->is_rejoin || row->limit)
            assert_non_null(row->handler);
        if (row->handler) {
            assert_flow(&row->handler->flow);
            the_fields_of_every_handler_fit(row->handler);
        }
    }
    assert_true(name_count > 0);
}

/* The hub looks for `sessionId` in the payload of these. */
static void events_within_a_session_name_it(void **state)
{
    (void)state;
    for (const struct event_row *row = event_rows; row->name; row++) {
        if (row->needs != NEEDS_SESSION || !row->handler)
            continue;
        bool names_it = false;
        for (const struct field *field = row->handler->input; field && field->name; field++)
            names_it |= strcmp(field->name, "sessionId") == 0 && field->is_required;
        assert_true(names_it);
    }
}

static void the_periodic_jobs_have_deadlines(void **state)
{
    (void)state;
    name_count = 0;
    static const struct flow_spec *const jobs[] = {&job_sessions_sweep, &job_sessions_recover,
                                                   &job_instance_beat};
    for (size_t i = 0; i < sizeof jobs / sizeof jobs[0]; i++) {
        assert_flow(jobs[i]);
        assert_true(jobs[i]->deadline_ms > 0);
    }
}

static void every_event_and_route_has_a_name_of_its_own(void **state)
{
    (void)state;
    routes_init();
    struct routes routes = routes_given();
    name_count = 0;
    for (size_t i = 0; i < routes.count; i++)
        assert_new_name(routes.rows[i].handler->flow.name);
    for (const struct event_row *row = event_rows; row->name; row++)
        if (row->handler)
            assert_new_name(row->handler->flow.name);
    assert_new_name(job_sessions_sweep.name);
    assert_new_name(job_users_erase.name);
    assert_new_name(job_topics_popularity.name);
    for (const struct bus_row *row = bus_rows; row->topic; row++)
        if (row->handler) {
            assert_flow(&row->handler->flow);
            the_fields_of_every_handler_fit(row->handler);
        }
    assert_new_name(job_sessions_recover.name);
    assert_new_name(job_instance_beat.name);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WORLD_TEST(every_route_is_complete),
        WORLD_TEST(every_route_of_users_asks_for_a_token_and_ends_in_time),
        WORLD_TEST(path_parameters_and_fields_agree),
        WORLD_TEST(no_two_routes_are_the_same),
        WORLD_TEST(the_limits_are_those_of_the_configuration),
        WORLD_TEST(every_event_is_complete),
        WORLD_TEST(events_within_a_session_name_it),
        WORLD_TEST(the_periodic_jobs_have_deadlines),
        WORLD_TEST(every_event_and_route_has_a_name_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
