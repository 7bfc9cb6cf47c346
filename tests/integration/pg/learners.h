/* Learners, their requests and their conversations, as the tests of the statements need them. */
#ifndef TESTS_PG_LEARNERS_H
#define TESTS_PG_LEARNERS_H

#include "conversation/domain/match.h"
#include "conversation/domain/session.h"
#include "conversation/ports/db.h"

#define NOW INT64_C(1736937000000) /* 2025-01-15T10:30:00.000Z, a Wednesday: every test begins then */

void set_now(int64_t at_ms);
void advance(int64_t ms);

/* A new learner's request for restaurant.ordering in English at A2, for the next 120 s. Not stored. */
struct match_request a_request(void);
/* A new pair of learners, matched: Ana (native es, waits since `waited_ms` ago) and Ben (fr). Stored. */
struct session a_waiting_session(struct flow *f, int64_t waited_ms);
struct session an_active_session(struct flow *f);
/* An active session of these two, ended `active_ms` later; the clock stands there afterwards. */
struct session a_talk(struct flow *f, const struct uuid *a, const struct uuid *b, int64_t active_ms);

/* Stores it on the terms of an ordinary request: no key, no limit. */
enum err insert_request(struct flow *f, const struct match_request *r);
struct match_request latest_of(struct flow *f, const struct uuid *user_id);

struct db_claim a_claim(const struct match_request *first, const struct match_request *second);
enum err end_session(struct flow *f, const struct session *s, const struct uuid *by, enum session_event event,
                     struct db_ended *out);

/* The sweep, with a join window of a minute; and the one that follows, of what five minutes have passed over.
 */
struct db_swept sweep(struct flow *f, int64_t slack_ms);
int delete_abandoned(struct flow *f);

/* Compares the whole row of the `nth` event (from 1), its envelope's columns included. */
void assert_event(struct flow *f, int nth, const char *type, const struct uuid *key,
                  const char *payload_format, ...) __attribute__((format(printf, 5, 6)));
void assert_event_count(struct flow *f, int count);
/* How many rows of all tables have the text anywhere. */
int64_t rows_with(struct flow *f, const char *text);
void assert_uuid_equal(struct uuid a, struct uuid b);
/* Every stored field; padding and the borrowed arrays aside. */
void assert_same_request(const struct match_request *a, const struct match_request *b);

#endif
