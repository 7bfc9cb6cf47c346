-- Erasing what is held about a user (docs/privacy.md), and what the consumers of events need.

-- Promises to erase that have not been kept yet. The row goes with the last of the user's data. Whoever is at it has
-- claimed it for a while; a claim that ran out was one of an instance that died.
CREATE TABLE erasures (
    user_id uuid PRIMARY KEY,
    requested_at timestamptz NOT NULL,
    claimed_until timestamptz
);
CREATE INDEX idx_erasure_requested ON erasures (requested_at);

-- All flags of a user, for their export and erasing: the other indexes are by what moderators look for.
CREATE INDEX idx_flag_user ON user_flags (user_id);
CREATE INDEX idx_flag_reviewer ON user_flags (reviewed_by) WHERE reviewed_by IS NOT NULL;

-- Functions and not single statements: what a neighbour committed while the session's lock was awaited is seen only by a
-- statement that begins afterwards. Each does a part of at most `batch` rows and says how many it has changed; one that
-- finds nothing more changes nothing.

-- In each conversation the user becomes somebody of whom nothing is known: a new random id for each, so that not even
-- which conversations were the same person's remains. Ratings keep their stars, reports their reason. Those of a session
-- that is still going on are left for later.
CREATE FUNCTION user_erase_sessions(erased uuid, batch int, at timestamptz) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
    seat record;
    nobody uuid;
    changed int := 0;
BEGIN
    FOR seat IN
        SELECT p.session_id AS id, p.position AS mine
          FROM session_participants p
         WHERE p.user_id = erased AND NOT p.is_live
         ORDER BY p.session_id LIMIT batch
    LOOP
        PERFORM FROM sessions s WHERE s.id = seat.id FOR UPDATE;
        nobody := gen_random_uuid();
        UPDATE session_participants p
           SET user_id = nobody, display_name = '', avatar_url = NULL, audio_stream_url = NULL
         WHERE p.session_id = seat.id AND p.position = seat.mine AND p.user_id = erased;
        CONTINUE WHEN NOT FOUND; -- another instance has just done it
        UPDATE ratings r SET user_id = nobody, feedback = NULL WHERE r.session_id = seat.id AND r.user_id = erased;
        UPDATE reports r
           SET details = NULL,
               reporter_id = CASE r.reporter_id WHEN erased THEN nobody ELSE r.reporter_id END,
               reported_user_id = CASE r.reported_user_id WHEN erased THEN nobody ELSE r.reported_user_id END
         WHERE r.session_id = seat.id AND erased IN (r.reporter_id, r.reported_user_id);
        UPDATE match_requests m SET matched_with_user_id = nobody
          FROM session_participants q
         WHERE q.session_id = seat.id AND q.position <> seat.mine
           AND m.user_id = q.user_id AND m.status = 'matched'
           AND m.matched_session_id = seat.id AND m.matched_with_user_id = erased;
        -- The voice of one is in the recording of both. What has been stored elsewhere is deleted there before its row goes.
        DELETE FROM recordings r
         WHERE r.session_id = seat.id AND (r.user_id = erased OR r.user_id IS NULL) AND r.object_key IS NULL;
        UPDATE recordings r SET delete_after = at
         WHERE r.session_id = seat.id AND (r.user_id = erased OR r.user_id IS NULL) AND r.object_key IS NOT NULL;
        UPDATE sessions s SET recording_url = NULL, updated_at = at
         WHERE s.id = seat.id AND s.recording_url IS NOT NULL;
        changed := changed + 1;
    END LOOP;
    RETURN changed;
END
$$;

-- Requests that are over, and what else names the user. A partner's request whose session nobody joined (and which is
-- therefore gone) still names whom it was matched with.
CREATE FUNCTION user_erase_rest(erased uuid, batch int) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
    changed int := 0;
    part int;
