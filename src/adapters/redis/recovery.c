/* A state is a string, `recovery:{pid}`: the id of the instance that owns it, then its bytes; the id alone
 * from the time that it was taken until its new owner puts it. All that is done to one is a script, and so is
 * all that a batch does, so that it costs one answer. `recovery_instance:{id}` exists while the instance
 * lives and for a while after. A connection of its own: a batch is long, and other commands should not wait
 * behind it. */
#include "conversation/ports/recovery.h"

#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdlib.h>

#include "adapters/redis/conn.h"
#include "conversation/base/instance.h"
#include "conversation/base/metrics.h"
#include "conversation/ports/bus.h"

#define ALIVE_MS     5000 /* between two signs of life */
#define DOUBT        "recovery_taken"
#define KEY          "recovery:"
#define KEY_ALIVE    "recovery_instance:"
#define WRITE_WORDS  3   /* of each write, in ARGV */
#define WRITE_BYTES  128 /* of each, at most, besides the bytes that are written */
#define NUMBER_BYTES 20

/* KEYS: what is written to; ARGV: who writes; then for each key what to do, for how long it is to be kept
 * (ms), and bytes. Answers with the exceptions: where in KEYS (from 0) * 4 + enum shared_written. A key of
 * another type is none of ours. */
static const char write_script[] =
    "local answer = {}\n"
    "for i, key in ipairs(KEYS) do\n"
    "  local what, ms, bytes = ARGV[3 * i - 1], ARGV[3 * i], ARGV[3 * i + 1]\n"
    "  local owner = redis.pcall('GETRANGE', key, 0, 35)\n"
    "  if type(owner) ~= 'string' then redis.call('DEL', key) owner = '' end\n"
    "  if owner ~= '' and owner ~= ARGV[1] then answer[#answer + 1] = (i - 1) * 4 + 2\n"
    "  elseif what == 'P' then redis.call('SET', key, ARGV[1] .. bytes, 'PX', ms)\n"
    "  elseif what == 'R' then redis.call('DEL', key)\n"
    "  elseif owner == '' then answer[#answer + 1] = (i - 1) * 4 + 1\n"
    "  else\n"
    "    if bytes ~= '' then redis.call('APPEND', key, bytes) end\n"
    "    redis.call('PEXPIRE', key, ms)\n"
    "  end\n"
    "end\n"
    "return answer\n";

/* KEYS[1] the state; ARGV: who takes it, the first words of what says that an instance lives, and for how
 * long it is nobody else's (ms). Answers with the bytes, with enum shared_taken, or with nil. */
static const char take_script[] =
    "local state = redis.pcall('GET', KEYS[1])\n"
    "if type(state) ~= 'string' then return false end\n"
    "local owner = state:sub(1, 36)\n"
    "if owner == ARGV[1] then return 1 end\n"
    "if #state <= 36 or redis.call('EXISTS', ARGV[2] .. owner) == 0 then return 2 end\n"
    "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])\n"
    "return state:sub(37)\n";

static void on_up(struct redis_conn *c);

static struct redis_conn conn = {.label = "redis_recovery", .on_up = on_up};
static struct shared_listener listener;
static struct timer alive_timer;
static int64_t keep_ms;

/* --- commands as they go over the wire --- */

/* Under load there are thousands of words a second: no printf. */
static void add_digits(struct buf *b, uint64_t n)
{
    char digits[NUMBER_BYTES], *p = digits + sizeof digits;
    do
        *--p = (char)('0' + n % 10);
    while (n /= 10);
    buf_add(b, p, (size_t)(digits + sizeof digits - p));
}

static void add_length(struct buf *b, char type, size_t n)
{
    buf_addc(b, type);
    add_digits(b, n);
    buf_add(b, "\r\n", 2);
}

static void add_word(struct buf *b, struct str word)
{
    add_length(b, '$', word.n);
    buf_add_str(b, word);
    buf_add(b, "\r\n", 2);
}

static void add_number(struct buf *b, int64_t n)
{
    size_t length = 1;
    for (int64_t rest = n; rest >= 10; rest /= 10)
        length++;
    add_length(b, '$', length);
    add_digits(b, (uint64_t)n);
    buf_add(b, "\r\n", 2);
}

static void add_key(struct buf *b, const struct uuid *key)
{
    char text[sizeof KEY + UUID_TEXT_LENGTH] = KEY;
    uuid_format(key, text + sizeof KEY - 1);
    add_word(b, (struct str){text, sizeof text - 1});
}

/* EVAL of a script; `words` follow, of which the first `keys` are keys. */
static void add_eval(struct buf *b, const char *script, size_t keys, size_t words)
{
    add_length(b, '*', 3 + words);
    add_word(b, STR("EVAL"));
    add_word(b, str_of(script));
    add_number(b, (int64_t)keys);
}

static bool send_buf(struct buf *b, redis_reply_fn *done, void *arg)
{
    buf_addc(b, '\0');
    bool sent = redis_conn_send_raw(&conn, done, arg, (struct str){b->p, b->n - 1});
    buf_done(b);
    return sent;
}

/* --- writing --- */

struct batch {
    shared_written_fn *done;
    void *arg;
    size_t count;
    uint8_t results[];
};

static bool read_results(struct batch *batch, const struct redisReply *reply)
{
    if (redis_reply_check(reply) || reply->type != REDIS_REPLY_ARRAY)
        return false;
    for (size_t i = 0; i < reply->elements; i++) {
        const struct redisReply *e = reply->element[i];
        if (e->type != REDIS_REPLY_INTEGER || e->integer < 0 || (uint64_t)e->integer / 4 >= batch->count)
            return false;
        batch->results[e->integer / 4] = e->integer % 4 == 2 ? SHARED_MOVED : SHARED_ABSENT;
    }
    return true;
}

