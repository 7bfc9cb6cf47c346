/* Speech: written-out cases, and random conversations against an oracle that paints every millisecond. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conversation/domain/speech.h"

enum { ANA, BEN };

static const struct speech_total nothing[2];

struct note {
    int who;
    bool is_speaking;
    int64_t at_ms;
};

static struct speech heard(const struct note *notes, size_t count)
{
    struct speech s;
    speech_init(&s, nothing);
    for (size_t i = 0; i < count; i++)
        speech_note(&s, notes[i].who, notes[i].is_speaking, notes[i].at_ms);
    return s;
}

#define HEARD(...)                            \
    heard((const struct note[]){__VA_ARGS__}, \
          sizeof((const struct note[]){__VA_ARGS__}) / sizeof(struct note))

static void assert_total(struct speech s, int who, int64_t at_ms, int seconds, int turns)
{
    struct speech_total total = speech_total(&s, who, at_ms);
    assert_int_equal(total.spoken_seconds, seconds);
    assert_int_equal(total.turn_count, turns);
}

/* --- written out --- */

static void nobody_has_spoken_at_first(void **state)
{
    (void)state;
    struct speech s;
    speech_init(&s, nothing);
    assert_total(s, ANA, 100000, 0, 0);
    assert_total(s, BEN, 100000, 0, 0);
}

static void speech_is_counted_while_it_goes_on(void **state)
{
    (void)state;
    struct speech s = HEARD({ANA, true, 1000});
    assert_true(speech_is_speaking(&s, ANA));
    assert_false(speech_is_speaking(&s, BEN));
    assert_total(s, ANA, 1000, 0, 0);
    assert_total(s, ANA, 1001, 0, 1);
    assert_total(s, ANA, 1999, 0, 1);
    assert_total(s, ANA, 2000, 1, 1);
    assert_total(s, BEN, 2000, 0, 0);
}

static void a_pause_of_one_and_a_half_seconds_ends_a_turn(void **state)
{
    (void)state;
    assert_total(HEARD({ANA, true, 0}, {ANA, false, 1000}, {ANA, true, 2499}, {ANA, false, 3499}), ANA, 9000,
                 2, 1);
    assert_total(HEARD({ANA, true, 0}, {ANA, false, 1000}, {ANA, true, 2500}, {ANA, false, 3500}), ANA, 9000,
                 2, 2);
}

static void the_others_voice_in_a_pause_ends_a_turn(void **state)
{
    (void)state;
    struct speech s = HEARD({ANA, true, 0}, {ANA, false, 1000}, {BEN, true, 1100}, {BEN, false, 1200},
                            {ANA, true, 1300}, {ANA, false, 2300});
    assert_total(s, ANA, 9000, 2, 2);
    assert_total(s, BEN, 9000, 0, 1);
}

static void a_voice_across_speech_ends_nothing(void **state)
{
    (void)state;
    struct speech s = HEARD({ANA, true, 0}, {BEN, true, 2000}, {BEN, false, 2500}, {ANA, false, 5000});
    assert_total(s, ANA, 9000, 5, 1);
    assert_total(s, BEN, 9000, 0, 1);
}

static void a_voice_that_goes_on_through_a_pause_ends_the_turn(void **state)
{
    (void)state;
    struct speech s = HEARD({ANA, true, 0}, {BEN, true, 1000}, {ANA, false, 2000}, {ANA, true, 2100},
                            {BEN, false, 4000}, {ANA, false, 5000});
    assert_total(s, ANA, 9000, 4, 2);
    assert_total(s, BEN, 9000, 3, 1);
}

static void a_voice_that_ends_as_the_pause_begins_is_not_in_it(void **state)
{
    (void)state;
    struct speech s = HEARD({BEN, true, 0}, {ANA, true, 500}, {ANA, false, 1000}, {BEN, false, 1000},
                            {ANA, true, 1100}, {BEN, true, 1100}, {ANA, false, 2100});
    assert_total(s, ANA, 9000, 1, 1);
}

static void both_begin_and_stop_at_once(void **state)
{
    (void)state;
    struct speech s = HEARD({ANA, true, 0}, {BEN, true, 0}, {ANA, false, 3000}, {BEN, false, 3000});
    assert_total(s, ANA, 9000, 3, 1);
    assert_total(s, BEN, 9000, 3, 1);
}

static void to_repeat_it_changes_nothing(void **state)
{
    (void)state;
    assert_total(HEARD({ANA, true, 0}, {ANA, true, 4000}, {ANA, false, 5000}, {ANA, false, 7000}), ANA, 9000,
                 5, 1);
    assert_total(HEARD({ANA, false, 0}, {ANA, false, 4000}), ANA, 9000, 0, 0);
}

static void what_takes_no_time_is_no_speech(void **state)
{
    (void)state;
    assert_total(HEARD({ANA, true, 1000}, {ANA, false, 1000}), ANA, 9000, 0, 0);
    struct speech s = HEARD({ANA, true, 0}, {ANA, false, 1000}, {BEN, true, 1100}, {BEN, false, 1100},
                            {ANA, true, 1200}, {ANA, false, 2000});
    assert_total(s, ANA, 9000, 1, 1);
}

static void a_pause_of_no_time_is_none(void **state)
{
    (void)state;
    struct speech s =
        HEARD({BEN, true, 0}, {ANA, true, 0}, {ANA, false, 1000}, {ANA, true, 1000}, {ANA, false, 2000});
    assert_total(s, ANA, 9000, 2, 1);
}

