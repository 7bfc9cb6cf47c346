-- The partner of a no-show goes back into the queue, by a request of its own that has waited since the first one was made
-- (created_at). requeued_from: the session that came to nothing; not a foreign key, as in matched_session_id.

ALTER TABLE match_requests ADD COLUMN requeued_from uuid;
CREATE UNIQUE INDEX idx_match_requeued ON match_requests (requeued_from) WHERE requeued_from IS NOT NULL;
