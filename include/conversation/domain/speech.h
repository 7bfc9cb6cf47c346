/* Who has spoken how long and how often, of the two of a conversation, from what they say of themselves
 * ("I speak", "I am silent"). Pure.
 *
 * Time is divided into milliseconds; a participant speaks in those from the one in which it began to the one
 * before it stopped. Speech that begins and stops in the same one is none. Two stretches of a participant's
 * speech are one turn when less than SPEECH_PAUSE_MS lie between them and the other spoke in none of these;
 * else a new turn begins with the second. Hence speech across the other's is one turn of each, however long:
 * what ends a turn is one's own silence, of 1.5 s, or of any length with the other's voice in it.
 *
 * To say twice that one speaks, or is silent, changes nothing. A time before one that was given earlier
 * counts as that. */
#ifndef CONVERSATION_DOMAIN_SPEECH_H
#define CONVERSATION_DOMAIN_SPEECH_H

#include <stdbool.h>
#include <stdint.h>

#define SPEECH_PAUSE_MS 1500

struct speech_total {
    int spoken_seconds; /* whole ones */
    int turn_count;
};

struct speech {
    struct speech_side {
        bool is_speaking, begins_turn; /* the latter: what is being said belongs to no turn before */
        int64_t since_ms;              /* is_speaking: when it began */
        int64_t stopped_at_ms;         /* the last stretch; long before 0: none */
        int64_t spoken_ms;             /* in the stretches before */
        int turn_count;
    } sides[2];
    int64_t at_ms; /* the latest time given */
};

/* Both are silent, and have spoken before as `totals` say. */
void speech_init(struct speech *s, const struct speech_total totals[2]);
/* Participant `who` speaks or is silent from now on. One whose connection is lost is silent. Times are of any
 * one clock in ms, not negative. */
void speech_note(struct speech *s, int who, bool is_speaking, int64_t at_ms);
bool speech_is_speaking(const struct speech *s, int who);
/* Up to `at_ms`; who speaks then is counted as far as that. */
struct speech_total speech_total(const struct speech *s, int who, int64_t at_ms);

#endif