BEGIN
    WITH mine AS MATERIALIZED (
        SELECT m.id, m.matched_session_id, m.matched_with_user_id
          FROM match_requests m
         WHERE m.user_id = erased AND m.status IN ('matched', 'expired', 'cancelled')
         ORDER BY m.id LIMIT batch FOR UPDATE
    ), partners AS (
        UPDATE match_requests p SET matched_with_user_id = gen_random_uuid()
          FROM mine
         WHERE p.user_id = mine.matched_with_user_id AND p.status = 'matched'
           AND p.matched_session_id = mine.matched_session_id AND p.matched_with_user_id = erased
    )
    DELETE FROM match_requests m USING mine WHERE m.id = mine.id;
    GET DIAGNOSTICS part = ROW_COUNT;
    changed := changed + part;

    -- Always written in pairs, so that one's own rows say who has the other ones.
    WITH mine AS MATERIALIZED (
        SELECT p.partner_id FROM past_partners p WHERE p.user_id = erased LIMIT batch
    ), theirs AS (
        DELETE FROM past_partners p USING mine WHERE p.user_id = mine.partner_id AND p.partner_id = erased
    )
    DELETE FROM past_partners p USING mine WHERE p.user_id = erased AND p.partner_id = mine.partner_id;
    GET DIAGNOSTICS part = ROW_COUNT;
    changed := changed + part;

    DELETE FROM user_skills k WHERE k.user_id = erased;
    GET DIAGNOSTICS part = ROW_COUNT;
    changed := changed + part;
    DELETE FROM user_blocks b WHERE b.blocker_id = erased OR b.blocked_id = erased;
    GET DIAGNOSTICS part = ROW_COUNT;
    changed := changed + part;
    -- On a session that nobody joined, which is therefore gone.
    UPDATE reports r
       SET details = NULL,
           reporter_id = CASE r.reporter_id WHEN erased THEN gen_random_uuid() ELSE r.reporter_id END,
           reported_user_id = CASE r.reported_user_id WHEN erased THEN gen_random_uuid() ELSE r.reported_user_id END
     WHERE (r.reporter_id = erased OR r.reported_user_id = erased)
       AND NOT EXISTS (SELECT FROM sessions s WHERE s.id = r.session_id);
    GET DIAGNOSTICS part = ROW_COUNT;
    changed := changed + part;
    DELETE FROM user_flags g WHERE g.user_id = erased;
    GET DIAGNOSTICS part = ROW_COUNT;
    changed := changed + part;
    UPDATE user_flags g SET reviewed_by = gen_random_uuid() WHERE g.reviewed_by = erased;
    GET DIAGNOSTICS part = ROW_COUNT;
    RETURN changed + part;
END
$$;

-- Events that name the user, of the `batch` rows after `after`; the last id looked at, null when there is none. Run when
-- the user's conversations are somebody else's already: whoever writes an event later writes the new id. Events that
-- have been sent go; the others are changed to name the one who took the user's place in that conversation, under whose
-- id as key they keep their order. The only user of a request's events is its maker: the request's own id takes that place.
CREATE FUNCTION user_erase_events(erased uuid, after bigint, batch int) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    last bigint;
    event record;
    nobody uuid;
BEGIN
    SELECT max(page.id) INTO last
      FROM (SELECT o.id FROM event_outbox o WHERE o.id > after ORDER BY o.id LIMIT batch) page;
    IF last IS NULL THEN
        RETURN NULL;
    END IF;
    FOR event IN
        SELECT o.id, o.key, o.payload, o.sent_at
          FROM event_outbox o
         WHERE o.id > after AND o.id <= last
           AND (o.key = erased::text OR strpos(o.payload::text, erased::text) > 0)
         ORDER BY o.id FOR UPDATE
    LOOP
        IF event.sent_at IS NOT NULL THEN
            DELETE FROM event_outbox o WHERE o.id = event.id;
            CONTINUE;
        END IF;
        -- A session's events have its first participant as key.
        SELECT p.user_id INTO nobody
          FROM session_participants p
         WHERE p.session_id = (event.payload ->> 'sessionId')::uuid
           AND p.position = CASE event.key WHEN erased::text THEN 0 ELSE 1 END;
        nobody := coalesce(nobody, (event.payload ->> 'matchRequestId')::uuid, gen_random_uuid());
        UPDATE event_outbox o
           SET key = replace(o.key, erased::text, nobody::text),
               payload = replace(o.payload::text, erased::text, nobody::text)::jsonb - 'feedback' - 'details'
         WHERE o.id = event.id;
    END LOOP;
    RETURN last;
END
$$;

-- Which topics a skill unlocks.
CREATE INDEX idx_topic_locked ON topics (target_language_code, code) WHERE required_skills <> '{}';
