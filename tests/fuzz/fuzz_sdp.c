/* codec/sdp.h: what passes holds nothing that could end a line for others, and still passes when its line
 * ends are written the other way, when an attribute is added, and not without its first line. */
#include "fuzz.h"

#include "conversation/codec/sdp.h"

static enum err check(struct str text)
{
    static const char untouched[] = "";
    const char *reason = untouched;
    enum err err = sdp_check(text, &reason);
    assert(err == OK || err == ERR_INVALID_SDP);
    assert((err == OK) == (reason == untouched) && reason);
    return err;
}

/* `text` with every line ended by `end`. */
static struct buf with_line_ends(struct str text, const char *end)
{
    struct buf out = {0};
    while (text.n) {
        struct str line = str_cut(&text, '\n');
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        buf_add_str(&out, line);
        buf_addz(&out, end);
    }
    return out;
}

static void check_lines(struct str text)
{
    const struct str candidate = STR("a=candidate:");
    const char *reason;
    while (text.n) {
        struct str line = str_cut(&text, '\n');
        line.n -= line.n && line.p[line.n - 1] == '\r';
        assert(line.n >= 2 && line.p[1] == '=');
        for (size_t i = 0; i < line.n; i++)
            assert((unsigned char)line.p[i] >= ' ' && line.p[i] != 0x7f);
        if (str_starts_with(line, candidate))
            assert(ice_candidate_check(line, &reason) == OK);
    }
}

static void check_rewritten(struct str text)
{
    struct buf lf = with_line_ends(text, "\n"), crlf = with_line_ends(text, "\r\n");
    struct str rest = text;
    assert(check(buf_str(&lf)) == OK);
    buf_addz(&crlf, "a=fuzz:1\r\n");
    assert(crlf.n > SDP_MAX_BYTES || check(buf_str(&crlf)) == OK);
    (void)str_cut(&rest, '\n');
    assert(check(rest) != OK);
    buf_done(&lf);
    buf_done(&crlf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str text = fuzz_input(data, n), ufrag = sdp_ice_ufrag(text);
    assert(fuzz_lies_within(ufrag, text));
    if (check(text) != OK)
        return 0;
    assert(text.n <= SDP_MAX_BYTES && str_utf8_length(text) >= 0);
    assert(!ufrag.p || (ufrag.n >= 4 && ufrag.n <= 256));
    check_lines(text);
    check_rewritten(text);
    return 0;
}
