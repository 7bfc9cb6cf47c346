/* Whether the database's migrations are the binary's, and applying them. migrate.c does the work, schema.c
 * watches. */
#ifndef PG_SCHEMA_H
#define PG_SCHEMA_H

#include <libpq-fe.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "conn.h"
#include "conversation/ports/db.h"

/* --- migrate.c --- */
extern const char pg_schema_sql[]; /* yields number, name of the applied migrations, by number */

/* The rows of pg_schema_sql against the binary's migrations. `problem` explains everything but OK. */
enum db_schema pg_schema_compare(const PGresult *rows, char *problem, size_t cap);

struct pg_migration_run {
    atomic_bool is_stopped; /* set from another thread: give up soon */
    enum db_schema outcome; /* OK: done; NEWER: refused; UNKNOWN: failed, trying again may help */
    int applied;            /* by this run */
    char problem[512];
};
/* Blocking: connects, waits for its turn, applies what is missing. */
void pg_migrate(struct pg_migration_run *run);

/* --- schema.c --- */
void pg_schema_start(void);
void pg_schema_stop(void);
void pg_schema_check(
    struct pg_conn *c); /* asks over this connection; one in SETTING_UP becomes READY by the answer */

#endif
