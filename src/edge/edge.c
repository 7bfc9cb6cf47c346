/* The edge as a whole: which request goes to REST and which to Socket.IO. */
#include "conversation/edge/edge.h"

#include "conversation/base/metrics.h"
#include "conversation/config.h"
#include "conversation/edge/hub.h"
#include "conversation/net/conn.h"
#include "conversation/net/http.h"
#include "conversation/net/listener.h"
#include "conversation/net/settings.h"
#include "conversation/net/tls.h"
#include "gate.h"
#include "handshake.h"
#include "rest.h"

static void on_request(struct conn *c, const struct http_request *r)
{
    struct socket_context context;
    if (c->on_api_port && handshake_is_for(r->path, &context))
        handshake_request(c, r, sio_server_eio(hub_sio()), &context);
    else
        rest_request(c, r);
}

static void on_body_follows(struct conn *c, const struct http_request *r)
{
    struct socket_context context;
    if (c->on_api_port && handshake_is_for(r->path, &context))
        handshake_body_follows(c, r, sio_server_eio(hub_sio()));
}

/* What a client may POST is what it was told in its handshake. */
static size_t max_body(const struct http_request *r)
{
    struct socket_context context;
    return handshake_is_for(r->path, &context) ? handshake_max_body(sio_server_eio(hub_sio()))
                                               : net_settings.max_body_bytes;
}

static void apply_settings(void)
{
    net_settings = (struct net_settings){
        .max_connections = (size_t)config.http_max_connections,
        .max_connections_per_address = (size_t)config.http_max_connections_per_address,
        .max_body_bytes = (size_t)config.http_max_body_bytes,
        .max_header_bytes = (size_t)config.http_max_header_bytes,
        .max_uri_bytes = (size_t)config.http_max_uri_bytes,
        .write_buffer_bytes = (size_t)config.http_write_buffer_bytes,
        .header_timeout_ms = config.http_header_timeout_ms,
        .body_timeout_ms = config.http_body_timeout_ms,
        .keep_alive_timeout_ms = config.http_keep_alive_timeout_ms,
    };
}

bool edge_init(const struct hub_setup *hub, const char **problem)
{
    static const struct http_user user = {
        .max_body = max_body, .body_follows = on_body_follows, .request = on_request, .refuse = rest_refuse};
    if (!gate_init(problem))
        return false;
    apply_settings();
    conn_init();
    http_init(&user);
    rest_init();
    hub_init(hub, gate_verify);
    return true;
}

bool edge_reload(const char **problem)
{
    return gate_init(problem);
}

static bool refuse(struct edge_refusal *refusal, const char *variable, const char *why)
{
    refusal->variable = variable;
    (void)str_copy(str_of(why), refusal->why, sizeof refusal->why);
    return false;
}

bool edge_load_certificate(struct edge_refusal *refusal)
{
    const struct tls_files files = {.certificate = config.tls_cert_file, .key = config.tls_key_file};
    bool is_wanted = files.certificate[0] != '\0';
    struct tls_problem problem;
    if (listener_port() && is_wanted != tls_is_loaded())
        return refuse(refusal, "TLS_CERT_FILE", "switching TLS on or off needs a restart");
    if (!is_wanted)
        return true;
    if (!tls_load(&files, &problem))
        return refuse(refusal, problem.is_of_key ? "TLS_KEY_FILE" : "TLS_CERT_FILE", problem.why);
    metric_set(M_TLS_EXPIRY, (double)tls_expires_at_ms() / 1000, NULL);
    return true;
}

bool edge_listen(struct edge_problem *problem)
{
    const struct listener_setup api = {
        .address = config.bind_address,
        .port = config.port,
        .serves_api = true,
        .serves_ops = config.ops_port == 0,
        .uses_tls = tls_is_loaded(),
    };
    const struct listener_setup ws = {
        .address = config.bind_address,
        .port = config.ws_port,
        .serves_api = true,
        .uses_tls = tls_is_loaded(),
    };
    /* A port of its own for operations is one of the inner network: plain HTTP. */
    const struct listener_setup ops = {
        .address = config.bind_address, .port = config.ops_port, .serves_ops = true};
    problem->port = config.port;
    if (!listener_open(&api, &problem->why))
        return false;
    problem->port = config.ws_port;
    if (config.ws_port != config.port && !listener_open(&ws, &problem->why))
        return false;
    problem->port = config.ops_port;
    return config.ops_port == 0 || listener_open(&ops, &problem->why);
}

int edge_port(void)
{
    return listener_port();
}

void edge_drain(void)
{
    listener_close_all();
    rest_drain();
    http_drain();
    hub_drain();
}

void edge_close(void)
{
    listener_close_all();
    hub_close_all();
    conn_close_all();
}

void edge_done(void)
{
    hub_done();
    rest_done();
    gate_done();
}
