/* A call waits for the host's addresses when they are not known, then is a transfer of libcurl's. One timer
 * is over all of it. Whatever ends it (transfer, timer, stop) calls `finish`, once. */
#include "adapters/http/client.h"

#include <stdio.h>
#include <stdlib.h>

#include "adapters/http/multi.h"
#include "adapters/http/resolver.h"

#define HEAD_MAX 65536 /* bytes of an answer's head */

struct http_client {
    struct http_multi multi;
    struct http_resolver resolver;
    char *base_url; /* without a slash at its end */
    char *host;     /* of it, without brackets */
    struct list calls;
};

enum call_stage { CALL_RESOLVING, CALL_IN_TRANSFER, CALL_ENDED };

struct call {
    struct list link;
    struct http_client *client;
    struct flow_op *op;
    struct http_answer *out; /* the flow's, which lives until `op` has reported */
    enum call_stage stage;
    CURL *easy;
    struct curl_slist *headers, *addresses; /* libcurl borrows them */
    struct timer timer;
    struct buf body;
    size_t body_max, head_bytes;
    bool is_too_large;
    char error[CURL_ERROR_SIZE];
};

static void *checked(void *p)
{
    if (!p)
        abort(); /* out of memory */
    return p;
}

/* --- the end of a call --- */

static void call_free(struct call *c)
{
    curl_easy_cleanup(c->easy);
    curl_slist_free_all(c->headers);
    curl_slist_free_all(c->addresses);
    buf_done(&c->body);
    free(c);
}

static void finish(struct call *c, enum http_outcome outcome, const char *problem)
{
    struct arena *arena = flow_arena(flow_op_flow(c->op));
    long status = 0;
    if (c->stage == CALL_IN_TRANSFER)
        http_multi_remove(&c->client->multi, c->easy);
    c->stage = CALL_ENDED;
    timer_stop(&c->timer);
    list_remove(&c->link);
    *c->out = (struct http_answer){.outcome = outcome};
    if (outcome == HTTP_ANSWERED) {
        curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
        c->out->status = (int)status;
        c->out->body = arena_str(arena, c->body.n ? buf_str(&c->body) : STR(""));
    } else {
        c->out->problem = arena_strz(arena, str_of(problem));
    }
    flow_op_done(c->op, OK);
    call_free(c);
}

static void on_overdue(struct timer *t)
{
    struct call *c = container_of(t, struct call, timer);
    finish(c, HTTP_TIMED_OUT,
           c->stage == CALL_RESOLVING ? "the host's name is not resolved" : "no answer in time");
}

static void on_transfer_ended(CURL *easy, CURLcode result)
{
    char *private = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
    struct call *c = (void *)private;
    c->stage = CALL_ENDED;
    if (c->is_too_large) {
        finish(c, HTTP_TOO_LARGE, "the answer is too large");
    } else if (result == CURLE_OK) {
        finish(c, HTTP_ANSWERED, NULL);
    } else {
        http_resolver_forget(&c->client->resolver); /* it may have moved */
        finish(c, HTTP_UNREACHABLE, c->error[0] ? c->error : curl_easy_strerror(result));
    }
}

/* --- a transfer --- */

/* libcurl keeps what heads say, and bounds no more than a line. */
static size_t on_head(char *p, size_t size, size_t count, void *arg)
{
    struct call *c = arg;
    (void)p;
    c->head_bytes += size * count;
    c->is_too_large = c->head_bytes > HEAD_MAX;
    return c->is_too_large ? 0 : size * count; /* 0 ends the transfer */
}

static size_t on_body(char *p, size_t size, size_t count, void *arg)
{
    struct call *c = arg;
    size_t n = size * count;
    c->is_too_large = n > c->body_max - c->body.n;
    if (c->is_too_large)
        return 0; /* ends the transfer */
    buf_add(&c->body, p, n);
    return n;
}

static void start_transfer(struct call *c)
{
    const char *addresses = http_resolver_line(&c->client->resolver);
    if (addresses) {
        c->addresses = checked(curl_slist_append(NULL, addresses));
        curl_easy_setopt(c->easy, CURLOPT_RESOLVE, c->addresses);
    }
    c->stage = CALL_IN_TRANSFER;
    http_multi_add(&c->client->multi, c->easy);
}

