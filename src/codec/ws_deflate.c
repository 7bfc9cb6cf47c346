/* permessage-deflate: messages. Both streams start anew with each message. What large messages made the
 * buffers grow to is given back when the next one begins, or at once when a message is refused. */
#include "conversation/codec/ws_deflate.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

#define WINDOW_BITS_MAX 15
#define RAW_WINDOW      (-WINDOW_BITS_MAX) /* zlib: DEFLATE without its own header and checksum */
#define MEMORY_LEVEL    8                  /* zlib's default */
#define BUFFER_KEPT     (64 * 1024)        /* an SDP is 2 to 4 KB */
#define TAIL_BYTES      4
#define AT_BLOCK_START  128 /* of z_stream.data_type after inflate(): between two blocks */

static const char tail[TAIL_BYTES] = {0, 0, (char)0xff, (char)0xff}; /* left out on the wire: section 7.2.1 */

struct ws_deflate {
    z_stream deflater, inflater;
    struct buf compressed, expanded;
};

struct ws_deflate *ws_deflate_new(void)
{
    struct ws_deflate *d = calloc(1, sizeof *d);
    /* The higher levels cost twice the time for SDPs that are 6 % smaller. */
    if (!d ||
        deflateInit2(&d->deflater, Z_BEST_SPEED, Z_DEFLATED, RAW_WINDOW, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) !=
            Z_OK ||
        inflateInit2(&d->inflater, RAW_WINDOW) != Z_OK)
        abort();
    return d;
}

void ws_deflate_free(struct ws_deflate *d)
{
    if (!d)
        return;
    deflateEnd(&d->deflater);
    inflateEnd(&d->inflater);
    buf_done(&d->compressed);
    buf_done(&d->expanded);
    free(d);
}

static void start_over(struct buf *b)
{
    if (b->cap > BUFFER_KEPT)
        buf_done(b);
    b->n = 0;
}

/* --- to the client --- */

bool ws_deflate_compress(struct ws_deflate *d, const struct ws_deflate_terms *terms, const struct str *parts,
                         int part_count, struct str *out)
{
    z_stream *z = &d->deflater;
    size_t total = 0;
    for (int i = 0; i < part_count; i++)
        total += parts[i].n;
    /* The deflater has the largest window; a message that fits into a smaller one cannot refer further back.
     */
    if (terms->window_bits < WINDOW_BITS_MAX && total > (size_t)1 << terms->window_bits)
        return false;
    if (total > UINT_MAX - TAIL_BYTES) /* zlib's counters */
        return false;

    /* The room is what makes "smaller": when it is used up, this was not worth it. */
    size_t room = total + TAIL_BYTES;
    start_over(&d->compressed);
    buf_reserve(&d->compressed, room);
    deflateReset(z);
    z->next_out = (Bytef *)d->compressed.p;
    z->avail_out = (uInt)room;
    for (int i = 0; i <= part_count && z->avail_out; i++) {
        bool is_end = i == part_count;
        z->next_in = is_end ? NULL : (z_const Bytef *)parts[i].p;
        z->avail_in = is_end ? 0 : (uInt)parts[i].n;
        deflate(z, is_end ? Z_SYNC_FLUSH : Z_NO_FLUSH);
    }
    if (z->avail_out == 0)
        return false;
    d->compressed.n = room - z->avail_out - TAIL_BYTES;
    assert(memcmp(d->compressed.p + d->compressed.n, tail, TAIL_BYTES) == 0);
    *out = buf_str(&d->compressed);
    return true;
}

/* --- from the client --- */

/* Makes room for output, up to one byte more than allowed: that one tells that there is more. */
static size_t make_room(struct buf *b, size_t max)
{
    buf_reserve(b, b->cap ? 1 : BUFFER_KEPT);
    size_t room = b->cap - b->n, left = max + 1 - b->n;
    return room < left ? room : left;
}

/* A block with BFINAL ends what zlib takes for the stream, not the message (section 7.2.1): what follows may
 * go on, and refer to what came before. */
static bool is_good(z_stream *z, int result)
{
    if (result == Z_STREAM_END)
        return inflateResetKeep(z) == Z_OK;
    if (result == Z_MEM_ERROR)
        abort();
    return result == Z_OK || result == Z_BUF_ERROR;
}

/* Expands `in` onto d->expanded until all of it is used. */
static bool feed(struct ws_deflate *d, struct str in, size_t max, enum ws_close_code *close_code)
{
    z_stream *z = &d->inflater;
    z->next_in = (z_const Bytef *)in.p;
    z->avail_in = (uInt)in.n;
    do {
        size_t room = make_room(&d->expanded, max);
        z->next_out = (Bytef *)d->expanded.p + d->expanded.n;
        z->avail_out = (uInt)room;
        int result = inflate(z, Z_SYNC_FLUSH);
        d->expanded.n += room - z->avail_out;
        if (d->expanded.n > max) {
            *close_code = WS_CLOSE_TOO_BIG;
            return false;
        }
        if (!is_good(z, result)) {
            *close_code = WS_CLOSE_INVALID_DATA;
            return false;
        }
    } while (z->avail_in);
    return true;
}

/* A message ends between two blocks, the last of which is the empty one whose tail was left out. */
static bool is_whole(const struct ws_deflate *d)
{
    return d->inflater.data_type & AT_BLOCK_START;
}

bool ws_deflate_expand(struct ws_deflate *d, struct ws_message *m, size_t max_message_bytes,
                       enum ws_close_code *close_code)
{
    assert(max_message_bytes < UINT_MAX); /* zlib's counters */
    enum ws_close_code code = WS_CLOSE_INVALID_DATA;
    start_over(&d->expanded);
    inflateReset(&d->inflater);
    if (feed(d, m->payload, max_message_bytes, &code) &&
        feed(d, (struct str){tail, TAIL_BYTES}, max_message_bytes, &code) && is_whole(d) &&
        (m->opcode != WS_TEXT || str_is_utf8(buf_str(&d->expanded)))) {
        m->payload = buf_str(&d->expanded);
        m->is_compressed = false;
        return true;
    }
    start_over(&d->expanded);
    *close_code = code;
    return false;
}
