#ifndef TESTS_UNIT_BASE_ALONE_H
#define TESTS_UNIT_BASE_ALONE_H

#include <stdlib.h>
#include <string.h>

#include "conversation/base/str.h"

/* The text at the end of an allocation of its own, so that one byte too far is caught. */
static inline struct str alone(struct str s)
{
    char *p = malloc(s.n ? s.n : 1);
    if (s.n)
        memcpy(p, s.p, s.n);
    return (struct str){p, s.n};
}

#endif
