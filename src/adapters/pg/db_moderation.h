/* The SQL that the statements about reports, blocks and flags share. */
#ifndef PG_DB_MODERATION_H
#define PG_DB_MODERATION_H

/* The ids of the pending match requests of the two users, as an array. Of both: either may have been read
 * since the one excluded the other, and then says so, too. */
#define PENDING_REQUESTS(one, other)                                                  \
    "ARRAY(SELECT r.id FROM match_requests r WHERE r.user_id IN (" one ", " other ")" \
    " AND r.status = 'pending' ORDER BY r.user_id = " one " DESC)"

/* The sessions of the two that are arranged for later, as an array, but `except`. */
#define ARRANGED_SESSIONS(one, other, except)                                            \
    "ARRAY(SELECT p.session_id FROM session_participants p"                              \
    " JOIN session_participants q ON q.session_id = p.session_id AND q.user_id = " other \
    " WHERE p.user_id = " one " AND p.is_live AND p.booked IS NOT NULL"                  \
    " AND p.session_id IS DISTINCT FROM " except ")"

#endif
