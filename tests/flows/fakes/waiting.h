/* For tests of the matchmaker: a running one, and learners who wait. */
#ifndef TESTS_FLOWS_FAKES_WAITING_H
#define TESTS_FLOWS_FAKES_WAITING_H

#include "flows/fakes/world.h"

enum { CAROLS = 41 };
#define CAROL     "cccccccc-0000-4000-8000-000000000005"
#define REQUEST_C "11111111-0000-4000-8000-00000000000c"

/* A running matchmaker with an empty index, and sockets of Ana, Ben and Carol. */
void given_matchmaker(void);
/* The same, while another instance holds the lease. */
void given_follower(void);
/* As POST /match-request leaves it: in the database and in the index. */
struct match_request *arrives(const char *id, const char *user_id);

/* The waits that ended lately, of learners like Ana: the first of so many seconds, each one longer by
 * `step_s`. */
void given_waits(int first_s, int step_s);

/* 201 of POST /match-request, for the first request there is. */
void assert_created(const struct caller *c, int estimated_wait_s, const char *expires_at);

struct match_request *row(const char *id);
void assert_status(const char *id, enum match_status status);

#endif
