/* For tests of a session whose participants are at two instances: Ana is here; Ben is at the other instance,
 * unless a test says so. */
#ifndef TESTS_FLOWS_FAKES_ELSEWHERE_H
#define TESTS_FLOWS_FAKES_ELSEWHERE_H

#include "flows/fakes/world.h"

#define CHANNEL "ws_events:" SESSION
#define OTHER   "07070707-0000-4000-8000-000000000007"
#define THIRD   "08080808-0000-4000-8000-000000000008"
#define JOINED_BEN \
    "{'partnerId':'" BEN "','partnerName':'Ben','nativeLanguageCode':'en','targetLanguageCode':'es'}"
#define LEFT_BEN(reason) "{'partnerId':'" BEN "','reason':'" reason "'}"

/* A `state` message. */
struct said {
    const char *by; /* NULL: OTHER */
    int asks, anew, ana, ben, shown;
    int64_t shown_at_ms;
};

void other_says(struct said s);
/* The next `state` of this instance. */
void assert_says(int asks, int anew, int ana, int ben);
void assert_says_nothing(void);

/* The other instance answers when it is called: once, or during that time. */
void neighbour_answers(void);
void pass_answered_s(int seconds);

/* Both have joined, Ben at the other instance; everything that follows from it is forgotten. */
void given_shared(void);
void forget_all(void);

enum err ana_emits(const char *text);

#endif
