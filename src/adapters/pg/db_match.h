/* The SQL that the statements about match requests share. */
#ifndef PG_DB_MATCH_H
#define PG_DB_MATCH_H

#include "pg.h"

/* clang-format off */

/* Joins `past`, one row: the partners `user` has had, and, in the same order, when they last spoke; both null
 * when there is none. */
#define MATCH_PAST(user)                                                                                     \
    " CROSS JOIN LATERAL (SELECT array_agg(h.partner_id) AS partners,"                                       \
    " array_agg(" PG_MS("h.last_spoke_at") ") AS times FROM past_partners h WHERE h.user_id = " user ") past "

/* Everyone whom `user` must never meet: blocked or reported, in either direction. */
#define MATCH_EXCLUDED(user)                                                                                 \
    "ARRAY(SELECT b.blocked_id FROM user_blocks b WHERE b.blocker_id = " user                                \
    " UNION SELECT b.blocker_id FROM user_blocks b WHERE b.blocked_id = " user                               \
    " UNION SELECT c.reported_user_id FROM reports c WHERE c.reporter_id = " user                            \
    " UNION SELECT c.reporter_id FROM reports c WHERE c.reported_user_id = " user ")"

/* The payload of match.cancelled and match.expired, of a request named r. */
#define MATCH_EVENT_PAYLOAD                                                                                  \
    "jsonb_build_object('matchRequestId', r.id, 'userId', r.user_id,"                                        \
    " 'targetLanguageCode', r.target_language_code, 'topicCode', r.topic_code)"

/* clang-format on */

#endif
