/* The port's operations as Redis commands. Whatever is written here expires by itself: a process that dies
 * leaves nothing for ever (docs/ARCHITECTURE.md, "Redis keys"). */
#include <inttypes.h>
#include <stdio.h>

#include "adapters/redis/batch.h"
#include "adapters/redis/commands.h"
#include "adapters/redis/rate.h"
#include "adapters/redis/script.h"
#include "conversation/base/clock.h"
#include "conversation/base/instance.h"
#include "conversation/ports/kv.h"

#define QUEUE_TTL_MAX_SECONDS   300 /* no request waits longer */
#define QUEUE_TTL_SLACK_SECONDS 30
#define QUEUE_WAIT_MAX_SECONDS  3600 /* with what was earned before a no-show, several times over */
#define SESSION_TTL_SECONDS     3600

struct redis_conn redis_commands = {.label = "redis", .on_up = rate_prepare};

void kv_start(void)
{
    redis_conn_start(&redis_commands);
}

void kv_stop(void)
{
    redis_conn_stop(&redis_commands);
    rate_done();
}

bool kv_is_up(void)
{
    return redis_conn_is_up(&redis_commands);
}

void kv_rate_take(struct flow *f, const struct rate_limit *limit, const struct uuid *user_id,
                  int64_t *retry_after_ms)
{
    rate_take(f, &redis_commands, limit, user_id, retry_after_ms);
}

/* --- the queue --- */

/* The request's lifetime and a little, so that it is still there to be removed when it expires. */
static int queue_ttl_seconds(const struct match_request *r)
{
    int64_t left_seconds = (r->expires_at_ms - clock_now_ms() + 999) / 1000 + QUEUE_TTL_SLACK_SECONDS;
    if (left_seconds < 1)
        return 1;
    return left_seconds < QUEUE_TTL_MAX_SECONDS ? (int)left_seconds : QUEUE_TTL_MAX_SECONDS;
}

static void add_request_hash(struct redis_batch *b, const struct match_request *r, const char *queue)
{
    struct uuid_text id = uuid_text(&r->id);
    redis_batch_add(
        b,
        "HSET match_request:%s queue %s userId %s targetLanguageCode %s nativeLanguageCode %s"
        " wantedNativeLanguageCode %s level %s preferredPartnerLevel %s topicCode %s topicCategory %s"
        " preferredAccent %s tier %s mode %s createdAt %" PRId64 " scheduledFor %" PRId64
        " expiresAt %" PRId64,
        id.z, queue, UUIDZ(&r->user_id), r->target_language, r->native_language, r->wanted_native_language,
        level_names[r->level], partner_level_names[r->preferred_partner_level], r->topic_code,
        topic_category_names[r->topic_category], r->preferred_accent, tier_names[r->tier],
        match_mode_names[r->mode], r->created_at_ms, r->scheduled_for_ms, r->expires_at_ms);
    redis_batch_add(b, "EXPIRE match_request:%s %d", id.z, queue_ttl_seconds(r));
}

/* The hash comes first: whoever finds the member finds the hash. The set is kept for the longest lifetime
 * there is past the last add, for a request with little time left must not shorten that of the others;
 * members older than that were left by somebody who died. */
static void add_request(struct redis_batch *b, const struct match_request *r)
{
    char queue[sizeof "match_queue:::" + LANG_MAX + 2 + TOPIC_MAX];
    snprintf(queue, sizeof queue, "match_queue:%s:%s:%s", r->target_language, level_names[r->level],
             r->topic_code);
    add_request_hash(b, r, queue);
    redis_batch_add(b, "ZREMRANGEBYSCORE %s -inf %" PRId64, queue,
                    clock_now_ms() - QUEUE_WAIT_MAX_SECONDS * 1000);
    redis_batch_add(b, "ZADD %s %" PRId64 " %s", queue, match_wait_start_ms(r), UUIDZ(&r->id));
    redis_batch_add(b, "EXPIRE %s %d", queue, QUEUE_TTL_MAX_SECONDS);
}

void kv_queue_add(struct flow *f, const struct match_request *requests, size_t count)
{
    struct redis_batch *b = redis_batch_new(f, &redis_commands);
    for (size_t i = 0; i < count; i++)
        add_request(b, &requests[i]);
    redis_batch_submit(b);
}

static const char remove_request[] = "local queue = redis.call('HGET', KEYS[1], 'queue') "
                                     "if queue then redis.call('ZREM', queue, ARGV[1]) end "
                                     "return redis.call('DEL', KEYS[1])";

