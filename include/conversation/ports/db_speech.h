/* Port: what participants of running sessions have spoken so far, kept so that a restart does not forget it
 * (docs/sessions.md, "Speaking time"). As in ports/db.h every call is one operation of a flow. */
#ifndef CONVERSATION_PORTS_DB_SPEECH_H
#define CONVERSATION_PORTS_DB_SPEECH_H

#include <stddef.h>

#include "conversation/base/uuid.h"
#include "conversation/domain/speech.h"
#include "conversation/rt/flow.h"

struct db_speech {
    struct uuid session_id;
    struct speech_total totals[2]; /* by the participants' position */
};
/* Of each number the larger one stays, of what is given and of what is stored. Sessions that are over, or
 * being changed at this moment, are left as they are. */
void db_speech_carry(struct flow *f, const struct db_speech *items, size_t count);

#endif
