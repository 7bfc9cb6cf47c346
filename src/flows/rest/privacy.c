/* GET /users/me/export and DELETE /users/me/data (docs/privacy.md).
 *
 * An export is read a page at a time, so that no statement takes long and no answer of the database is large;
 * the document is then sent as one. Erasing is promised here, and done by the job users.erase. */
#include "flows/handlers.h"
#include "flows/job.h"

#include "conversation/base/clock.h"
#include "conversation/base/log.h"
#include "conversation/ports/db_privacy.h"

/* --- export --- */

struct export
{
    struct db_export_query query;
    struct db_export_page page;
    struct buf text;
    struct jsonw w;
};

static const char *const part_names[EXPORT_PART_COUNT] = {
    [EXPORT_REQUESTS] = "matchRequests", [EXPORT_SESSIONS] = "sessions", [EXPORT_PARTNERS] = "pastPartners",
    [EXPORT_REPORTS] = "reportsWritten", [EXPORT_BLOCKS] = "blocks",     [EXPORT_SKILLS] = "skills",
    [EXPORT_FLAGS] = "moderationFlags",
};

static void begin(struct flow *f, struct export *c)
{
    c->query.user_id = *caller_user_id(f);
    c->w = jsonw_on(&c->text);
    jsonw_object(&c->w);
    jsonw_m_uuid(&c->w, "userId", &c->query.user_id);
    jsonw_m_time(&c->w, "exportedAt", clock_now_ms());
}

static void begin_part(struct export *c)
{
    static const struct uuid none;
    c->query.after = none;
    jsonw_key(&c->w, part_names[c->query.part]);
    jsonw_array(&c->w);
}

/* False: that was the part's last page. */
static bool add_page(struct export *c)
{
    for (size_t i = 0; i < c->page.count; i++)
        jsonw_raw(&c->w, c->page.items[i]);
    c->query.after = c->page.last;
    return c->page.count == DB_EXPORT_PAGE;
}

static void finish(struct flow *f, struct export *c)
{
    jsonw_end_object(&c->w);
    jsonw_finish(&c->w);
    reply_raw(f, 200, "application/json; charset=utf-8", buf_str(&c->text));
    LOG(LOG_INFO, "privacy.exported", LOG_UUID("userId", &c->query.user_id),
        LOG_INT("bytes", (int64_t)c->text.n), LOG_Z("correlationId", flow_correlation_id(f)));
}

static void run_export(struct flow *f)
{
    struct export *c = flow_ctx(f);
    FLOW_BEGIN(f);
    begin(f, c);
    for (; c->query.part < EXPORT_PART_COUNT; c->query.part++) {
        begin_part(c);
        do
            AWAIT(f, db_export(f, &c->query, &c->page));
        while (add_page(c));
        jsonw_end_array(&c->w);
    }
    finish(f, c);
    buf_done(&c->text);
    FLOW_END(f);
fail:
    buf_done(&c->text);
    reply_error(f);
}

const struct handler rest_user_export = {
    .flow = {.name = "user.export",
             .run = run_export,
             .ctx_size = sizeof(struct export),
             .deadline_ms = 10000},
};

/* --- erase --- */

static void run_erase(struct flow *f)
{
    FLOW_BEGIN(f);
    AWAIT(f, db_erasure_request(f, caller_user_id(f)));
    LOG(LOG_INFO, "privacy.erasure_requested", LOG_UUID("userId", caller_user_id(f)),
        LOG_Z("correlationId", flow_correlation_id(f)));
    job_users_erase_now();
    struct jsonw *w = reply_begin(f, 202);
    jsonw_object(w);
    jsonw_m_z(w, "status", "erasing");
    jsonw_end_object(w);
    reply_send(f);
    FLOW_END(f);
fail:
    reply_error(f);
}

const struct handler rest_user_erase = {
    .flow = {.name = "user.erase", .run = run_erase, .deadline_ms = 5000},
};