static void on_resolved(struct http_resolver *r, const char *problem)
{
    struct http_client *client = container_of(r, struct http_client, resolver);
    char why[256];
    snprintf(why, sizeof why, "cannot resolve the host's name: %s", problem ? problem : "");
    LIST_EACH_SAFE (n, after, &client->calls) {
        struct call *c = container_of(n, struct call, link);
        if (c->stage != CALL_RESOLVING)
            continue;
        if (problem)
            finish(c, HTTP_UNREACHABLE, why);
        else
            start_transfer(c);
    }
}

static void set_options(struct call *c, const struct http_get *get)
{
    struct buf url = {0};
    buf_addf(&url, "%s%s", c->client->base_url, get->path);
    buf_addc(&url, '\0');
    for (int i = 0; i < HTTP_HEADERS_MAX && get->headers[i]; i++)
        c->headers = checked(curl_slist_append(c->headers, get->headers[i]));
    curl_easy_setopt(c->easy, CURLOPT_URL, url.p);
    buf_done(&url);
    curl_easy_setopt(c->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c->easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->headers);
    curl_easy_setopt(c->easy, CURLOPT_PROXY, ""); /* not the environment's */
    curl_easy_setopt(c->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c->easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(c->easy, CURLOPT_ERRORBUFFER, c->error);
    curl_easy_setopt(c->easy, CURLOPT_HEADERFUNCTION, on_head);
    curl_easy_setopt(c->easy, CURLOPT_HEADERDATA, c);
    curl_easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c->easy, CURLOPT_WRITEDATA, c);
    curl_easy_setopt(c->easy, CURLOPT_PRIVATE, c);
}

void http_client_get(struct http_client *client, struct flow *f, const struct http_get *get,
                     struct http_answer *out)
{
    struct call *c = checked(calloc(1, sizeof *c));
    c->client = client;
    c->op = flow_op_begin(f);
    c->out = out;
    c->body_max = get->body_max;
    c->easy = checked(curl_easy_init());
    set_options(c, get);
    list_add_tail(&client->calls, &c->link);
    timer_start(&c->timer, get->timeout_ms, on_overdue);
    if (http_resolver_knows(&client->resolver))
        start_transfer(c);
    else
        http_resolver_start(&client->resolver);
}

/* --- the client --- */

/* Host and port of the URL; false when libcurl cannot read it. */
static bool read_url(struct http_client *c, const char *url)
{
    CURLU *parsed = checked(curl_url());
    char *host = NULL, *port = NULL;
    bool ok = curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
              curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
              curl_url_get(parsed, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK;
    if (ok) {
        struct str name = str_trim(str_of(host), "[]");
        struct str base = str_of(url);
        while (base.n && base.p[base.n - 1] == '/')
            base.n--;
        c->host = checked(strndup(name.p, name.n));
        c->base_url = checked(strndup(base.p, base.n));
        c->resolver.port = atoi(port); /* libcurl has checked that it is a number */
    }
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(parsed);
    return ok;
}

static void client_free(struct http_client *c)
{
    free(c->base_url);
    free(c->host);
    free(c);
    curl_global_cleanup();
}

struct http_client *http_client_new(const char *base_url, int connections_max)
{
    struct http_client *c = checked(calloc(1, sizeof *c));
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        abort();
    list_init(&c->calls);
    if (!read_url(c, base_url)) {
        client_free(c);
        return NULL;
    }
    c->resolver.host = c->host;
    c->resolver.ended = on_resolved;
    http_resolver_init(&c->resolver);
    c->multi.ended = on_transfer_ended;
    http_multi_init(&c->multi, connections_max);
    return c;
}

void http_client_free(struct http_client *c)
{
    if (!c)
        return;
    while (!list_is_empty(&c->calls))
        finish(LIST_FIRST(&c->calls, struct call, link), HTTP_STOPPED, "the service is stopping");
    http_resolver_done(&c->resolver);
    http_multi_done(&c->multi);
    client_free(c);
}
