/* codec/fields.h, query_parse: names are unlike each other, texts are UTF-8, and pairs that are written anew,
 * with every byte escaped, are the same pairs. */
#include "fuzz.h"

#include "conversation/codec/fields.h"

#define PARAMS_MAX 8

static void add_escaped(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        buf_addf(out, "%%%02x", (unsigned char)s.p[i]);
}

static int find(const struct field_param *params, int count, const char *name)
{
    int i = 0;
    while (i < count && strcmp(params[i].name, name) != 0)
        i++;
    return i;
}

static void check_params(const struct field_param *params, int count)
{
    for (int i = 0; i < count; i++) {
        assert(find(params, count, params[i].name) == i);
        assert(str_utf8_length(str_of(params[i].name)) >= 0 && str_utf8_length(params[i].value) >= 0);
        assert(params[i].value.p[params[i].value.n] == '\0');
    }
}

static void check_round_trip(const struct field_param *params, int count, struct arena *arena)
{
    struct field_param again[PARAMS_MAX];
    struct buf query = {0};
    for (int i = 0; i < count; i++) {
        add_escaped(&query, str_of(params[i].name));
        buf_addc(&query, '=');
        add_escaped(&query, params[i].value);
        buf_addc(&query, '&');
    }
    assert(query_parse(buf_str(&query), again, PARAMS_MAX, arena) == count);
    for (int i = 0; i < count; i++)
        assert(strcmp(again[i].name, params[i].name) == 0 && str_eq(again[i].value, params[i].value));
    buf_done(&query);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct field_param params[PARAMS_MAX];
    struct arena arena = {0};
    int count = query_parse(fuzz_input(data, n), params, PARAMS_MAX, &arena);
    assert(count >= -1 && count <= PARAMS_MAX);
    if (count >= 0) {
        check_params(params, count);
        check_round_trip(params, count, &arena);
    }
    arena_done(&arena);
    return 0;
}
