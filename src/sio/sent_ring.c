/* A packet is a record: its head, its text, and each attachment after its length. Any of them may be wrapped
 * around the end of the buffer. */
#include "sent_ring.h"

#include <assert.h>
#include <stdlib.h>

#define CAP_MIN 1024

struct head {
    int64_t sent_ms;
    uint32_t bytes; /* of the record after this head */
    uint32_t text_bytes;
};

/* --- bytes at a distance from the oldest --- */

static size_t place_of(const struct sent_ring *r, size_t at)
{
    size_t place = r->begin + at;
    return place < r->cap ? place : place - r->cap;
}

/* Where `n` bytes are, as one or two slices; returns how many. */
static int slices(const struct sent_ring *r, size_t at, size_t n, struct str out[2])
{
    size_t place = place_of(r, at), to_end = r->cap - place;
    out[0] = (struct str){r->p + place, n < to_end ? n : to_end};
    out[1] = (struct str){r->p, n - out[0].n};
    return out[1].n ? 2 : 1;
}

static void read_bytes(const struct sent_ring *r, size_t at, void *to, size_t n)
{
    struct str part[2];
    slices(r, at, n, part);
    memcpy(to, part[0].p, part[0].n);
    memcpy((char *)to + part[0].n, part[1].p, part[1].n);
}

static void append(struct sent_ring *r, const void *bytes, size_t n)
{
    size_t place = place_of(r, r->n), to_end = r->cap - place, now = n < to_end ? n : to_end;
    if (n == 0)
        return;
    memcpy(r->p + place, bytes, now);
    memcpy(r->p, (const char *)bytes + now, n - now);
    r->n += n;
}

/* Most records are not wrapped. */
static void append_parts(struct sent_ring *r, const struct str *parts, int part_count, size_t total)
{
    size_t place = place_of(r, r->n);
    if (total > r->cap - place) {
        for (int i = 0; i < part_count; i++)
            append(r, parts[i].p, parts[i].n);
        return;
    }
    for (int i = 0; i < part_count; i++) {
        if (parts[i].n)
            memcpy(r->p + place, parts[i].p, parts[i].n);
        place += parts[i].n;
    }
    r->n += total;
}

static struct head head_at(const struct sent_ring *r, size_t at)
{
    struct head head;
    size_t place = place_of(r, at);
    if (sizeof head <= r->cap - place)
        memcpy(&head, r->p + place, sizeof head);
    else
        read_bytes(r, at, &head, sizeof head);
    return head;
}

/* --- room --- */

static void resize(struct sent_ring *r, size_t cap)
{
    char *p = malloc(cap);
    if (!p)
        abort();
    if (r->n)
        read_bytes(r, 0, p, r->n);
    free(r->p);
    r->p = p;
    r->cap = cap;
    r->begin = 0;
}

static void drop_all(struct sent_ring *r)
{
    r->begin = r->n = 0;
    r->first = r->next;
}

static void drop_oldest(struct sent_ring *r)
{
    size_t bytes = sizeof(struct head) + head_at(r, 0).bytes;
    r->begin = place_of(r, bytes);
    r->n -= bytes;
    r->first++;
}

static void make_room(struct sent_ring *r, const struct sent_bounds *bounds, size_t more)
{
    while (r->n && head_at(r, 0).sent_ms < bounds->since_ms)
        drop_oldest(r);
    while (r->n && r->n + more > bounds->bytes) /* what is dropped is not followed by anything older */
        drop_oldest(r);
    if (r->cap / 2 > bounds->bytes)
        resize(r, bounds->bytes);
    if (r->n + more <= r->cap)
        return;
    size_t cap = r->cap > CAP_MIN ? r->cap : CAP_MIN;
    while (cap < r->n + more)
        cap *= 2;
    resize(r, cap < bounds->bytes ? cap : bounds->bytes);
}

void sent_ring_init(struct sent_ring *r)
{
    *r = (struct sent_ring){.first = 1, .next = 1};
}

void sent_ring_done(struct sent_ring *r)
{
    free(r->p);
    r->p = NULL;
    r->cap = 0;
    drop_all(r);
}

void sent_ring_shrink(struct sent_ring *r)
{
    if (r->n == 0)
        sent_ring_done(r);
    else if (r->n < r->cap)
        resize(r, r->n);
}

/* --- packets --- */

