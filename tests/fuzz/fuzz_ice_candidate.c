/* codec/sdp.h, candidates: what passes is of the grammar of RFC 8839 section 5.1, written here as a regular
 * expression, and passes with an extension more, and with and without "a="; what does not is wrong for the
 * reason that a plain reading finds. */
#include "fuzz.h"

#include <arpa/inet.h>
#include <regex.h>

#include "conversation/codec/sdp.h"
#include "unit/codec/ice_oracle.h"

#define TOKEN "[!#$%&'*+.^_`{|}~0-9A-Za-z-]+" /* RFC 8866 section 9 */

static const char grammar[] = "^(a=)?candidate:[0-9A-Za-z+/]{1,32} [0-9]{1,3} " TOKEN " [0-9]{1,10} "
                              "[0-9A-Za-z.:-]+ [0-9]{1,5} typ " TOKEN "( " TOKEN " [!-~]*)*$";

static enum err check(struct str text)
{
    static const char untouched[] = "";
    const char *reason = untouched;
    enum err err = ice_candidate_check(text, &reason);
    assert(err == OK || err == ERR_INVALID_CANDIDATE);
    assert((err == OK) == (reason == untouched) && reason);
    const char *want = oracle_check_candidate(text);
    assert(want ? strcmp(reason, want) == 0 : err == OK);
    return err;
}

static bool is_of_grammar(struct str text)
{
    static regex_t regex;
    static bool is_compiled;
    char z[CANDIDATE_MAX_BYTES + 1];
    if (!is_compiled)
        is_compiled = regcomp(&regex, grammar, REG_EXTENDED | REG_NOSUB) == 0;
    assert(is_compiled);
    return str_copy(text, z, sizeof z) && strlen(z) == text.n && regexec(&regex, z, 0, NULL, 0) == 0;
}

/* The fifth word: an address of either family, or a name that could not be taken for one. */
static void check_address(struct str text)
{
    char z[CANDIDATE_MAX_BYTES + 1];
    struct in6_addr address;
    struct str rest = text, word = {0}, label = {0};
    for (int i = 0; i < 5; i++)
        word = str_cut(&rest, ' ');
    assert(str_copy(word, z, sizeof z));
    if (inet_pton(AF_INET, z, &address) == 1 || inet_pton(AF_INET6, z, &address) == 1)
        return;
    assert(word.n <= 253 && z[strspn(z, "0123456789.")] != '\0' && !strchr(z, ':'));
    while (word.p) {
        label = str_cut(&word, '.');
        assert(label.n >= 1 && label.n <= 63);
    }
}

static bool passes_between(const char *before, struct str text, const char *after)
{
    struct buf longer = {0};
    buf_addz(&longer, before);
    buf_add_str(&longer, text);
    buf_addz(&longer, after);
    bool passes = longer.n > CANDIDATE_MAX_BYTES || check(buf_str(&longer)) == OK;
    buf_done(&longer);
    return passes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str text = fuzz_input(data, n);
    if (check(text) != OK || n == 0)
        return 0;
    assert(n <= CANDIDATE_MAX_BYTES && is_of_grammar(text));
    check_address(text);
    assert(passes_between("", text, " fuzz 1"));
    if (str_starts_with(text, STR("a=")))
        assert(check((struct str){text.p + 2, n - 2}) == OK);
    else
        assert(passes_between("a=", text, ""));
    return 0;
}
