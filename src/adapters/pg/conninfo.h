/* Connection parameters for libpq, from the configuration. */
#ifndef PG_CONNINFO_H
#define PG_CONNINFO_H

#include <stdbool.h>

#define PG_CONNINFO_MAX 20

struct pg_conninfo {
    const char *keywords[PG_CONNINFO_MAX + 1], *values[PG_CONNINFO_MAX + 1]; /* NULL-terminated, borrowed */
    int count;
    char port[12], options[160];
};

/* `statement_timeout_ms` 0: none. Everything but the addresses; borrows the configuration's strings. */
void pg_conninfo_init(struct pg_conninfo *ci, const char *application_name, long statement_timeout_ms);
void pg_conninfo_add(struct pg_conninfo *ci, const char *keyword, const char *value); /* borrows both */

/* The configured host needs no resolving: a folder with a Unix socket, or nothing (libpq's default). */
bool pg_host_is_local(void);

/* libpq's message on one line, without the trailing newline. */
void pg_message_copy(const char *message, char *out, unsigned long cap);

#endif
