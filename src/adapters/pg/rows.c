/* Reading a result's values from PostgreSQL's text format. NULL and what does not parse read as the zero
 * value: the statement beside the reader fixes the column's type, so nothing else arrives. */
#include "rows.h"

#include <stdlib.h>

#include "pg.h"

int pg_row_count(const struct pg_rows *r)
{
    return r->count;
}

bool pg_is_null(const struct pg_rows *r, int row, int col)
{
    return PQgetisnull(r->result, r->first + row, col);
}

const char *pg_text(const struct pg_rows *r, int row, int col)
{
    return pg_is_null(r, row, col) ? NULL : PQgetvalue(r->result, r->first + row, col);
}

static struct str value(const struct pg_rows *r, int row, int col)
{
    row += r->first;
    return (struct str){PQgetvalue(r->result, row, col), (size_t)PQgetlength(r->result, row, col)};
}

int64_t pg_int(const struct pg_rows *r, int row, int col)
{
    int64_t i = 0;
    return str_to_int(value(r, row, col), INT64_MIN, INT64_MAX, &i) ? i : 0;
}

double pg_double(const struct pg_rows *r, int row, int col)
{
    return pg_is_null(r, row, col) ? 0 : strtod(value(r, row, col).p, NULL);
}

bool pg_bool(const struct pg_rows *r, int row, int col)
{
    return str_eqz(value(r, row, col), "t");
}

struct uuid pg_uuid(const struct pg_rows *r, int row, int col)
{
    struct uuid u = {0};
    return uuid_parse(value(r, row, col), &u) ? u : (struct uuid){0};
}

int64_t pg_time(const struct pg_rows *r, int row, int col)
{
    return pg_int(r, row, col);
}

/* One element at the start of `*rest`, unescaped to `*out`; both move past it. Its text is never longer than
 * its source. */
static const char *take_element(struct str *rest, char **out)
{
    char *element = *out, *end = element;
    bool is_quoted = rest->p[0] == '"', is_open = is_quoted;
    size_t i = is_quoted;
    for (; i < rest->n && (is_open || rest->p[i] != ','); i++) {
        if (rest->p[i] == '\\' && i + 1 < rest->n)
            *end++ = rest->p[++i];
        else if (rest->p[i] == '"')
            is_open = false;
        else
            *end++ = rest->p[i];
    }
    *end = '\0';
    *out = end + 1;
    i += i < rest->n; /* the comma */
    *rest = (struct str){rest->p + i, rest->n - i};
    return !is_quoted && strcmp(element, "NULL") == 0 ? NULL : element;
}

/* At most this many elements: one more than the commas, quoted ones included. */
static size_t count_elements_at_most(struct str inside)
{
    size_t n = inside.n > 0;
    for (size_t i = 0; i < inside.n; i++)
        n += inside.p[i] == ',';
    return n;
}

const char *const *pg_array(const struct pg_rows *r, int row, int col, struct arena *arena, size_t *n)
{
    struct str text = value(r, row, col);
    *n = 0;
    if (text.n < 2 || text.p[0] != '{')
        return NULL;
    struct str rest = {text.p + 1, text.n - 2};
    const char **elements = ARENA_ARRAY(arena, const char *, count_elements_at_most(rest));
    char *out = arena_alloc(arena, rest.n + 1);
    while (rest.n > 0)
        elements[(*n)++] = take_element(&rest, &out);
    return elements;
}
