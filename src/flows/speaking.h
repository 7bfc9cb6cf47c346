/* Who speaks in the sessions that are here, and the sums that are carried to the database now and then. */
#ifndef FLOWS_SPEAKING_H
#define FLOWS_SPEAKING_H

#include "conversation/base/list.h"
#include "conversation/domain/session.h"
#include "conversation/ports/db_speech.h"

/* Embedded in the live session. */
struct speaking {
    struct speech speech;
    struct uuid session_id;
    struct list uncarried; /* linked: somebody has spoken since it was last carried */
};

void speaking_begin(struct speaking *s, const struct session *session); /* counts on from what is stored */
void speaking_end(struct speaking *s);
void speaking_note(struct speaking *s, int who, bool is_speaking);
/* What both have spoken up to now. */
void speaking_totals(const struct speaking *s, struct speech_total out[2]);

size_t speaking_uncarried(void); /* how many sessions there are to take */
/* Of at most `max` sessions in which somebody has spoken since they were last taken; who speaks on is taken
 * again. */
size_t speaking_take(struct db_speech *items, size_t max);
/* They could not be carried: taken again next time, those that are still here. */
void speaking_put_back(const struct db_speech *items, size_t count);

#endif
