-- Match requests that may be repeated: a retry with the same Idempotency-Key gets the first result, which is made
-- of the row. The digest is of what was asked for, so that a key that is used for something else is noticed. A key is
-- kept for a day (docs/api.md); the insert that uses it again frees it of the older row.

ALTER TABLE match_requests
    ADD COLUMN idempotency_key text CHECK (octet_length(idempotency_key) BETWEEN 1 AND 255),
    ADD COLUMN idempotency_digest bytea,
    ADD COLUMN estimated_wait_seconds int CHECK (estimated_wait_seconds >= 0), -- as the maker was told
    ADD CHECK ((idempotency_key IS NULL) = (idempotency_digest IS NULL));
CREATE UNIQUE INDEX idx_match_idempotency ON match_requests (user_id, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
