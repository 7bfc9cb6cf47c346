/* Socket.IO packets (protocol revision 5): <type>[<attachments>-][<namespace>,][<id>][<JSON>]. */
#ifndef SIO_PACKET_H
#define SIO_PACKET_H

#include "conversation/base/json_scan.h"
#include "conversation/sio/sio.h"

enum sio_packet_type {
    SIO_CONNECT,
    SIO_DISCONNECT,
    SIO_EVENT,
    SIO_ACK,
    SIO_CONNECT_ERROR,
    SIO_BINARY_EVENT,
    SIO_BINARY_ACK
};

/* Slices of the parsed text, or of `unescaped`: not to be copied. */
struct sio_packet {
    enum sio_packet_type type;
    int attachment_count;  /* that follow as binary messages; 0 unless the type is binary */
    struct str namespace_; /* "/" when the packet names none; without its query */
    struct str query;      /* {NULL, 0}: none */
    bool has_id;
    uint64_t id;
    struct str payload;      /* the JSON value; {NULL, 0}: none */
    struct str name;         /* of events */
    struct str args;         /* of events and acks; {NULL, 0}: none */
    struct str first;        /* of args; {NULL, 0}: none */
    struct json_index index; /* of first */
    char unescaped[SIO_EVENT_NAME_MAX];
};

/* False: not a packet that a client may send. Nothing is taken that socket.io-parser refuses. It takes more:
 * no text at all, events and acks without payload, white space or a decimal point in numbers, ids above 2^53
 * - 1, namespaces longer than SIO_NAMESPACE_MAX, JSON nested deeper than JSON_DEPTH_MAX; no client sends
 * these. */
bool sio_packet_parse(struct str text, struct sio_packet *out);

#endif
