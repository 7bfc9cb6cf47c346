/* Writes what the pairing index is told and what it answers to MATCH_TRACE_FILE, so that its decisions can be
 * made again (docs/simulation.md). No effect unless the variable is set. The lines are collected in memory
 * and written to the file when they are many, or once a second. The first error, or the file reaching
 * MATCH_TRACE_MAX_BYTES, ends the trace with one line in the log: behind a gap nothing could be replayed. */
#ifndef FLOWS_MATCH_TRACE_H
#define FLOWS_MATCH_TRACE_H

#include "conversation/codec/match_trace.h"

void match_trace_start(const struct pairing_rules *rules); /* with an empty index */
void match_trace_stop(void);                               /* writes the rest */

void match_trace_compatible(const struct topic_pair *pairs, size_t count);
void match_trace_added(const struct match_request *r);
void match_trace_removed(const struct uuid *request_id, enum match_trace_reason reason);
/* What pairing_decide and pairing_expire gave at `now_ms`; none: somebody was due, and nobody was paired. */
void match_trace_decision(int64_t now_ms, const struct pairing_pair *pair);
void match_trace_none(int64_t now_ms);
void match_trace_expired(int64_t now_ms, const struct uuid *request_id);

#endif
