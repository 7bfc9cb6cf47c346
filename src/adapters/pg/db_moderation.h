/* The SQL that the statements about reports, blocks and flags share. */
#ifndef PG_DB_MODERATION_H
#define PG_DB_MODERATION_H

/* The ids of the pending match requests of the two users, as an array. Of both: either may have been read
 * since the one excluded the other, and then says so, too. */
#define PENDING_REQUESTS(one, other)                                                  \
    "ARRAY(SELECT r.id FROM match_requests r WHERE r.user_id IN (" one ", " other ")" \
    " AND r.status = 'pending' ORDER BY r.user_id = " one " DESC)"

#endif
