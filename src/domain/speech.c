/* Each side keeps its last stretch: whether the next one is a new turn is decided when it begins. */
#include "conversation/domain/speech.h"

#define SPEECH_NEVER (-SPEECH_PAUSE_MS)

void speech_init(struct speech *s, const struct speech_total totals[2])
{
    *s = (struct speech){.at_ms = 0};
    for (int who = 0; who < 2; who++)
        s->sides[who] = (struct speech_side){.stopped_at_ms = SPEECH_NEVER,
                                             .spoken_ms = totals[who].spoken_seconds * INT64_C(1000),
                                             .turn_count = totals[who].turn_count};
}

bool speech_is_speaking(const struct speech *s, int who)
{
    return s->sides[who].is_speaking;
}

/* Whether `other` spoke in any ms from `from_ms` on, up to now. */
static bool has_spoken_since(const struct speech_side *other, int64_t from_ms, int64_t now_ms)
{
    return other->stopped_at_ms > from_ms || (other->is_speaking && other->since_ms < now_ms);
}

static void begin(struct speech_side *me, const struct speech_side *other, int64_t now_ms)
{
    int64_t silence_ms = now_ms - me->stopped_at_ms;
    me->is_speaking = true;
    me->since_ms = now_ms;
    me->begins_turn = silence_ms >= SPEECH_PAUSE_MS ||
                      (silence_ms > 0 && has_spoken_since(other, me->stopped_at_ms, now_ms));
}

static void stop(struct speech_side *me, int64_t now_ms)
{
    me->is_speaking = false;
    if (me->since_ms == now_ms)
        return;
    me->spoken_ms += now_ms - me->since_ms;
    me->turn_count += me->begins_turn;
    me->stopped_at_ms = now_ms;
}

void speech_note(struct speech *s, int who, bool is_speaking, int64_t at_ms)
{
    struct speech_side *me = &s->sides[who];
    if (at_ms > s->at_ms)
        s->at_ms = at_ms;
    if (is_speaking && !me->is_speaking)
        begin(me, &s->sides[1 - who], s->at_ms);
    else if (!is_speaking && me->is_speaking)
        stop(me, s->at_ms);
}

struct speech_total speech_total(const struct speech *s, int who, int64_t at_ms)
{
    struct speech_side side = s->sides[who];
    if (side.is_speaking)
        stop(&side, at_ms > s->at_ms ? at_ms : s->at_ms);
    return (struct speech_total){.spoken_seconds = (int)(side.spoken_ms / 1000),
                                 .turn_count = side.turn_count};
}
