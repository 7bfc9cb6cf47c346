/* Parameters into PostgreSQL's text format, and results out of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/adapters/pg/pg.h"
#include "../../../src/adapters/pg/rows.h"
#include "conversation/base/arena.h"

/* --- parameters --- */

static const char *arg(const struct pg_args *a, int i)
{
    return a->offset[i] < 0 ? NULL : a->text.p + a->offset[i];
}

static void every_type_has_its_text(void **state)
{
    (void)state;
    struct pg_args a = {0};
    struct uuid u[2];
    assert_true(uuid_parse(STR("01234567-89AB-4cde-8f01-23456789abcd"), &u[0]));
    assert_true(uuid_parse(STR("ffffffff-ffff-4fff-8fff-ffffffffffff"), &u[1]));
    pg_arg_text(&a, "it's");
    pg_arg_text_opt(&a, "x");
    pg_arg_str(&a, (struct str){"abcdef", 3});
    pg_arg_int(&a, INT64_MIN);
    pg_arg_bool(&a, true);
    pg_arg_bool(&a, false);
    pg_arg_uuid(&a, &u[0]);
    pg_arg_time(&a, 1736937000123);
    pg_arg_uuids(&a, u, 2);
    pg_arg_uuids(&a, u, 0);
    assert_int_equal(a.count, 10);
    assert_string_equal(arg(&a, 0), "it's");
    assert_string_equal(arg(&a, 1), "x");
    assert_string_equal(arg(&a, 2), "abc");
    assert_string_equal(arg(&a, 3), "-9223372036854775808");
    assert_string_equal(arg(&a, 4), "t");
    assert_string_equal(arg(&a, 5), "f");
    assert_string_equal(arg(&a, 6), "01234567-89ab-4cde-8f01-23456789abcd");
    assert_string_equal(arg(&a, 7), "1736937000123");
    assert_string_equal(arg(&a, 8),
                        "{01234567-89ab-4cde-8f01-23456789abcd,ffffffff-ffff-4fff-8fff-ffffffffffff}");
    assert_string_equal(arg(&a, 9), "{}");
    buf_done(&a.text);
}

static void what_is_absent_is_null(void **state)
{
    (void)state;
    struct pg_args a = {0};
    struct uuid nil = {0};
    pg_arg_text(&a, NULL);
    pg_arg_text_opt(&a, NULL);
    pg_arg_text_opt(&a, "");
    pg_arg_str(&a, (struct str){NULL, 0});
    pg_arg_uuid(&a, NULL);
    pg_arg_uuid(&a, &nil);
    pg_arg_time(&a, 0);
    for (int i = 0; i < a.count; i++)
        assert_null(arg(&a, i));
    assert_int_equal(a.count, 7);
    pg_arg_text(&a, "");
    pg_arg_str(&a, STR(""));
    assert_string_equal(arg(&a, 7), "");
    assert_string_equal(arg(&a, 8), "");
    buf_done(&a.text);
}

static void nul_characters_are_left_out(void **state)
{
    (void)state;
    struct pg_args a = {0};
    pg_arg_str(&a, (struct str){"\0a\0\0b\0", 6});
    pg_arg_text(&a, "next");
    assert_string_equal(arg(&a, 0), "ab");
    assert_string_equal(arg(&a, 1), "next");
    buf_done(&a.text);
}

/* --- results --- */

/* One row of one column; NULL: SQL NULL. */
static PGresult *result_of(const char *value)
{
    static char name[] = "value";
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    PGresAttDesc column = {.name = name};
    assert_true(PQsetResultAttrs(result, 1, &column));
    assert_true(PQsetvalue(result, 0, 0, (char *)value, value ? (int)strlen(value) : -1));
    return result;
}

static void every_type_is_read(void **state)
{
    (void)state;
    static const char id[] = "01234567-89ab-4cde-8f01-23456789abcd";
    static const char *const values[] = {"-42", "2.5", "t", "f", id, "word"};
    PGresult *results[6];
    struct pg_rows rows[6];
    for (int i = 0; i < 6; i++) {
        results[i] = result_of(values[i]);
        rows[i] = pg_rows_of(results[i]);
    }
    struct uuid u = pg_uuid(&rows[4], 0, 0);
    assert_int_equal(pg_row_count(&rows[0]), 1);
    assert_int_equal(pg_int(&rows[0], 0, 0), -42);
    assert_int_equal(pg_time(&rows[0], 0, 0), -42);
    assert_true(pg_double(&rows[1], 0, 0) == 2.5);
    assert_true(pg_bool(&rows[2], 0, 0));
    assert_false(pg_bool(&rows[3], 0, 0));
    assert_string_equal(UUIDZ(&u), id);
    assert_string_equal(pg_text(&rows[5], 0, 0), "word");
    assert_false(pg_is_null(&rows[5], 0, 0));
    for (int i = 0; i < 6; i++)
        PQclear(results[i]);
}

static void null_reads_as_zero(void **state)
{
    (void)state;
    struct arena arena = {0};
    PGresult *result = result_of(NULL);
    struct pg_rows rows = pg_rows_of(result);
    struct uuid u = pg_uuid(&rows, 0, 0);
    size_t n = 7;
    assert_true(pg_is_null(&rows, 0, 0));
    assert_null(pg_text(&rows, 0, 0));
    assert_int_equal(pg_int(&rows, 0, 0), 0);
    assert_true(pg_double(&rows, 0, 0) == 0);
    assert_false(pg_bool(&rows, 0, 0));
    assert_true(uuid_is_nil(&u));
    pg_array(&rows, 0, 0, &arena, &n);
    assert_int_equal(n, 0);
    PQclear(result);
    arena_done(&arena);
}

/* `expected` ends with "."; NULL elements are written as "-". */
static void assert_array(const char *text, const char *const *expected)
{
    struct arena arena = {0};
    PGresult *result = result_of(text);
    struct pg_rows rows = pg_rows_of(result);
    size_t n, i = 0;
    const char *const *elements = pg_array(&rows, 0, 0, &arena, &n);
    for (; strcmp(expected[i], ".") != 0; i++) {
        assert_true(i < n);
        assert_string_equal(elements[i] ? elements[i] : "-", expected[i]);
    }
    assert_int_equal(n, i);
    PQclear(result);
    arena_done(&arena);
}

static void arrays_are_read(void **state)
{
    (void)state;
    assert_array("{}", (const char *const[]){"."});
    assert_array("{a}", (const char *const[]){"a", "."});
    assert_array("{a,b c,NULL,\"NULL\"}", (const char *const[]){"a", "b c", "-", "NULL", "."});
    assert_array("{\"\",\"a,b\",\"{}\",x}", (const char *const[]){"", "a,b", "{}", "x", "."});
    assert_array("{\"say \\\"hi\\\"\",\"back\\\\slash\"}",
                 (const char *const[]){"say \"hi\"", "back\\slash", "."});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_has_its_text),     cmocka_unit_test(what_is_absent_is_null),
        cmocka_unit_test(nul_characters_are_left_out), cmocka_unit_test(every_type_is_read),
        cmocka_unit_test(null_reads_as_zero),          cmocka_unit_test(arrays_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