void kv_queue_remove(struct flow *f, const struct uuid *request_ids, size_t count)
{
    struct redis_batch *b = redis_batch_new(f, &redis_commands);
    for (size_t i = 0; i < count; i++) {
        struct uuid_text id = uuid_text(&request_ids[i]);
        redis_batch_add(b, "EVAL %s 1 match_request:%s %s", remove_request, id.z, id.z);
    }
    redis_batch_submit(b);
}

/* The mark is "whole", or who fills it. */
#define QUEUE_MARK "match_queue_mark"
static const char check_mark[] = "if redis.call('GET', KEYS[1]) == 'whole' then return 1 end "
                                 "redis.call('SET', KEYS[1], ARGV[1]) return 0";
static const char set_mark[] = "if redis.call('GET', KEYS[1]) == ARGV[1] then "
                               "redis.call('SET', KEYS[1], 'whole') return 1 end return 0";

static void read_whole(void *out, int64_t answer)
{
    *(bool *)out = answer == 1;
}

void kv_queue_check(struct flow *f, bool *is_whole)
{
    redis_script_run(f, &redis_commands,
                     &(struct redis_script){.text = check_mark,
                                            .key = QUEUE_MARK,
                                            .arg = UUIDZ(instance_id()),
                                            .read = read_whole,
                                            .out = is_whole});
}

void kv_queue_filled(struct flow *f)
{
    redis_script_run(
        f, &redis_commands,
        &(struct redis_script){.text = set_mark, .key = QUEUE_MARK, .arg = UUIDZ(instance_id())});
}

/* --- sessions --- */

void kv_session_put(struct flow *f, const struct session *s, int prompts_shown)
{
    struct redis_batch *b = redis_batch_new(f, &redis_commands);
    struct uuid_text id = uuid_text(&s->id);
    redis_batch_add(
        b, "HSET session:%s status %s participantIds %s,%s startedAt %" PRId64 " promptIndex %d owner %s",
        id.z, session_status_names[s->status], UUIDZ(&s->participants[0].user_id),
        UUIDZ(&s->participants[1].user_id), s->started_at_ms, prompts_shown, UUIDZ(instance_id()));
    redis_batch_add(b, "EXPIRE session:%s %d", id.z, SESSION_TTL_SECONDS);
    for (int i = 0; i < 2; i++)
        redis_batch_add(b, "SET user_session:%s %s EX %d", UUIDZ(&s->participants[i].user_id), id.z,
                        SESSION_TTL_SECONDS);
    redis_batch_submit(b);
}

static void refresh(struct redis_batch *b, const struct kv_running *r)
{
    struct uuid_text id = uuid_text(&r->id),
                     users[2] = {uuid_text(&r->user_ids[0]), uuid_text(&r->user_ids[1])};
    redis_batch_add(b, "HSET session:%s status %s participantIds %s,%s startedAt %" PRId64 " promptIndex %d",
                    id.z, session_status_names[r->status], users[0].z, users[1].z, r->started_at_ms,
                    r->prompts_shown);
    if (r->is_owner)
        redis_batch_add(b, "HSET session:%s owner %s", id.z, UUIDZ(instance_id()));
    for (int i = 0; i < 2; i++) {
        if (r->heartbeat_ms[i] == 0)
            continue;
        redis_batch_add(b, "HSET session:%s lastHeartbeat:%s %" PRId64, id.z, users[i].z, r->heartbeat_ms[i]);
        redis_batch_add(b, "SET user_session:%s %s EX %d", users[i].z, id.z, SESSION_TTL_SECONDS);
    }
    redis_batch_add(b, "EXPIRE session:%s %d", id.z, SESSION_TTL_SECONDS);
}

void kv_sessions_refresh(struct flow *f, const struct kv_running *items, size_t count)
{
    struct redis_batch *b = redis_batch_new(f, &redis_commands);
    for (size_t i = 0; i < count; i++)
        refresh(b, &items[i]);
    redis_batch_submit(b);
}

/* The user may be in another session by now: the key goes only when it still names this one. */
static const char delete_if_equal[] =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

void kv_session_clear(struct flow *f, const struct session *s)
{
    struct redis_batch *b = redis_batch_new(f, &redis_commands);
    struct uuid_text id = uuid_text(&s->id);
    redis_batch_add(b, "DEL session:%s", id.z);
    for (int i = 0; i < 2; i++)
        redis_batch_add(b, "EVAL %s 1 user_session:%s %s", delete_if_equal,
                        UUIDZ(&s->participants[i].user_id), id.z);
    redis_batch_submit(b);
}
