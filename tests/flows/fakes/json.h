/* JSON in tests: written with single quotes, so that it can be read; compared by value, not by the order of
 * members. */
#ifndef TESTS_FLOWS_FAKES_JSON_H
#define TESTS_FLOWS_FAKES_JSON_H

#include "conversation/base/str.h"

/* Single quotes become double ones; malloc'ed. */
char *json_of_quoted(const char *quoted);
/* NUL-terminated copy, malloc'ed; NULL of an absent one. */
char *copy_text(struct str s);
/* Prints both and fails the test when they differ, or when `actual` is not valid JSON or names a member
 * twice. */
void assert_json_at(const char *actual, const char *expected, const char *file, int line);
#define assert_json(actual, expected) assert_json_at((actual), (expected), __FILE__, __LINE__)

#endif
