/* The distribution of a wait in whole seconds, from weighted waits of which some were cut off. Private to
 * domain/. */
#ifndef CONVERSATION_DOMAIN_WAIT_CURVE_H
#define CONVERSATION_DOMAIN_WAIT_CURVE_H

#include <stdbool.h>

#include "conversation/domain/wait_estimate.h"

struct wait_curve {
    double
        ended[WAIT_SECONDS_MAX + 1];  /* weight of what ended in this second; once closed: the share of all */
    double cut[WAIT_SECONDS_MAX + 1]; /* weight of what was last seen waiting in this second */
    double weight;                    /* of all */
    int begin, end;                   /* once closed */
};

struct wait_span {
    int low, median, high; /* seconds */
};

void wait_curve_clear(struct wait_curve *c);
void wait_curve_add(struct wait_curve *c, int seconds, bool has_ended, double weight);
/* The distribution of waits that have lasted `begin` seconds and go on to `end` at most, where what is left
 * of them ends. Nothing that was added may be shorter than `begin`. */
void wait_curve_close(struct wait_curve *c, int begin, int end);
/* An interval that holds `share` of a closed curve as nearly as its steps allow: within 2 % of it the
 * shortest. It holds the median when the share is above one half. */
struct wait_span wait_curve_span(const struct wait_curve *c, double share);

#endif
