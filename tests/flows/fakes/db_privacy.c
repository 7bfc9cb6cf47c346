/* One promise at a time; what is open comes from the fake's requests and sessions. */
#include "flows/fakes/db_privacy.h"

#include <stdio.h>
#include <stdlib.h>

#include "conversation/base/arena.h"
#include "conversation/base/clock.h"
#include "flows/fakes/db.h"
#include "flows/fakes/port.h"

struct fake_privacy fake_privacy;

void fake_privacy_reset(void)
{
    fake_privacy = (struct fake_privacy){.steps = 1, .events = 1};
}

static struct uuid id_of_row(size_t number)
{
    struct uuid id = {0};
    snprintf((char *)id.b, sizeof id.b, "%zu", number);
    return id;
}

void db_export(struct flow *f, const struct db_export_query *q, struct db_export_page *out)
{
    struct port_call *call = port_begin(f, DB_EXPORT);
    struct str *items = ARENA_ARRAY(flow_arena(f), struct str, DB_EXPORT_PAGE);
    struct db_export_page page = {.items = items};
    size_t after = strtoul((const char *)q->after.b, NULL, 10);
    while (page.count < DB_EXPORT_PAGE && after < fake_privacy.rows[q->part])
        items[page.count++] = arena_fmt(flow_arena(f), "{\"n\":%zu}", ++after);
    page.last = id_of_row(after);
    port_answer(call, OK, out, &page, sizeof page);
}

void db_erasure_request(struct flow *f, const struct uuid *user_id)
{
    struct port_call *call = port_begin(f, DB_ERASURE_REQUEST);
    if (port_takes_effect(call))
        fake_privacy.promised = *user_id;
    port_answer(call, OK, NULL, NULL, 0);
}

void db_erasure_claim(struct flow *f, struct db_erasure *out)
{
    struct port_call *call = port_begin(f, DB_ERASURE_CLAIM);
    struct db_erasure erasure = {0};
    bool is_free = !fake_privacy.is_claimed || fake_privacy.claimed_until_ms <= clock_now_ms();
    if (port_takes_effect(call) && is_free && !uuid_is_nil(&fake_privacy.promised)) {
        erasure.user_id = fake_privacy.promised;
        fake_privacy.is_claimed = true;
        fake_privacy.claimed_until_ms = clock_now_ms() + DB_ERASE_CLAIM_MS;
    }
    port_answer(call, OK, out, &erasure, sizeof erasure);
}

void db_erasure_open(struct flow *f, const struct uuid *user_id, struct db_erasure_open *out)
{
    struct port_call *call = port_begin(f, DB_ERASURE_OPEN);
    struct uuid *requests = ARENA_ARRAY(flow_arena(f), struct uuid, FAKE_REQUESTS_MAX);
    struct uuid *sessions = ARENA_ARRAY(flow_arena(f), struct uuid, FAKE_SESSIONS_MAX);
    struct db_erasure_open open = {.request_ids = requests, .session_ids = sessions};
    for (size_t i = 0; i < fake_db.request_count; i++)
        if (uuid_eq(&fake_db.requests[i].user_id, user_id) && fake_db.requests[i].status == MATCH_PENDING)
            requests[open.request_count++] = fake_db.requests[i].id;
    for (size_t i = 0; i < fake_db.session_count; i++)
        if (session_participant_index(&fake_db.sessions[i], user_id) >= 0 &&
            !session_is_over(&fake_db.sessions[i]))
            sessions[open.session_count++] = fake_db.sessions[i].id;
    port_answer(call, OK, out, &open, sizeof open);
}

void db_erasure_step(struct flow *f, const struct uuid *user_id, int *changed)
{
    struct port_call *call = port_begin(f, DB_ERASURE_STEP);
    (void)user_id;
    int n = fake_privacy.steps_done < fake_privacy.steps;
    if (port_takes_effect(call))
        fake_privacy.steps_done += n;
    port_answer(call, OK, changed, &n, sizeof n);
}

void db_erasure_events(struct flow *f, const struct uuid *user_id, int64_t *after)
{
    struct port_call *call = port_begin(f, DB_ERASURE_EVENTS);
    (void)user_id;
    int64_t at = *after < fake_privacy.events ? *after + 1 : -1;
    if (port_takes_effect(call) && at > fake_privacy.events_done)
        fake_privacy.events_done = (int)at;
    port_answer(call, OK, after, &at, sizeof at);
}

void db_erasure_finish(struct flow *f, const struct db_erasure *erasure, bool *is_done)
{
    static const struct uuid none;
    struct port_call *call = port_begin(f, DB_ERASURE_FINISH);
    bool done = !fake_privacy.is_promised_again;
    (void)erasure;
    if (port_takes_effect(call)) {
        if (done)
            fake_privacy.promised = none;
        fake_privacy.is_claimed = fake_privacy.is_promised_again = false;
    }
    port_answer(call, OK, is_done, &done, sizeof done);
}
