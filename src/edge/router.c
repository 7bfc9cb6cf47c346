/* Routing: a scan over the compiled rows, segment by segment. Sixteen rows fit two cache lines of lengths; a
 * trie would not be faster. */
#include "conversation/edge/router.h"

#include <assert.h>

#define ROUTES_MAX 64

#define PARAM_NAME_MAX 16

static const struct route *routes;
static size_t route_count;
static char param_names[ROUTES_MAX][ROUTE_PARAMS_MAX][PARAM_NAME_MAX]; /* of each row, by position */

static void take_param_names(const struct route *route, char names[ROUTE_PARAMS_MAX][PARAM_NAME_MAX])
{
    struct str rest = str_of(route->path);
    int n = 0;
    while (rest.p) {
        struct str segment = str_cut(&rest, '/');
        if (segment.n == 0 || segment.p[0] != ':')
            continue;
        bool fits = n < ROUTE_PARAMS_MAX &&
                    str_copy((struct str){segment.p + 1, segment.n - 1}, names[n], PARAM_NAME_MAX);
        assert(fits);
        n++;
    }
}

void router_init(const struct route *table, size_t count)
{
    assert(count <= ROUTES_MAX);
    for (size_t i = 0; i < count; i++) {
        assert(table[i].path[0] == '/' && table[i].handler);
        assert(!table[i].limit || table[i].auth == AUTH_USER); /* limits are per user */
        take_param_names(&table[i], param_names[i]);
        for (size_t k = 0; k < i; k++)
            assert(table[i].method != table[k].method || !str_eqz(str_of(table[i].path), table[k].path));
    }
    routes = table;
    route_count = count;
}

/* Walks pattern and path together; parameters are collected, and match any non-empty segment. */
static bool path_matches(size_t row, struct str path, struct route_match *m)
{
    struct str want = str_of(routes[row].path), have = path;
    m->param_count = 0;
    while (want.p && have.p) {
        struct str w = str_cut(&want, '/'), h = str_cut(&have, '/');
        if (w.n && w.p[0] == ':') {
            if (!h.n)
                return false;
            m->params[m->param_count] =
                (struct field_param){.name = param_names[row][m->param_count], .value = h};
            m->param_count++;
        } else if (!str_eq(w, h)) {
            return false;
        }
    }
    return !want.p && !have.p;
}

static bool is_served(const struct route *r, bool on_ops_port, bool on_api_port)
{
    return r->flags & ROUTE_OPS ? on_ops_port : on_api_port;
}

void router_match(enum http_method method, struct str path, bool on_ops_port, bool on_api_port,
                  struct route_match *out)
{
    static const struct str prefix = STR(API_PREFIX);
    struct str below = {NULL, 0};
    *out = (struct route_match){0};
    if (str_starts_with(path, prefix))
        below = (struct str){path.p + prefix.n, path.n - prefix.n};
    enum http_method wanted = method == HEAD ? GET : method;
    bool is_of_server = str_eqz(path, "*");
    for (size_t i = 0; i < route_count; i++) {
        struct route_match m;
        const struct route *r = &routes[i];
        struct str candidate = r->flags & ROUTE_OPS ? path : below;
        if (is_of_server && is_served(r, on_ops_port, on_api_port))
            out->allowed_methods |= 1u << r->method;
        if (!is_served(r, on_ops_port, on_api_port) || !candidate.p || !path_matches(i, candidate, &m))
            continue;
        out->allowed_methods |= 1u << r->method;
        /* an exact path wins over one with parameters: /match-request/status over /match-request/:id */
        if (r->method == wanted && (!out->route || m.param_count < out->param_count)) {
            out->route = r;
            out->param_count = m.param_count;
            memcpy(out->params, m.params, sizeof m.params);
        }
    }
}

void router_allow(unsigned allowed_methods, struct buf *out)
{
    if (allowed_methods & 1u << GET)
        allowed_methods |= 1u << HEAD;
    allowed_methods |= 1u << OPTIONS;
    const char *separator = "";
    for (int i = 0; i < HTTP_METHOD_COUNT; i++)
        if (allowed_methods & 1u << i) {
            buf_addf(out, "%s%s", separator, http_method_name(i));
            separator = ", ";
        }
}
