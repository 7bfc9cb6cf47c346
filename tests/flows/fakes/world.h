/* The world of a flow test: the real flows, engine and domain on fakes and a virtual clock. Includes
 * everything a flow test needs. Each test begins with an empty database, no sockets and no matchmaker;
 * WORLD_TEST wraps it. */
#ifndef TESTS_FLOWS_FAKES_WORLD_H
#define TESTS_FLOWS_FAKES_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conversation/base/clock.h"
#include "conversation/base/metrics.h"
#include "conversation/config.h"
#include "conversation/rt/loop.h"
#include "conversation/rt/timer.h"
#include "flows/fakes/bus.h"
#include "flows/fakes/consumer.h"
#include "flows/fakes/db.h"
#include "flows/fakes/db_moderation.h"
#include "flows/fakes/db_privacy.h"
#include "flows/fakes/db_projection.h"
#include "flows/fakes/json.h"
#include "flows/fakes/kv.h"
#include "flows/fakes/kv_user.h"
#include "flows/fakes/port.h"
#include "flows/fakes/profile.h"
#include "flows/fakes/reply.h"
#include "flows/fakes/sockets.h"
#include "flows/handlers.h"
#include "flows/live.h"

#define T0     INT64_C(1736935200000) /* Wednesday 2025-01-15T10:00:00.000Z, when every world begins */
#define MINUTE (60 * 1000)

/* Who and what there is. */
#define ANA       "aaaaaaaa-0000-4000-8000-000000000001"
#define BEN       "bbbbbbbb-0000-4000-8000-000000000002"
#define EVE       "eeeeeeee-0000-4000-8000-000000000003" /* takes part in nothing */
#define SESSION   "55555555-0000-4000-8000-000000000004"
#define REQUEST_A "11111111-0000-4000-8000-00000000000a"
#define REQUEST_B "11111111-0000-4000-8000-00000000000b"
#define NOBODY    "00000000-0000-0000-0000-000000000000"

/* Sockets of the two. */
enum { ANAS = 11, ANAS_SECOND = 12, BENS = 21, BENS_SECOND = 22, EVES = 31 };

int world_begin(void **state);
int world_end(void **state); /* asserts that no flow is left */
void world_again(void);      /* ends this one and begins the next, within a test */
#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, world_begin, world_end)

/* Virtual time: everything due on the way happens at its own moment. 0 runs what can happen now. */
void pass_ms(int64_t ms);
int64_t world_now_ms(void);

struct uuid id_of(const char *text);

/* --- rows --- */

/* Topic `travel` of Spanish, A2, free to everybody: icebreaker p.ice, p.main1 to p.main3, p.follow1,
 * p.follow2. */
struct topic *given_topic(void);
/* A pending request for it by a B1 learner who never met anybody, made now, for two minutes. */
struct match_request request_by(const char *id, const char *user_id);
struct match_request *given_request(const char *id, const char *user_id);
/* A practice session of Ana and Ben about `travel`, matched now, waiting; 15 minutes long. */
struct session *given_session(void);
struct session *given_active_session(void); /* for both of them, for two minutes already */
struct session *session_row(void);          /* the row of SESSION */

/* --- live sessions --- */

struct caller *joins(const char *user_id,
                     uint64_t socket_id); /* join_session from an open socket, run to its end */
/* Both sockets open, joined, and what they were told forgotten: an active live session. */
void given_conversation(void);
struct live *live_one(void); /* the live session SESSION, or NULL */

/* --- looking --- */

/* The Prometheus line "name{labels} value" or "name value" is among the metrics. */
void assert_metric(const char *line);

/* The stored session is in this status for this reason. */
void assert_row(enum session_status status, enum session_end_reason reason);

#endif
