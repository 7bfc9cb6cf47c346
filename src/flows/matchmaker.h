/* The matchmaker: every instance holds the pairing index of all waiting requests, the leader decides
 * (docs/matchmaking.md, "How it runs"). The index only proposes; the claim in the database judges. */
#ifndef FLOWS_MATCHMAKER_H
#define FLOWS_MATCHMAKER_H

#include "conversation/domain/pairing.h"
#include "conversation/domain/pairing_explain.h"
#include "conversation/domain/wait_estimate.h"
#include "conversation/ports/db.h"

void matchmaker_start(void); /* empty index; compares it with the database as soon as that is there */
void matchmaker_stop(void);

/* A request was stored here: copied into the index, told to the other instances. */
void matchmaker_add(const struct match_request *r);
/* A request is pending no longer, by what was done here: out of the index, told to the other instances. */
void matchmaker_remove(const struct uuid *request_id, enum wait_end end);
/* What became of these is not known: looked up soon, and taken into index and Redis if still pending. */
void matchmaker_look(const struct uuid *request_ids, size_t count);
/* Whom these requests must not be paired with has changed: read anew, here and at the other instances. */
void matchmaker_changed(const struct uuid *request_ids, size_t count);
/* Compare index and Redis with the database soon. */
void matchmaker_reload_soon(void);

size_t matchmaker_waiting(void);
/* Why a request still waits; false when the index does not hold it. */
bool matchmaker_explain(const struct uuid *request_id, struct pairing_explanation *out);

#endif
