/* What an error of PostgreSQL means to a flow (PostgreSQL documentation, appendix A). */
#ifndef PG_SQLSTATE_H
#define PG_SQLSTATE_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "pg.h"

#define PG_UNDEFINED_TABLE "42P01"

struct pg_sqlstate {
    const char *prefix; /* of the SQLSTATE: two characters are a class */
    enum err err;
    int retries; /* this often the statement is sent again, alone: it failed through its neighbours or rivals
                  */
    bool prepared_is_stale; /* the connection's prepared statement must be made anew first */
};

/* Never NULL; ERR_INTERNAL for what the table does not name. */
const struct pg_sqlstate *pg_sqlstate_of(const PGresult *failed);

/* The statement's own meaning of a unique violation, else the table's. */
enum err pg_error_of(const PGresult *failed, const struct pg_statement *statement);

/* The server ended the connection with this error, or libpq made it up because the connection broke: what
 * became of the statement is unknown. */
bool pg_error_is_fatal(const PGresult *failed);

/* One line for whoever has to repair it; never a parameter's value. */
void pg_error_log(const PGresult *failed, const struct pg_statement *statement);

#endif
