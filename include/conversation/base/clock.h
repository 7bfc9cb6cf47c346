/* Time. `clock_now_ms` is wall time in ms since 1970 UTC; `clock_mono_ms` never steps back.
 * Both are read from the kernel once per loop turn, at the first call after clock_update, and are constant
 * between. Tests set them. Loop thread only. */
#ifndef CONVERSATION_BASE_CLOCK_H
#define CONVERSATION_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "conversation/base/str.h"

#define CLOCK_ISO_LENGTH 24 /* 2025-01-15T10:30:00.000Z */

int64_t clock_now_ms(void);
int64_t clock_mono_ms(void);
void clock_update(void); /* no effect while a test clock is set */
void clock_set_for_test(int64_t now_ms, int64_t mono_ms);

void clock_format_iso(int64_t at_ms, char out[CLOCK_ISO_LENGTH + 1]);
/* ISO 8601 date-time with seconds, optional fraction and Z or ±hh:mm (RFC 3339 section 5.6). */
bool clock_parse_iso(struct str text, int64_t *at_ms);

/* Monday 00:00 UTC of the week that `at_ms` lies in. */
int64_t clock_week_start_ms(int64_t at_ms);

#endif
