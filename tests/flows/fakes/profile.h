/* Fake of ports/profile.h: one profile for everybody, which the test sets. */
#ifndef TESTS_FLOWS_FAKES_PROFILE_H
#define TESTS_FLOWS_FAKES_PROFILE_H

#include "conversation/ports/profile.h"

extern struct profile fake_profile;
extern char fake_profile_language[LANG_MAX]; /* that was asked for last */
/* The next call fails as when the token lacks a claim: with details, which the flow must pass on. */
void fake_profile_lacks(const char *claim);
void fake_profile_reset(void);

#endif
