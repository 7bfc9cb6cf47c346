-- After the call: reports and their review, and ratings that are sent twice.

-- --- reports --------------------------------------------------------------------------------------------------------

-- A session that nobody joined is deleted; what was reported of it stays.
ALTER TABLE reports DROP CONSTRAINT reports_session_id_fkey;
-- The flag under which it was reviewed; until then it counts towards the next one. No foreign key: a user's flags may be
-- erased, reports remain.
ALTER TABLE reports ADD COLUMN flag_id uuid;
CREATE INDEX idx_report_open ON reports (reported_user_id, created_at DESC) WHERE reviewed_at IS NULL;
CREATE INDEX idx_report_flag ON reports (flag_id, created_at DESC) WHERE flag_id IS NOT NULL;

ALTER TABLE user_flags ADD COLUMN decision text CHECK (decision IN ('dismissed', 'confirmed'));
ALTER TABLE user_flags ADD COLUMN notes text CHECK (char_length(notes) <= 1000);
ALTER TABLE user_flags ADD CHECK (reviewed_at IS NOT NULL OR (decision IS NULL AND notes IS NULL));
CREATE INDEX idx_flag_open ON user_flags (created_at, id) WHERE reviewed_at IS NULL;
CREATE INDEX idx_flag_reviewed ON user_flags (reviewed_at DESC, id) WHERE reviewed_at IS NOT NULL;

-- What is counted of the reports on one user, or reviewed, is so by one transaction after the other: held until its end.
CREATE FUNCTION lock_reports_on(reported uuid) RETURNS void
LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock(1, hashtext(reported::text));
$$;

-- Stores a report of `reporter` on the other one in the session, and conversation.reported; the first one counts, a
-- second one of the same reporter and session changes nothing. More than `tolerated` distinct reporters whom nobody has
-- answered: a flag. One row, or none when the reporter is not in the session.
--
-- A function, since only a statement that begins after the lock is held sees what another reporter has just stored. Nor
-- does any other see that the reporter has been erased while the lock was awaited, and is somebody else in the session now:
-- that they are in it is asked again, or what they say would stay under their id for ever. session_rate does the same.
CREATE FUNCTION session_report(reported_session uuid, reporter uuid, why text, words text, reported_at timestamptz,
                               correlation text, tolerated int)
RETURNS TABLE (report uuid, reported_user uuid, is_new boolean, is_running boolean, is_flagged boolean)
LANGUAGE plpgsql AS $$
DECLARE
    topic text;
    first_user uuid;
    reporter_total int;
BEGIN
    SELECT s.status IN ('waiting', 'active'), s.topic_code INTO is_running, topic
      FROM sessions s
     WHERE s.id = reported_session
       AND EXISTS (SELECT FROM session_participants p WHERE p.session_id = s.id AND p.user_id = reporter)
       FOR UPDATE;
    IF NOT FOUND OR NOT EXISTS (SELECT FROM session_participants p
                                 WHERE p.session_id = reported_session AND p.user_id = reporter) THEN
        RETURN;
    END IF;
    SELECT p.user_id INTO reported_user
      FROM session_participants p WHERE p.session_id = reported_session AND p.user_id <> reporter;
    SELECT p.user_id INTO first_user
      FROM session_participants p WHERE p.session_id = reported_session AND p.position = 0;

    INSERT INTO reports AS c (session_id, reporter_id, reported_user_id, reason, details, created_at)
    VALUES (reported_session, reporter, reported_user, why, words, reported_at)
    ON CONFLICT ON CONSTRAINT idx_report_once DO NOTHING
    RETURNING c.id INTO report;
    is_new := FOUND;
    is_flagged := false;
    IF NOT is_new THEN
        SELECT c.id, c.reported_user_id INTO report, reported_user
          FROM reports c WHERE c.session_id = reported_session AND c.reporter_id = reporter;
        RETURN NEXT;
        RETURN;
    END IF;

    INSERT INTO event_outbox (event_type, key, correlation_id, created_at, payload)
    VALUES ('conversation.reported', first_user, correlation, reported_at,
            jsonb_build_object('sessionId', reported_session, 'reporterId', reporter, 'reportedUserId', reported_user,
                               'reason', why, 'topicCode', topic));

    PERFORM lock_reports_on(reported_user);
    SELECT count(DISTINCT c.reporter_id) INTO reporter_total
      FROM reports c WHERE c.reported_user_id = reported_user AND c.reviewed_at IS NULL;
    IF reporter_total > tolerated THEN
        is_flagged := NOT EXISTS (SELECT FROM user_flags u WHERE u.user_id = reported_user AND u.reviewed_at IS NULL);
        INSERT INTO user_flags (user_id, reason, reporter_count, created_at)
        VALUES (reported_user, 'reports', reporter_total, reported_at)
        ON CONFLICT (user_id) WHERE reviewed_at IS NULL DO UPDATE SET reporter_count = excluded.reporter_count;
    END IF;
    RETURN NEXT;
