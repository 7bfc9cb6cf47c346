/* sio/recovery_bytes.h and the records after it (sio/sent_ring.h): what is taken is held within its bound,
 * can be replayed, and is the same when it is written and read again. */
#include "fuzz.h"

#include "../../src/sio/recovery_bytes.h"

#define LIMIT  4096
#define NOW_MS 1000

static size_t replayed;

static void count(void *arg, bool is_binary, const struct str *parts, int part_count)
{
    (void)arg;
    (void)is_binary;
    assert(part_count >= 1 && part_count <= 2);
    for (int i = 0; i < part_count; i++)
        for (size_t at = 0; at < parts[i].n; at++)
            replayed += (unsigned char)parts[i].p[at] != 0; /* every byte is there to be read */
}

static bool read_state(struct str bytes, struct recovery_head *head, struct sent_ring *ring)
{
    sent_ring_init(ring);
    return recovery_bytes_read(&bytes, head) && sent_ring_restore(ring, head->first, bytes, LIMIT, NOW_MS);
}

static struct recovery_state *state_of(const struct recovery_head *head)
{
    struct recovery_state *state = calloc(1, sizeof *state + head->prefix.n);
    state->note_bytes = (uint8_t)head->note.n;
    state->prefix_bytes = (uint8_t)head->prefix.n;
    state->owner = head->owner;
    memcpy(state->sid, head->sid.p, head->sid.n);
    memcpy(state->note, head->note.p, head->note.n);
    memcpy(state->prefix, head->prefix.p, head->prefix.n);
    return state;
}

static void write_state(const struct recovery_head *head, const struct sent_ring *ring, struct buf *out)
{
    char bytes[RECOVERY_HEAD_MAX];
    struct str records[2];
    struct recovery_state *state = state_of(head);
    buf_add(out, bytes, recovery_bytes_head(state, ring->first, bytes));
    int slices = sent_ring_newest(ring, ring->n, records);
    for (int i = 0; i < slices; i++)
        buf_add_str(out, records[i]);
    free(state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct recovery_head head, head_again;
    struct sent_ring ring, ring_again;
    struct buf written = {0}, written_again = {0};
    if (!read_state(fuzz_input(data, n), &head, &ring)) {
        assert(!ring.p);
        return 0;
    }
    assert(ring.n <= LIMIT && ring.first >= 1 && ring.first <= ring.next && ring.next <= INT64_MAX);
    assert(sent_ring_reaches(&ring, ring.next - 1));
    replayed = 0;
    sent_ring_replay(&ring, ring.first - 1, count, NULL);
    write_state(&head, &ring, &written);
    bool is_read = read_state(buf_str(&written), &head_again, &ring_again);
    assert(is_read && ring_again.next == ring.next && ring_again.first == ring.first);
    write_state(&head_again, &ring_again, &written_again);
    assert(str_eq(buf_str(&written), buf_str(&written_again)));
    sent_ring_done(&ring);
    sent_ring_done(&ring_again);
    buf_done(&written);
    buf_done(&written_again);
    return 0;
}
