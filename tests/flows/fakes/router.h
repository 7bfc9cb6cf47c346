/* Fake of router_init: keeps the table for looking at. */
#ifndef TESTS_FLOWS_FAKES_ROUTER_H
#define TESTS_FLOWS_FAKES_ROUTER_H

#include "conversation/edge/router.h"

struct routes {
    const struct route *rows;
    size_t count;
};
struct routes routes_given(void); /* what router_init was given last */

#endif
