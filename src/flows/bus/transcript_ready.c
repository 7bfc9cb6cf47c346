/* transcript.ready {sessionId, transcriptId}: GET /sessions/:id/transcript says so from now on. */
#include "flows/bus/bus.h"

#include <stddef.h>

#include "conversation/ports/db_projection.h"

struct transcript_ready {
    struct uuid session_id, transcript_id;
};

static const struct field transcript_ready_fields[] = {
    {"sessionId", FIELD_UUID, .is_required = true, .offset = offsetof(struct transcript_ready, session_id)},
    {"transcriptId", FIELD_UUID, .is_required = true,
     .offset = offsetof(struct transcript_ready, transcript_id)},
    FIELDS_END,
};

static void run(struct flow *f)
{
    struct transcript_ready *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT(f, db_transcript_store(f, &c->session_id, &c->transcript_id));
    FLOW_END(f);
fail:;
}

const struct handler bus_transcript_ready = {
    .flow = {.name = "transcript.ready",
             .run = run,
             .ctx_size = sizeof(struct transcript_ready),
             .deadline_ms = 10000},
    .input = transcript_ready_fields,
};
