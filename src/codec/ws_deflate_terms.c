/* permessage-deflate: negotiation. A field is a list of offers, an offer an extension's name and parameters.
 * The grammar is the request's business (section 9.1 of RFC 6455: fail it); what an offer says is ours, to be
 * taken or not. */
#include "conversation/codec/ws_deflate.h"

#include <assert.h>
#include <stdio.h>

#define WINDOW_BITS_MIN 8
#define WINDOW_BITS_MAX 15

/* --- the grammar --- */

struct param {
    struct str name;
    bool has_value;
    char value[4];      /* unescaped, cut; no value that we know is longer than two characters */
    size_t value_bytes; /* uncut */
};

static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

static bool take_char(struct str *rest, char c)
{
    if (!rest->n || rest->p[0] != c)
        return false;
    *rest = (struct str){rest->p + 1, rest->n - 1};
    return true;
}

static void skip_spaces(struct str *rest)
{
    while (take_char(rest, ' ') || take_char(rest, '\t'))
        ;
}

/* A separator, and the spaces around it. */
static bool take_separator(struct str *rest, char c)
{
    skip_spaces(rest);
    bool is_there = take_char(rest, c);
    skip_spaces(rest);
    return is_there;
}

static bool take_token(struct str *rest, struct str *token)
{
    size_t n = 0;
    while (n < rest->n && is_token_char(rest->p[n]))
        n++;
    *token = (struct str){rest->p, n};
    *rest = (struct str){rest->p + n, rest->n - n};
    return n > 0;
}

static void add_to_value(struct param *param, char c)
{
    if (param->value_bytes < sizeof param->value)
        param->value[param->value_bytes] = c;
    param->value_bytes++;
}

/* What a quoted value says must be a token as well. */
static bool take_quoted(struct str *rest, struct param *param)
{
    while (!take_char(rest, '"')) {
        (void)take_char(rest, '\\');
        if (!rest->n || !is_token_char(rest->p[0]))
            return false;
        add_to_value(param, rest->p[0]);
        (void)take_char(rest, rest->p[0]);
    }
    return param->value_bytes > 0;
}

static bool take_value(struct str *rest, struct param *param)
{
    if (take_char(rest, '"'))
        return take_quoted(rest, param);
    struct str token;
    if (!take_token(rest, &token))
        return false;
    for (size_t i = 0; i < token.n; i++)
        add_to_value(param, token.p[i]);
    return true;
}

static bool take_param(struct str *rest, struct param *param)
{
    *param = (struct param){0};
    if (!take_token(rest, &param->name))
        return false;
    param->has_value = take_separator(rest, '=');
    return !param->has_value || take_value(rest, param);
}

/* --- the parameters --- */

enum value_rule { NO_VALUE, WINDOW_BITS, WINDOW_BITS_OR_NONE };

enum { SERVER_WINDOW = 2 };
static const struct {
    const char *name;
    enum value_rule rule;
} rows[] = {
    {"server_no_context_takeover", NO_VALUE},
    {"client_no_context_takeover", NO_VALUE},
    [SERVER_WINDOW] = {"server_max_window_bits", WINDOW_BITS},
    {"client_max_window_bits", WINDOW_BITS_OR_NONE},
};
enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

struct offer {
    bool is_good;
    bool is_seen[ROW_COUNT];
    struct ws_deflate_terms terms;
};

static int row_of(struct str name)
{
    int i = 0;
    while (i < ROW_COUNT && !str_eqz(name, rows[i].name))
        i++;
    return i;
}

/* A number from 8 to 15 without leading zeros (section 7.1.2). */
static bool window_bits(const struct param *param, int64_t *bits)
{
    return param->value_bytes <= 2 && param->value[0] != '0' &&
           str_to_int((struct str){param->value, param->value_bytes}, WINDOW_BITS_MIN, WINDOW_BITS_MAX, bits);
}

static void judge(struct offer *offer, const struct param *param)
{
    int row = row_of(param->name);
    if (row == ROW_COUNT || offer->is_seen[row]) {
        offer->is_good = false;
        return;
    }
    offer->is_seen[row] = true;
    int64_t bits = 0;
    enum value_rule rule = rows[row].rule;
    if (param->has_value ? rule == NO_VALUE || !window_bits(param, &bits) : rule == WINDOW_BITS) {
        offer->is_good = false;
        return;
    }
    if (row == SERVER_WINDOW)
        offer->terms =
            (struct ws_deflate_terms){.window_bits = (uint8_t)bits, .client_named_the_window = true};
}

/* --- offers --- */

static bool take_offer(struct str *rest, struct offer *offer)
{
    struct str name;
    *offer = (struct offer){.terms.window_bits = WINDOW_BITS_MAX};
    if (!take_token(rest, &name))
        return false;
    offer->is_good = str_eqz(name, "permessage-deflate");
    while (take_separator(rest, ';')) {
        struct param param;
        if (!take_param(rest, &param))
            return false;
        judge(offer, &param);
    }
    return true;
}

bool ws_deflate_negotiate(struct str field, struct ws_deflate_terms *terms)
{
    struct str rest = field;
    struct ws_deflate_terms settled = *terms;
    bool is_any = false;
    do {
        struct offer offer;
        skip_spaces(&rest);
        if (!rest.n || rest.p[0] == ',')
            continue; /* a list may have empty elements: RFC 2616 section 2.1 */
        if (!take_offer(&rest, &offer))
            return false;
        is_any = true;
        if (!settled.window_bits && offer.is_good)
            settled = offer.terms;
    } while (take_separator(&rest, ','));
    if (rest.n || !is_any)
        return false;
    *terms = settled;
    return true;
}

struct str ws_deflate_answer(const struct ws_deflate_terms *terms, char out[WS_DEFLATE_ANSWER_MAX])
{
    assert(terms->window_bits);
    int n = snprintf(out, WS_DEFLATE_ANSWER_MAX,
                     "permessage-deflate; server_no_context_takeover; client_no_context_takeover");
    if (terms->client_named_the_window)
        n += snprintf(out + n, WS_DEFLATE_ANSWER_MAX - (size_t)n, "; server_max_window_bits=%d",
                      terms->window_bits);
    return (struct str){out, (size_t)n};
}
