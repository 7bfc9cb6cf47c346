-- Several instances on one database.

-- Which requests are pending, page by page in the order of their ids, however many are over.
CREATE INDEX idx_match_pending ON match_requests (id) WHERE status = 'pending';
