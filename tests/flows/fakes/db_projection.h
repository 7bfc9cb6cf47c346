/* Fake of ports/db_projection.h. */
#ifndef TESTS_FLOWS_FAKES_DB_PROJECTION_H
#define TESTS_FLOWS_FAKES_DB_PROJECTION_H

#include "conversation/ports/db_projection.h"

struct fake_projection {
    char codes[4][64]; /* of skills that were stored */
    int64_t acquired_at_ms;
    int score_changes; /* by the next computation: all scores become 1 */
    int64_t popular_since_ms;
};
extern struct fake_projection fake_projection;

void fake_projection_reset(void);

#endif
