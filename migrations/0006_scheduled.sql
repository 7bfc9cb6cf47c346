-- Conversations arranged ahead of time. One who has arranged one may still practise now: there is one pending request of
-- each mode a user, and one live session a user *now*; a session that was arranged for later takes its participants' time
-- when it comes (`booked`), and no two of those may overlap.

CREATE EXTENSION IF NOT EXISTS btree_gist; -- a trusted one: the owner of the database may create it

DROP INDEX idx_match_one_pending;
CREATE UNIQUE INDEX idx_match_one_pending ON match_requests (user_id, mode) WHERE status = 'pending';
ALTER TABLE match_requests ADD COLUMN session_scheduled_at timestamptz; -- of the session it was matched for, ahead of time

-- When a session arranged ahead will take its participant, at most; null once the participant has joined it (then it is
-- their session now), and for all other sessions.
ALTER TABLE session_participants ADD COLUMN booked tstzrange;
DROP INDEX idx_participant_one_live;
CREATE UNIQUE INDEX idx_participant_one_live ON session_participants (user_id) WHERE is_live AND booked IS NULL;
ALTER TABLE session_participants ADD CONSTRAINT idx_participant_one_booking
    EXCLUDE USING gist (user_id WITH =, booked WITH &&) WHERE (is_live AND booked IS NOT NULL);
