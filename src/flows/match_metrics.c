#include "flows/match_metrics.h"

#include "conversation/base/clock.h"
#include "conversation/base/metrics.h"
#include "flows/matchmaker_parts.h"

static void measure_queue(const struct pairing_queue *queue, void *arg)
{
    int64_t now = *(const int64_t *)arg;
    bool has_waiting = queue->oldest_wait_start_ms < now;
    metric_set(M_QUEUE_SIZE, (double)queue->waiting, queue->language);
    metric_set(M_QUEUE_SCHEDULED, (double)queue->scheduled, queue->language);
    metric_set(M_QUEUE_OLDEST, has_waiting ? (double)(now - queue->oldest_wait_start_ms) / 1000 : 0,
               queue->language);
}

static void measure(void)
{
    struct pairing *p = matchmaker_pairing();
    int64_t now = clock_now_ms();
    metric_zero(M_QUEUE_SIZE); /* the index forgets a language with its last request */
    metric_zero(M_QUEUE_SCHEDULED);
    metric_zero(M_QUEUE_OLDEST);
    if (!p)
        return;
    pairing_advance(p, now); /* a follower's index is moved by nothing else */
    pairing_each_queue(p, measure_queue, &now);
}

void match_metrics_start(void)
{
    metrics_on_render(measure);
}

static void count_finished(double matched_now, double expired_now)
{
    static double matched, expired;
    matched += matched_now;
    expired += expired_now;
    metric_set(M_MATCH_SUCCESS_RATE, 100.0 * matched / (matched + expired), NULL);
}

static void observe_wait(const struct pairing_ticket *ticket)
{
    metric_observe(M_MATCH_WAIT, (double)(clock_now_ms() - ticket->wait_start_ms) / 1000,
                   ticket->target_language);
}

void match_metrics_paired(const struct pairing_pair *pair)
{
    if (!pair->is_ahead) { /* who is paired ahead of time has not waited */
        observe_wait(&pair->first);
        observe_wait(&pair->second);
    }
    metric_observe(M_MATCH_SCORE, pair->score, NULL);
    metric_add(M_MATCHES, 1, pair->first.target_language,
               pair->is_ahead ? "ahead" : match_phase_names[pair->phase], NULL);
    count_finished(2, 0);
}

const char *match_metrics_expired(const char *language)
{
    const struct pairing *p = matchmaker_pairing();
    const char *reason = p && pairing_count_of(p, language) > 0 ? "no_fit" : "alone";
    metric_add(M_MATCH_EXPIRED, 1, language, reason, NULL);
    count_finished(0, 1);
    return reason;
}
