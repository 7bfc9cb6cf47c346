/* A lease is a key with the holder's id that expires by itself: whoever dies loses it. Compared and extended
 * by scripts, which are atomic. */
#include "adapters/redis/commands.h"
#include "adapters/redis/script.h"
#include "conversation/base/instance.h"
#include "conversation/ports/kv.h"

static const char hold[] = "local holder = redis.call('GET', KEYS[1])\n"
                           "if holder and holder ~= ARGV[1] then return 0 end\n"
                           "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])\n"
                           "return holder and 2 or 1\n";

static void read_lease(void *out, int64_t answer)
{
    static const enum kv_lease meaning[] = {KV_LEASE_OTHERS, KV_LEASE_TAKEN, KV_LEASE_EXTENDED};
    *(enum kv_lease *)out = meaning[answer];
}

void kv_lease_hold(struct flow *f, const char *name, int64_t ms, enum kv_lease *out)
{
    redis_script_run(f, &redis_commands,
                     &(struct redis_script){.text = hold,
                                            .key = name,
                                            .arg = UUIDZ(instance_id()),
                                            .number = ms,
                                            .read = read_lease,
                                            .out = out});
}

static const char release[] = "if redis.call('GET', KEYS[1]) == ARGV[1] then\n"
                              "  return redis.call('DEL', KEYS[1])\n"
                              "end\n"
                              "return 0\n";

void kv_lease_release(struct flow *f, const char *name)
{
    redis_script_run(f, &redis_commands,
                     &(struct redis_script){.text = release, .key = name, .arg = UUIDZ(instance_id())});
}
