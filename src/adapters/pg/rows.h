/* A result's rows: what pg.h's readers are given. */
#ifndef PG_ROWS_H
#define PG_ROWS_H

#include <libpq-fe.h>

struct pg_rows {
    const PGresult *result; /* borrowed */
    int first, count;       /* of its rows, those that the reader may see */
};

static inline struct pg_rows pg_rows_of(const PGresult *result)
{
    return (struct pg_rows){result, 0, PQntuples(result)};
}

#endif
