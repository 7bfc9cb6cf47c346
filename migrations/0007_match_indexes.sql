-- What a match costs is mostly what is written to indexes. Nobody reads idx_match_recent any more. The index by status and
-- language is for looking back: as long as it held the pending requests, too, a plan made while there were few of them
-- found a learner's own one by reading all of them, and kept doing so when there were ten thousand.

DROP INDEX idx_match_recent;
DROP INDEX idx_match_status_language;
CREATE INDEX idx_match_status_language ON match_requests (status, target_language_code, created_at)
    WHERE status <> 'pending';
