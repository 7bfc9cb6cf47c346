/* The matchmaker: drives the pairing index from arrivals and the clock (docs/matchmaking.md, "How it runs").
 * The index only proposes; the claim in the database decides. What the database still calls pending and the
 * index does not hold comes back by matchmaker.load. */
#ifndef FLOWS_MATCHMAKER_H
#define FLOWS_MATCHMAKER_H

#include "conversation/domain/pairing.h"
#include "conversation/ports/db.h"

void matchmaker_start(void); /* empty index; loads the queue as soon as the database is there */
void matchmaker_stop(void);
void matchmaker_add(const struct match_request *r); /* copies; known ones are left alone */
void matchmaker_remove(const struct uuid *request_id);
/* A claim or an expiry did not go as the index thought: load soon what it no longer holds. */
void matchmaker_reload_soon(void);
/* From matchmaker.load: takes over the table of compatible topics (copies). */
void matchmaker_set_compatible(const struct db_topic_pairs *pairs);
size_t matchmaker_waiting(void);

/* Metrics of what became of requests. */
void matchmaker_count_match(const struct pairing_pair *pair);
void matchmaker_count_expired(const char *language);

#endif
