/* What operators see of matching (docs/operations.md, "Metrics"). */
#ifndef FLOWS_MATCH_METRICS_H
#define FLOWS_MATCH_METRICS_H

#include "conversation/domain/pairing.h"

void match_metrics_start(void); /* the queue is measured whenever the metrics are read */
void match_metrics_paired(const struct pairing_pair *pair);
/* Why nobody was found: "alone" when nobody else waits for the language, or "no_fit". */
const char *match_metrics_expired(const char *language);

#endif
