#include "flows/outbox_envelope.h"

#include "conversation/base/jsonw.h"

#define VERSION "1.0"
#define SOURCE  "conversation-service" /* whatever SERVICE_NAME says: consumers know it by this name */

void outbox_envelope(struct buf *out, const struct outbox_event *e)
{
    struct jsonw w = jsonw_on(out);
    jsonw_object(&w);
    jsonw_m_z(&w, "eventId", e->event_id);
    jsonw_m_z(&w, "eventType", e->type);
    jsonw_m_z(&w, "version", VERSION);
    jsonw_m_time(&w, "timestamp", e->created_at_ms);
    jsonw_key(&w, "payload");
    jsonw_raw(&w, e->payload);
    jsonw_key(&w, "metadata");
    jsonw_object(&w);
    jsonw_m_z(&w, "correlationId", e->correlation_id);
    jsonw_m_z(&w, "source", SOURCE);
    jsonw_end_object(&w);
    jsonw_end_object(&w);
    jsonw_finish(&w);
}