static struct head head_of(const struct sent_packet *packet, int64_t now_ms)
{
    size_t text = 0, more = 0;
    for (int i = 0; i < packet->part_count; i++)
        text += packet->parts[i].n;
    for (int i = 0; i < packet->attachment_count; i++)
        more += sizeof(uint32_t) + packet->attachments[i].n;
    assert(text + more <= UINT32_MAX);
    return (struct head){.sent_ms = now_ms, .bytes = (uint32_t)(text + more), .text_bytes = (uint32_t)text};
}

void sent_ring_add(struct sent_ring *r, const struct sent_bounds *bounds, int64_t now_ms,
                   const struct sent_packet *packet)
{
    struct head head = head_of(packet, now_ms);
    r->next++;
    r->added += sizeof head + head.bytes;
    if (sizeof head + head.bytes > bounds->bytes) {
        drop_all(r);
        return;
    }
    make_room(r, bounds, sizeof head + head.bytes);
    append(r, &head, sizeof head);
    append_parts(r, packet->parts, packet->part_count, head.text_bytes);
    for (int i = 0; i < packet->attachment_count; i++) {
        uint32_t n = (uint32_t)packet->attachments[i].n;
        append(r, &n, sizeof n);
        append(r, packet->attachments[i].p, n);
    }
}

bool sent_ring_reaches(const struct sent_ring *r, uint64_t after)
{
    return after + 1 >= r->first && after < r->next;
}

static void replay_one(const struct sent_ring *r, size_t at, const struct head *head, sent_fn *send,
                       void *arg)
{
    struct str parts[2];
    size_t end = at + head->bytes;
    uint32_t n;
    send(arg, false, parts, slices(r, at, head->text_bytes, parts));
    for (at += head->text_bytes; at < end; at += n) {
        read_bytes(r, at, &n, sizeof n);
        at += sizeof n;
        send(arg, true, parts, slices(r, at, n, parts));
    }
}

void sent_ring_replay(const struct sent_ring *r, uint64_t after, sent_fn *send, void *arg)
{
    struct head head;
    size_t at = 0;
    for (uint64_t number = r->first; number < r->next; number++) {
        head = head_at(r, at);
        at += sizeof head;
        if (number > after)
            replay_one(r, at, &head, send, arg);
        at += head.bytes;
    }
}

void sent_ring_skip(struct sent_ring *r, uint64_t next)
{
    assert(next >= r->next);
    r->next = next;
    drop_all(r);
}

/* --- records as bytes --- */

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "records are exchanged as they lie in memory");

int sent_ring_newest(const struct sent_ring *r, size_t n, struct str out[2])
{
    assert(n <= r->n);
    return n ? slices(r, r->n - n, n, out) : 0;
}

/* The bytes of the record in front, 0 when it is none. */
static size_t record_bytes(struct str records)
{
    struct head head;
    uint32_t n;
    if (records.n < sizeof head)
        return 0;
    memcpy(&head, records.p, sizeof head);
    if (head.bytes > records.n - sizeof head || head.text_bytes == 0 || head.text_bytes > head.bytes)
        return 0;
    size_t end = sizeof head + head.bytes;
    for (size_t at = sizeof head + head.text_bytes; at < end; at += n) {
        if (end - at < sizeof n)
            return 0;
        memcpy(&n, records.p + at, sizeof n);
        at += sizeof n;
        if (n > end - at)
            return 0;
    }
    return end;
}

static bool count_records(struct str records, uint64_t *count)
{
    size_t n;
    for (*count = 0; records.n; records.p += n, records.n -= n, ++*count)
        if (!(n = record_bytes(records)))
            return false;
    return true;
}

static void leave_out_oldest(struct str *records, size_t limit, uint64_t *first)
{
    while (records->n > limit) {
        size_t n = record_bytes(*records);
        records->p += n;
        records->n -= n;
        ++*first;
    }
}

static void set_sent(struct sent_ring *r, int64_t now_ms)
{
    for (size_t at = 0; at < r->n; at += sizeof(struct head) + head_at(r, at).bytes)
        memcpy(r->p + at + offsetof(struct head, sent_ms), &now_ms, sizeof now_ms);
}

bool sent_ring_restore(struct sent_ring *r, uint64_t first, struct str records, size_t limit, int64_t now_ms)
{
    uint64_t count;
    assert(!r->p && r->n == 0);
    if (!count_records(records, &count) || first == 0 || first > INT64_MAX - count)
        return false;
    r->next = first + count;
    leave_out_oldest(&records, limit, &first);
    r->first = first;
    if (!records.n)
        return true;
    resize(r, records.n);
    append(r, records.p, records.n);
    r->added = records.n;
    set_sent(r, now_ms);
    return true;
}