END
$$;

-- Closes the open flag of a user and marks the reports that led to it; again: the flag as it was closed. No row: the
-- user was never flagged.
CREATE FUNCTION flag_review(flagged uuid, reviewer uuid, verdict text, words text, reviewed timestamptz)
RETURNS SETOF user_flags
LANGUAGE plpgsql AS $$
DECLARE
    closed uuid;
BEGIN
    PERFORM lock_reports_on(flagged);
    UPDATE user_flags u SET reviewed_at = reviewed, reviewed_by = reviewer, decision = verdict, notes = words
     WHERE u.user_id = flagged AND u.reviewed_at IS NULL
    RETURNING u.id INTO closed;
    IF FOUND THEN
        UPDATE reports c SET reviewed_at = reviewed, flag_id = closed
         WHERE c.reported_user_id = flagged AND c.reviewed_at IS NULL;
    END IF;
    RETURN QUERY SELECT u.* FROM user_flags u WHERE u.user_id = flagged ORDER BY u.reviewed_at DESC LIMIT 1;
END
$$;

-- --- ratings --------------------------------------------------------------------------------------------------------

-- As before, but the same rating sent again changes nothing and leaves no second event; and it says whether it is the
-- first of this participant. (A former binary reads the columns it knows.)
DROP FUNCTION session_rate(uuid, uuid, int, text, timestamptz, text);
CREATE FUNCTION session_rate(rated_session uuid, rater uuid, stars int, words text, rated timestamptz,
                             correlation text)
RETURNS TABLE (session_status text, average double precision, session_topic text, is_first boolean)
LANGUAGE plpgsql AS $$
DECLARE
    first_user uuid;
    is_same boolean;
BEGIN
    SELECT s.status, s.topic_code INTO session_status, session_topic
      FROM sessions s
     WHERE s.id = rated_session
       AND EXISTS (SELECT FROM session_participants p WHERE p.session_id = s.id AND p.user_id = rater)
       FOR UPDATE;
    IF NOT FOUND OR NOT EXISTS (SELECT FROM session_participants p
                                 WHERE p.session_id = rated_session AND p.user_id = rater) THEN
        RETURN;
    END IF;
    IF session_status NOT IN ('waiting', 'active') THEN
        SELECT r.rating = stars AND r.feedback IS NOT DISTINCT FROM words INTO is_same
          FROM ratings r WHERE r.session_id = rated_session AND r.user_id = rater;
        is_first := NOT FOUND;
        IF is_same IS NOT TRUE THEN
            INSERT INTO ratings AS r (session_id, user_id, rating, feedback, rated_at)
            VALUES (rated_session, rater, stars, words, rated)
            ON CONFLICT (session_id, user_id)
            DO UPDATE SET rating = excluded.rating, feedback = excluded.feedback, rated_at = excluded.rated_at;
        END IF;

        SELECT avg(r.rating) INTO average FROM ratings r WHERE r.session_id = rated_session;

        IF is_same IS NOT TRUE THEN
            SELECT p.user_id INTO first_user
              FROM session_participants p WHERE p.session_id = rated_session AND p.position = 0;
            INSERT INTO event_outbox (event_type, key, correlation_id, created_at, payload)
            VALUES ('conversation.rated', first_user, correlation, rated,
                    jsonb_build_object('sessionId', rated_session, 'userId', rater, 'rating', stars,
                                       'averageRating', average, 'topicCode', session_topic));
        END IF;
    END IF;
    RETURN NEXT;
END
$$;
