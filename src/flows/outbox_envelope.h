/* An event as it is published: the envelope of docs/events.md around its payload. */
#ifndef FLOWS_OUTBOX_ENVELOPE_H
#define FLOWS_OUTBOX_ENVELOPE_H

#include "conversation/ports/db_outbox.h"

/* Appends one JSON object. */
void outbox_envelope(struct buf *out, const struct outbox_event *e);

#endif