static void on_written(void *arg, const struct redisReply *reply)
{
    struct batch *batch = arg;
    bool is_known = read_results(batch, reply);
    metric_inc(M_RECOVERY_WRITES, is_known ? "done" : "failed");
    batch->done(batch->arg, is_known ? batch->results : NULL);
    free(batch);
}

static size_t bytes_of(const struct shared_write *w)
{
    size_t n = 0;
    for (int i = 0; i < SHARED_PARTS_MAX; i++)
        n += w->parts[i].n;
    return n;
}

static void add_write(struct buf *b, const struct shared_write *w)
{
    static const struct str words[] = {
        [SHARED_PUT] = {"P", 1}, [SHARED_APPEND] = {"A", 1}, [SHARED_REMOVE] = {"R", 1}};
    add_word(b, words[w->kind]);
    add_number(b, w->keep_ms);
    add_length(b, '$', bytes_of(w));
    for (int i = 0; i < SHARED_PARTS_MAX; i++)
        if (w->parts[i].n)
            buf_add_str(b, w->parts[i]);
    buf_add(b, "\r\n", 2);
}

static bool store_write(const struct shared_write *writes, size_t count, shared_written_fn *done, void *arg)
{
    struct buf b = {0};
    size_t n = 0;
    if (!redis_conn_is_up(&conn))
        return false;
    for (size_t i = 0; i < count; i++)
        n += bytes_of(&writes[i]) + WRITE_BYTES;
    buf_reserve(&b, n + sizeof write_script + WRITE_BYTES);
    struct batch *batch = calloc(1, sizeof *batch + count);
    if (!batch)
        abort();
    *batch = (struct batch){done, arg, count};
    add_eval(&b, write_script, count, count + 1 + WRITE_WORDS * count);
    for (size_t i = 0; i < count; i++)
        add_key(&b, &writes[i].key);
    add_word(&b, str_of(UUIDZ(instance_id())));
    for (size_t i = 0; i < count; i++)
        add_write(&b, &writes[i]);
    metric_add(M_RECOVERY_WRITTEN_BYTES, (double)b.n, NULL, NULL, NULL);
    if (send_buf(&b, on_written, batch))
        return true;
    free(batch);
    return false;
}

/* --- taking --- */

struct taking {
    shared_taken_fn *done;
    void *arg;
    struct uuid key;
};

static void tell_doubt(const struct uuid *key)
{
    bus_publish(DOUBT, str_of(UUIDZ(key)));
}

static void on_taken(void *arg, const struct redisReply *reply)
{
    struct taking *t = arg;
    struct str bytes = {NULL, 0};
    enum shared_taken what = SHARED_UNKNOWN;
    if (redis_reply_check(reply) == OK) {
        if (reply->type == REDIS_REPLY_STRING) {
            what = SHARED_TAKEN;
            bytes = (struct str){reply->str, reply->len};
            tell_doubt(&t->key);
        } else if (reply->type == REDIS_REPLY_INTEGER) {
            what = reply->integer == 1 ? SHARED_OURS : SHARED_ANOTHER;
        } else {
            what = SHARED_NONE;
        }
    }
    t->done(t->arg, what, bytes);
    free(t);
}

static bool store_take(const struct uuid *key, shared_taken_fn *done, void *arg)
{
    struct buf b = {0};
    if (!redis_conn_is_up(&conn))
        return false;
    struct taking *t = malloc(sizeof *t);
    if (!t)
        abort();
    *t = (struct taking){done, arg, *key};
    add_eval(&b, take_script, 1, 4);
    add_key(&b, key);
    add_word(&b, str_of(UUIDZ(instance_id())));
    add_word(&b, STR(KEY_ALIVE));
    add_number(&b, keep_ms);
    if (send_buf(&b, on_taken, t))
        return true;
    free(t);
    return false;
}

/* --- signs of life, and of the bus --- */

static void on_alive_reply(void *arg, const struct redisReply *reply)
{
    (void)arg;
    if (redis_reply_check(reply))
        return; /* logged; the next one comes soon */
}

static void on_alive_timer(struct timer *t)
{
    redis_conn_send(&conn, on_alive_reply, NULL, "SET " KEY_ALIVE "%s 1 PX %" PRId64, UUIDZ(instance_id()),
                    keep_ms);
    timer_start(t, ALIVE_MS, on_alive_timer);
}

static void on_up(struct redis_conn *c)
{
    (void)c;
    on_alive_timer(&alive_timer);
    if (listener.back)
        listener.back(listener.arg);
}

static void on_doubt(void *arg, struct str text)
{
    struct uuid key;
    (void)arg;
    if (uuid_parse(text, &key) && listener.doubt)
        listener.doubt(listener.arg, &key);
}

static void store_listen(const struct shared_listener *l)
{
    listener = l ? *l : (struct shared_listener){0};
}

const struct shared_store recovery_store = {store_listen, store_write, store_take};

void recovery_store_start(int64_t keep_ms_)
{
    keep_ms = keep_ms_ + ALIVE_MS;
    bus_subscribe(DOUBT, on_doubt, NULL);
    redis_conn_start(&conn);
}

void recovery_store_stop(void)
{
    timer_stop(&alive_timer);
    redis_conn_stop(&conn);
}
