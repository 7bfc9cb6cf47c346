/* Every endpoint's and event's behaviour, for the tables in src/routes.c and src/events.c. One file each
 * under rest/ and event/. */
#ifndef FLOWS_HANDLERS_H
#define FLOWS_HANDLERS_H

#include "conversation/edge/reply.h"

/* rest/ */
extern const struct handler rest_match_create, rest_match_cancel, rest_match_status, rest_match_explain;
extern const struct handler rest_topics_list, rest_topic_get;
extern const struct handler rest_session_join, rest_session_leave, rest_session_end, rest_session_get;
extern const struct handler rest_session_rate, rest_session_transcript, rest_history;
extern const struct handler rest_user_export, rest_user_erase;
extern const struct handler rest_session_report, rest_user_block, rest_user_unblock, rest_user_blocks;
extern const struct handler rest_flags_list, rest_flag_review;
extern const struct handler ops_healthz, ops_readyz, ops_metrics, ops_openapi;

/* event/ */
extern const struct handler event_join_session, event_leave_session, event_request_next_prompt;
extern const struct handler event_report_partner;

#endif
