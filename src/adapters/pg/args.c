/* Parameters of a statement, in PostgreSQL's text format: one buffer with the values back to back, each
 * NUL-terminated. */
#include <assert.h>
#include <inttypes.h>

#include "pg.h"

static void add_null(struct pg_args *a)
{
    assert(a->count < PG_ARGS_MAX);
    a->offset[a->count++] = -1;
}

static void begin_value(struct pg_args *a)
{
    assert(a->count < PG_ARGS_MAX);
    a->offset[a->count++] = (int64_t)a->text.n;
}

void pg_arg_str(struct pg_args *a, struct str s)
{
    if (!s.p) {
        add_null(a);
        return;
    }
    begin_value(a);
    /* PostgreSQL's text cannot hold U+0000, which JSON can: it is left out. */
    for (struct str rest = s; rest.p;)
        buf_add_str(&a->text, str_cut(&rest, '\0'));
    buf_addc(&a->text, '\0');
}

void pg_arg_text(struct pg_args *a, const char *z)
{
    pg_arg_str(a, str_of(z));
}

void pg_arg_text_opt(struct pg_args *a, const char *z)
{
    pg_arg_text(a, z && *z ? z : NULL);
}

void pg_arg_int(struct pg_args *a, int64_t i)
{
    begin_value(a);
    buf_addf(&a->text, "%" PRId64, i);
    buf_addc(&a->text, '\0');
}

void pg_arg_bool(struct pg_args *a, bool b)
{
    pg_arg_text(a, b ? "t" : "f");
}

void pg_arg_uuid(struct pg_args *a, const struct uuid *u)
{
    pg_arg_text(a, u && !uuid_is_nil(u) ? UUIDZ(u) : NULL);
}

void pg_arg_time(struct pg_args *a, int64_t at_ms)
{
    if (at_ms == 0)
        add_null(a);
    else
        pg_arg_int(a, at_ms);
}

void pg_arg_uuids(struct pg_args *a, const struct uuid *u, size_t n)
{
    begin_value(a);
    buf_addc(&a->text, '{');
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_addc(&a->text, ',');
        buf_addz(&a->text, UUIDZ(&u[i]));
    }
    buf_addc(&a->text, '}');
    buf_addc(&a->text, '\0');
}
