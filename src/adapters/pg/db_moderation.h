/* The SQL that the statements about reports, blocks and flags share. */
#ifndef PG_DB_MODERATION_H
#define PG_DB_MODERATION_H

/* The ids of `user`'s pending match requests, as an array. */
#define PENDING_REQUESTS(user) \
    "ARRAY(SELECT r.id FROM match_requests r WHERE r.user_id = " user " AND r.status = 'pending')"

#endif
