#include "flows/wait_times.h"

#include "conversation/base/clock.h"
#include "flows/job.h"

static struct wait_stats *waits; /* NULL while stopped */

void wait_times_start(void)
{
    waits = wait_stats_new();
    flow_start(&(struct flow_start){.spec = &job_waits_learn});
}

void wait_times_stop(void)
{
    wait_stats_free(waits);
    waits = NULL;
}

static struct wait_key key_of(const struct match_request *r)
{
    return (struct wait_key){.language = r->target_language,
                             .topic = r->topic_code,
                             .level = r->level,
                             .is_tandem_seeker = match_is_tandem_seeker(r),
                             .wish = r->preferred_partner_level};
}

/* Scheduled ones say nothing of the waits of others: they may be paired before their wait begins. */
void wait_times_began(const struct match_request *r)
{
    const struct wait_key key = key_of(r);
    if (waits && r->mode == MATCH_NOW)
        wait_stats_began(waits, &r->id, &key, match_wait_start_ms(r));
}

void wait_times_ended(const struct uuid *request_id, enum wait_end end)
{
    if (waits)
        wait_stats_ended(waits, request_id, clock_now_ms(), end);
}

void wait_times_learn(const struct db_waits *learnt)
{
    for (size_t i = 0; waits && i < learnt->count; i++) {
        const struct db_wait *w = &learnt->items[i];
        const struct wait_key key = {.language = w->language,
                                     .topic = w->topic,
                                     .level = w->level,
                                     .is_tandem_seeker = w->is_tandem_seeker,
                                     .wish = w->wish};
        wait_stats_learn(waits, &key, w->ended_at_ms, w->wait_ms,
                         w->is_matched ? WAIT_MATCHED : WAIT_EXPIRED);
    }
}

struct wait_interval wait_times_estimate(const struct match_request *r)
{
    int64_t now = clock_now_ms(), start = match_wait_start_ms(r), waited = now > start ? now - start : 0;
    const struct wait_question q = {.id = &r->id,
                                    .key = key_of(r),
                                    .waited_ms = waited,
                                    .max_wait_seconds = (int)((r->expires_at_ms - start) / 1000)};
    return waits ? wait_stats_estimate(waits, &q, now) : wait_interval_unknown(&q);
}

void wait_times_promise(const struct match_request *r)
{
    (void)wait_times_estimate(r); /* the first estimate of one that waits is what it is judged by */
}

void wait_times_write(struct jsonw *w, const struct match_request *r)
{
    struct wait_interval e = wait_times_estimate(r);
    jsonw_m_int(w, "estimatedWaitTimeSeconds", e.median);
    jsonw_key(w, "estimatedWaitTimeInterval");
    jsonw_object(w);
    jsonw_m_int(w, "low", e.low);
    jsonw_m_int(w, "high", e.high);
    jsonw_end_object(w);
}
