/* Invariant: a session in which somebody speaks, or has spoken since it was last carried, is in `uncarried`,
 * so that those in which nobody does cost nothing. */
#include "flows/speaking.h"

#include "conversation/base/clock.h"
#include "flows/live.h"

static struct list uncarried = {&uncarried, &uncarried};
static size_t uncarried_count;

static void mark(struct speaking *s)
{
    if (list_is_linked(&s->uncarried))
        return;
    list_add_tail(&uncarried, &s->uncarried);
    uncarried_count++;
}

static void unmark(struct speaking *s)
{
    if (!list_is_linked(&s->uncarried))
        return;
    list_remove(&s->uncarried);
    uncarried_count--;
}

void speaking_begin(struct speaking *s, const struct session *session)
{
    struct speech_total totals[2];
    for (int who = 0; who < 2; who++)
        totals[who] = (struct speech_total){session->participants[who].spoken_seconds,
                                            session->participants[who].turn_count};
    speech_init(&s->speech, totals);
    s->session_id = session->id;
}

void speaking_end(struct speaking *s)
{
    unmark(s);
}

void speaking_note(struct speaking *s, int who, bool is_speaking)
{
    if (is_speaking == speech_is_speaking(&s->speech, who))
        return;
    speech_note(&s->speech, who, is_speaking, clock_mono_ms());
    mark(s);
}

void speaking_totals(const struct speaking *s, struct speech_total out[2])
{
    for (int who = 0; who < 2; who++)
        out[who] = speech_total(&s->speech, who, clock_mono_ms());
}

size_t speaking_uncarried(void)
{
    return uncarried_count;
}

size_t speaking_take(struct db_speech *items, size_t max)
{
    size_t count = uncarried_count < max ? uncarried_count : max;
    for (size_t i = 0; i < count; i++) {
        struct speaking *s = LIST_FIRST(&uncarried, struct speaking, uncarried);
        unmark(s);
        items[i].session_id = s->session_id;
        speaking_totals(s, items[i].totals);
        if (speech_is_speaking(&s->speech, 0) || speech_is_speaking(&s->speech, 1))
            mark(s); /* at the tail: not reached before `count` */
    }
    return count;
}

void speaking_put_back(const struct db_speech *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct live *l = live_get(&items[i].session_id);
        if (l)
            mark(live_speaking(l));
    }
}
