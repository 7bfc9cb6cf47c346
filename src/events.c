/* The socket events: one row is one event a client may send (docs/ARCHITECTURE.md, "Adding a socket event").
 * `authenticate` is the hub's own: before it no row is looked at. */
#include "tables.h"

#include "flows/event/relay.h"
#include "flows/handlers.h"

const struct event_row event_rows[] = {
    {"join_session", NEEDS_USER, .handler = &event_join_session, .is_rejoin = true},
    {"leave_session", NEEDS_USER, .handler = &event_leave_session},
    {"offer", NEEDS_SESSION, .relay = relay_offer, .relays = "sdp"},
    {"answer", NEEDS_SESSION, .relay = relay_answer, .relays = "sdp"},
    {"ice_candidate", NEEDS_SESSION, .relay = relay_ice_candidate, .relays = "candidate"},
    {"speaking_state", NEEDS_SESSION, .relay = relay_speaking_state, .relays = "speaking"},
    {"request_next_prompt", NEEDS_SESSION, .handler = &event_request_next_prompt},
    {"report_partner", NEEDS_USER, .handler = &event_report_partner, .limit = &limit_reports},
    {.name = NULL},
};
