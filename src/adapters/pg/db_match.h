/* The SQL that the statements about match requests share. */
#ifndef PG_DB_MATCH_H
#define PG_DB_MATCH_H

/* Everyone whom `user` must never meet: blocked or reported, in either direction. */
#define MATCH_EXCLUDED(user)                                                                                 \
    "SELECT b.blocked_id FROM user_blocks b WHERE b.blocker_id = " user                                      \
    " UNION SELECT b.blocker_id FROM user_blocks b WHERE b.blocked_id = " user                               \
    " UNION SELECT r.reported_user_id FROM reports r WHERE r.reporter_id = " user                            \
    " UNION SELECT r.reporter_id FROM reports r WHERE r.reported_user_id = " user

/* The payload of match.cancelled and match.expired, of a request named r. */
#define MATCH_EVENT_PAYLOAD                                                                                  \
    "jsonb_build_object('matchRequestId', r.id, 'userId', r.user_id,"                                        \
    " 'targetLanguageCode', r.target_language_code, 'topicCode', r.topic_code)"

#endif
