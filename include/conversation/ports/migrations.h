/* The schema's migrations, compiled in from migrations/NNNN_name.sql by the build, in order of number. */
#ifndef CONVERSATION_PORTS_MIGRATIONS_H
#define CONVERSATION_PORTS_MIGRATIONS_H

#include <stddef.h>

struct migration {
    int number;
    const char *name; /* the file's name without ".sql" */
    const char *sql;
};

extern const struct migration migrations[];
extern const size_t migrations_count;

#endif