static void a_clock_that_goes_back_stands_still(void **state)
{
    (void)state;
    struct speech s = HEARD({ANA, true, 5000}, {ANA, false, 2000});
    assert_total(s, ANA, 9000, 0, 0);
    s = HEARD({ANA, true, 1000}, {BEN, true, 4000}, {ANA, false, 3000});
    assert_total(s, ANA, 0, 3, 1);
    s = HEARD({ANA, true, 5000});
    assert_total(s, ANA, 3000, 0, 0);
}

static void what_was_carried_over_counts_on(void **state)
{
    (void)state;
    static const struct speech_total before[2] = {{30, 4}, {20, 3}};
    struct speech s;
    speech_init(&s, before);
    assert_total(s, ANA, 1000, 30, 4);
    speech_note(&s, ANA, true, 1000);
    speech_note(&s, ANA, false, 2000);
    assert_total(s, ANA, 3000, 31, 5);
    assert_total(s, BEN, 3000, 20, 3);
}

/* --- against the painted timeline --- */

enum { CONVERSATIONS = 3000, NOTES_MAX = 60, TIMELINE_MS = 40000 };

static struct {
    bool speaks[2][TIMELINE_MS];
} painted;

static uint32_t random_state;

static int random_below(int n)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (int)((random_state >> 8) % (uint32_t)n);
}

static void paint(const struct note *notes, int count, int64_t end_ms)
{
    memset(&painted, 0, sizeof painted);
    for (int who = 0; who < 2; who++) {
        bool is_speaking = false;
        int64_t now = 0;
        for (int i = 0; i <= count; i++) {
            int64_t until = i < count ? notes[i].at_ms : end_ms;
            for (; now < until; now++)
                painted.speaks[who][now] = is_speaking;
            if (i < count && notes[i].who == who)
                is_speaking = notes[i].is_speaking;
        }
    }
}

/* The last ms before `at` in which `who` speaks; -1: none. */
static int64_t last_voice(int who, int64_t at)
{
    while (--at >= 0 && !painted.speaks[who][at])
        continue;
    return at;
}

static bool is_new_turn(int who, int64_t at)
{
    int64_t last = last_voice(who, at);
    if (last < 0 || at - last - 1 >= SPEECH_PAUSE_MS)
        return true;
    for (int64_t ms = last + 1; ms < at; ms++)
        if (painted.speaks[1 - who][ms])
            return true;
    return false;
}

static struct speech_total painted_total(int who, int64_t end_ms)
{
    int64_t spoken_ms = 0;
    struct speech_total total = {0};
    for (int64_t ms = 0; ms < end_ms; ms++) {
        if (!painted.speaks[who][ms])
            continue;
        spoken_ms++;
        if (ms == 0 || !painted.speaks[who][ms - 1])
            total.turn_count += is_new_turn(who, ms);
    }
    total.spoken_seconds = (int)(spoken_ms / 1000);
    return total;
}

/* Gaps around the interesting lengths: none, one, the pause and its neighbours, anything. */
static int random_gap(void)
{
    static const int edges[] = {0, 0, 1, SPEECH_PAUSE_MS - 1, SPEECH_PAUSE_MS, SPEECH_PAUSE_MS + 1};
    int kind = random_below(9);
    return kind < 6 ? edges[kind] : random_below(kind == 6 ? 20 : 800);
}

static int random_notes(struct note *notes)
{
    int count = 1 + random_below(NOTES_MAX);
    int64_t now = random_below(3);
    for (int i = 0; i < count; i++) {
        notes[i] = (struct note){random_below(2), random_below(2) == 1, now};
        now += random_gap();
        if (now >= TIMELINE_MS - 2000)
            return i + 1;
    }
    return count;
}

static void random_conversations_are_as_painted(void **state)
{
    (void)state;
    int turns = 0;
    for (uint32_t seed = 1; seed <= CONVERSATIONS; seed++) {
        struct note notes[NOTES_MAX];
        random_state = seed;
        int count = random_notes(notes);
        int64_t end_ms = notes[count - 1].at_ms + random_below(2000);
        paint(notes, count, end_ms);
        struct speech s = heard(notes, (size_t)count);
        for (int who = 0; who < 2; who++) {
            struct speech_total is = speech_total(&s, who, end_ms), wanted = painted_total(who, end_ms);
            if (is.spoken_seconds != wanted.spoken_seconds || is.turn_count != wanted.turn_count)
                fail_msg("seed %u, participant %d: %d s in %d turns, painted %d s in %d", seed, who,
                         is.spoken_seconds, is.turn_count, wanted.spoken_seconds, wanted.turn_count);
            turns += wanted.turn_count;
        }
    }
    assert_in_range(turns, 5 * CONVERSATIONS, 60 * CONVERSATIONS); /* there was something to count */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_has_spoken_at_first),
        cmocka_unit_test(speech_is_counted_while_it_goes_on),
        cmocka_unit_test(a_pause_of_one_and_a_half_seconds_ends_a_turn),
        cmocka_unit_test(the_others_voice_in_a_pause_ends_a_turn),
        cmocka_unit_test(a_voice_across_speech_ends_nothing),
        cmocka_unit_test(a_voice_that_goes_on_through_a_pause_ends_the_turn),
        cmocka_unit_test(a_voice_that_ends_as_the_pause_begins_is_not_in_it),
        cmocka_unit_test(both_begin_and_stop_at_once),
        cmocka_unit_test(to_repeat_it_changes_nothing),
        cmocka_unit_test(what_takes_no_time_is_no_speech),
        cmocka_unit_test(a_pause_of_no_time_is_none),
        cmocka_unit_test(a_clock_that_goes_back_stands_still),
        cmocka_unit_test(what_was_carried_over_counts_on),
        cmocka_unit_test(random_conversations_are_as_painted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
