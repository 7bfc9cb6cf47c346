/* Fake of ports/db_speech.h. */
#include "conversation/ports/db_speech.h"

#include "flows/fakes/db.h"
#include "flows/fakes/port.h"

void db_speech_carry(struct flow *f, const struct db_speech *items, size_t count)
{
    struct port_call *call = port_begin(f, DB_SPEECH_CARRY);
    for (size_t i = 0; port_takes_effect(call) && i < count; i++) {
        struct session *s = fake_session(&items[i].session_id);
        if (s && !session_is_over(s))
            fake_speech_stays(s, items[i].totals);
    }
    port_answer(call, OK, NULL, NULL, 0);
}
