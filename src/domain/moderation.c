/* The names of what is reported and decided. */
#include "conversation/domain/moderation.h"

#include <stddef.h>

const char *const report_reason_names[] = {"inappropriate", "harassment", "spam",
                                           "minor_safety",  "other",      NULL};
const char *const flag_decision_names[] = {"dismissed", "confirmed", NULL};
