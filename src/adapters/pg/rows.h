/* A result's rows: what pg.h's readers are given. */
#ifndef PG_ROWS_H
#define PG_ROWS_H

#include <libpq-fe.h>

struct pg_rows {
    const PGresult *result; /* borrowed */
};

#endif
