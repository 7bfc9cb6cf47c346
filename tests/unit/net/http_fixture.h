/* An HTTP connection, its client, and a log of what whoever is above HTTP is told. */
#ifndef TESTS_HTTP_FIXTURE_H
#define TESTS_HTTP_FIXTURE_H

#include "net_fixture.h"

#include "conversation/net/http.h"

static struct buf told; /* "GET /path body|", "refuse 408 reason|", … */
static struct peer peer;

static void respond_with(struct conn *c, int status, const char *text)
{
    http_respond(
        c, &(struct http_response){.status = status, .content_type = "text/plain", .body = str_of(text)});
}

static void respond(struct conn *c, const char *text)
{
    respond_with(c, 200, text);
}

static void log_request(const struct http_request *r)
{
    buf_addf(&told, "%s " STR_FMT " " STR_FMT "|", http_method_name(r->method), STR_ARG(r->path),
             STR_ARG(r->body));
}

/* http_user.refuse */
static void on_refuse(struct conn *c, const struct http_request *r, enum err err, const char *reason)
{
    int status = err_info(err)->http_status;
    buf_addf(&told, "refuse %d %s|", status, reason);
    assert_true(r->method <= HTTP_METHOD_OTHER);
    respond_with(c, status, reason);
}

/* Everything since the start. */
static void expect_log(const char *log)
{
    buf_addc(&told, '\0');
    assert_string_equal(told.p, log);
    told.n--;
}

static struct conn *open_peer(struct peer *p)
{
    int fd;
    *p = (struct peer){0};
    connect_pair(&p->fd, &fd);
    struct conn *c = http_accept(fd);
    assert_non_null(c);
    return c;
}

static void http_set_up(const struct http_user *user)
{
    edge_set_up();
    http_init(user);
    open_peer(&peer);
}

static int tear_down(void **state)
{
    (void)state;
    edge_tear_down();
    peer_done(&peer);
    buf_done(&told);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
