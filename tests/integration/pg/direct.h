/* The database for tests of the statements: the functions of ports/db.h run against a real PostgreSQL at
 * once, in the thread that calls them, each flow on a connection of its own. So a test calls them in a row,
 * or in a race from several threads. The connection core with its pools and pipelines is not in it.
 *
 * The server is that of DB_HOST, DB_PORT, DB_USER, DB_PASSWORD; DB_NAME is the database first connected to.
 * Every test program creates a database of its own there, migrated and seeded, and drops it. */
#ifndef TESTS_PG_DIRECT_H
#define TESTS_PG_DIRECT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "conversation/base/err.h"
#include "conversation/rt/flow.h"

#define CORRELATION "00000000-0000-4000-8000-00000000c0de" /* of every flow here */

/* cmocka's group setup and teardown: the database. */
int direct_create_database(void **state);
int direct_drop_database(void **state);

struct flow *direct_open(void); /* a new connection */
void direct_close(struct flow *f);
enum err direct_result(const struct flow *f); /* of the last operation */
#define RUN(f, call) ((call), direct_result(f))

/* The next operation's plan is kept: as it is made for any parameters, with the daemon's settings. */
void direct_wants_plan(struct flow *f);
const char *direct_plan(struct flow *f); /* in the flow's arena */

/* Statements of the test's own. The value is the first column of the first row, in the flow's arena, "" for
 * none or NULL. Fails the test when the statement does. */
const char *direct_value(struct flow *f, const char *sql_format, ...) __attribute__((format(printf, 2, 3)));
int64_t direct_int(struct flow *f, const char *sql_format, ...) __attribute__((format(printf, 2, 3)));
#define EXEC(f, ...) ((void)direct_value((f), __VA_ARGS__))

void direct_truncate(struct flow *f); /* everything but the topics */

/* Runs the function in `count` threads that start together; returns when all have. */
void direct_race(int count, void (*run)(int who, void *arg), void *arg);

#endif
