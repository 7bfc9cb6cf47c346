/* Payloads of HTTP long-polling: packets with 0x1E between them, binary ones as "b" and base64
 * (https://socket.io/docs/v4/engine-io-protocol/, "Packet encoding", "HTTP long-polling"). Pure. */
#ifndef SIO_EIO_PAYLOAD_H
#define SIO_EIO_PAYLOAD_H

#include "conversation/sio/eio.h"

enum eio_payload_result { EIO_PAYLOAD_END, EIO_PAYLOAD_PACKET, EIO_PAYLOAD_BAD };

/* Takes the next packet off `rest`, which begins as the whole payload. PACKET: *message is text (UTF-8, not
 * empty: digit and data) in `rest`, or decoded bytes in `scratch`, whose room is used again by the next call.
 * BAD: an empty packet, text that is not UTF-8 (RFC 3629), or base64 that is not canonical (RFC 4648 section
 * 4). An empty payload is one empty packet. */
enum eio_payload_result eio_payload_next(struct str *rest, struct buf *scratch, bool *is_binary,
                                         struct str *message);

/* Appends a packet, and the separator if it is not the first. */
void eio_payload_add(struct buf *payload, enum eio_packet_type type, bool is_binary, const struct str *parts,
                     int part_count);

#endif
