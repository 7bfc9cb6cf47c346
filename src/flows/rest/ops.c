/* GET /healthz, /readyz, /metrics, /openapi.json: for operators, probes and scrapers; no token. */
#include "flows/handlers.h"

#include "conversation/base/metrics.h"
#include "conversation/ports/db.h"
#include "conversation/ports/kv.h"
#include "conversation/ports/openapi.h"

/* None of these waits for anything; the one await-free run is still a flow so that there is one kind of
 * handler. */

static void run_healthz(struct flow *f)
{
    struct jsonw *w = reply_begin(f, 200);
    jsonw_object(w);
    jsonw_m_z(w, "status", "ok");
    jsonw_end_object(w);
    reply_send(f);
}

static void write_check(struct jsonw *w, const char *name, bool is_ok, const char *otherwise)
{
    jsonw_m_z(w, name, is_ok ? "ok" : otherwise);
}

static const char *schema_problem(void)
{
    switch (db_schema_state()) {
    case DB_SCHEMA_OLDER: return "migrations pending";
    case DB_SCHEMA_NEWER: return "database newer than this binary";
    case DB_SCHEMA_UNKNOWN: return "unknown";
    case DB_SCHEMA_OK: break;
    }
    return NULL;
}

static void run_readyz(struct flow *f)
{
    const char *schema = schema_problem();
    bool is_ready = db_is_up() && kv_is_up() && !schema && !edge_is_draining();
    struct jsonw *w = reply_begin(f, is_ready ? 200 : 503);
    jsonw_object(w);
    jsonw_m_z(w, "status", is_ready ? "ready" : "not ready");
    jsonw_key(w, "checks");
    jsonw_object(w);
    write_check(w, "postgresql", db_is_up(), "unreachable");
    write_check(w, "redis", kv_is_up(), "unreachable");
    write_check(w, "migrations", !schema, schema);
    write_check(w, "draining", !edge_is_draining(), "draining");
    jsonw_end_object(w);
    jsonw_end_object(w);
    reply_send(f);
}

static void run_metrics(struct flow *f)
{
    struct buf text = {0};
    metrics_render(&text);
    reply_raw(f, 200, "text/plain; version=0.0.4; charset=utf-8", buf_str(&text));
    buf_done(&text);
}

static void run_openapi(struct flow *f)
{
    reply_raw(f, 200, "application/json", (struct str){openapi_json, openapi_json_len});
}

const struct handler ops_healthz = {.flow = {.name = "ops.healthz", .run = run_healthz}};
const struct handler ops_readyz = {.flow = {.name = "ops.readyz", .run = run_readyz}};
const struct handler ops_metrics = {.flow = {.name = "ops.metrics", .run = run_metrics}};
const struct handler ops_openapi = {.flow = {.name = "ops.openapi", .run = run_openapi}};
