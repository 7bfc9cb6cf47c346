/* codec/ws_deflate.h, negotiation: fields one after the other agree on what they do as one list, an answer is
 * itself an offer that is agreed to, and a field out of grammar changes nothing. The input is fields, a line
 * each. */
#include "fuzz.h"

#include "conversation/codec/ws_deflate.h"

static bool terms_eq(const struct ws_deflate_terms *a, const struct ws_deflate_terms *b)
{
    return a->window_bits == b->window_bits && a->client_named_the_window == b->client_named_the_window;
}

static bool negotiate(struct str field, struct ws_deflate_terms *terms)
{
    char *block = fuzz_copy(field);
    struct ws_deflate_terms before = *terms;
    bool is_valid = ws_deflate_negotiate((struct str){block, field.n}, terms);
    free(block);
    if (!is_valid || before.window_bits)
        assert(terms_eq(terms, &before));
    return is_valid;
}

static void check_answer(const struct ws_deflate_terms *terms)
{
    struct ws_deflate_terms again = {0};
    char text[WS_DEFLATE_ANSWER_MAX];
    assert(terms->window_bits >= 8 && terms->window_bits <= 15);
    struct str answer = ws_deflate_answer(terms, text);
    assert(answer.n < WS_DEFLATE_ANSWER_MAX);
    assert(negotiate(answer, &again) && terms_eq(&again, terms));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str rest = fuzz_input(data, n);
    struct ws_deflate_terms terms = {0}, of_list = {0};
    struct buf list = {0};
    bool all_valid = true;
    do {
        struct str field = str_cut(&rest, '\n');
        if (list.n)
            buf_addc(&list, ',');
        buf_add_str(&list, field);
        all_valid = negotiate(field, &terms) && all_valid;
    } while (rest.p);
    if (all_valid) {
        assert(negotiate(buf_str(&list), &of_list));
        assert(terms_eq(&of_list, &terms));
    }
    if (terms.window_bits)
        check_answer(&terms);
    buf_done(&list);
    return 0;
}
