/* Relayed events: offer, answer, ice_candidate, which are validated, then passed to the partner as they came;
 * and speaking_state. */
#ifndef FLOWS_EVENT_RELAY_H
#define FLOWS_EVENT_RELAY_H

#include "conversation/edge/reply.h"

enum err relay_offer(struct relay_call *call);
enum err relay_answer(struct relay_call *call);
enum err relay_ice_candidate(struct relay_call *call);
enum err relay_speaking_state(struct relay_call *call);

#endif
