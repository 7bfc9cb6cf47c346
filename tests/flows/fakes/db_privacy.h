/* Fake of ports/db_privacy.h: exports made of a few rows, and erasures that go in steps. */
#ifndef TESTS_FLOWS_FAKES_DB_PRIVACY_H
#define TESTS_FLOWS_FAKES_DB_PRIVACY_H

#include "conversation/ports/db_privacy.h"

struct fake_privacy {
    size_t rows[EXPORT_PART_COUNT]; /* {"n":1}, {"n":2}, … */
    struct uuid promised;           /* nil: nothing */
    bool is_claimed;
    int64_t claimed_until_ms;
    int steps, events; /* how many batches there are */
    int steps_done, events_done;
    bool is_promised_again; /* while it is being kept */
};
extern struct fake_privacy fake_privacy;

void fake_privacy_reset(void);

#endif
