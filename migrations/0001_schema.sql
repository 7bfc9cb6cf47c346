-- The schema. Times are written by the service from its own clock, given with each statement, and never from
-- now(): a test with a virtual clock and every rule that compares times then agree with the rows. The defaults
-- serve seeds and hands.
--
-- Who may be in one thing at a time is enforced here and not only in the statements, so that no race between
-- two instances, and no bug, can break it: one pending request a user (idx_match_one_pending), one live session
-- a user (idx_participant_one_live).

-- --- topics ---------------------------------------------------------------------------------------------------------

CREATE TABLE topics (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    code text NOT NULL CHECK (code ~ '^[a-z0-9_]+(\.[a-z0-9_]+)*$' AND length(code) < 64),
    target_language_code text NOT NULL CHECK (length(target_language_code) BETWEEN 2 AND 11),
    name_key text NOT NULL,
    description_key text NOT NULL,
    title text NOT NULL,
    description text,
    level text NOT NULL CHECK (level IN ('A1', 'A2', 'B1', 'B2', 'C1', 'C2')),
    category text NOT NULL
        CHECK (category IN ('daily_life', 'travel', 'work', 'hobbies', 'culture', 'news', 'other')),
    required_skills text[] NOT NULL DEFAULT '{}',
    estimated_duration_minutes int NOT NULL CHECK (estimated_duration_minutes > 0),
    image_url text,
    is_active boolean NOT NULL DEFAULT true,
    popularity_score double precision NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT idx_topic_code UNIQUE (code, target_language_code)
);
CREATE INDEX idx_topic_language_level ON topics (target_language_code, level, is_active);
CREATE INDEX idx_topic_category_language ON topics (category, target_language_code);

CREATE TABLE topic_prompts (
    topic_id uuid NOT NULL REFERENCES topics (id) ON DELETE CASCADE,
    prompt_key text NOT NULL CHECK (octet_length(prompt_key) < 128),
    type text NOT NULL CHECK (type IN ('icebreaker', 'main', 'follow_up')),
    sort_order int NOT NULL,
    PRIMARY KEY (topic_id, prompt_key)
);

-- Codes that go together although neither is the dotted parent of the other. COLLATE "C": the order of a pair
-- must not depend on the database's locale.
CREATE TABLE topic_compatibility (
    code_a text COLLATE "C" NOT NULL,
    code_b text COLLATE "C" NOT NULL,
    PRIMARY KEY (code_a, code_b),
    CHECK (code_a < code_b)
);

-- What a learner has acquired; projected from the event skill.acquired.
CREATE TABLE user_skills (
    user_id uuid NOT NULL,
    skill_code text NOT NULL,
    skill_id uuid NOT NULL,
    acquired_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, skill_code)
);

-- --- match requests -------------------------------------------------------------------------------------------------

CREATE TABLE match_requests (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL,
    learning_profile_id uuid,
    target_language_code text NOT NULL CHECK (length(target_language_code) BETWEEN 2 AND 11),
    native_language_code text NOT NULL CHECK (length(native_language_code) BETWEEN 2 AND 11),
    current_level text NOT NULL CHECK (current_level IN ('A1', 'A2', 'B1', 'B2', 'C1', 'C2')),
    preferred_partner_level text NOT NULL CHECK (preferred_partner_level IN ('same', 'higher', 'lower', 'any')),
    preferred_partner_native_language_code text, -- null unless a tandem is asked for
    topic_code text NOT NULL CHECK (length(topic_code) < 64),
    topic_category text NOT NULL
        CHECK (topic_category IN ('daily_life', 'travel', 'work', 'hobbies', 'culture', 'news', 'other')),
    preferred_accent text CHECK (octet_length(preferred_accent) < 16),
    preferred_duration_minutes int CHECK (preferred_duration_minutes IN (5, 10, 15, 20)),
    mode text NOT NULL CHECK (mode IN ('now', 'scheduled')),
    scheduled_for timestamptz,
    max_wait_seconds int NOT NULL CHECK (max_wait_seconds > 0),
    recording_consent boolean NOT NULL DEFAULT false,
    tier text NOT NULL CHECK (tier IN ('free', 'premium')),
    -- The learner's profile as it was when the request was made: the session's participant is made of it.
    display_name text NOT NULL DEFAULT '' CHECK (octet_length(display_name) < 200),
    avatar_url text CHECK (octet_length(avatar_url) < 512),
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'matched', 'expired', 'cancelled')),
    -- No foreign key: a session that nobody joined is deleted, and the request still says that it was matched.
    matched_session_id uuid,
    matched_with_user_id uuid,
    compatibility_score int,
    level_difference int CHECK (level_difference BETWEEN 0 AND 5),
    created_at timestamptz NOT NULL DEFAULT now(),
    matched_at timestamptz,
    expires_at timestamptz NOT NULL,
    CHECK ((mode = 'scheduled') = (scheduled_for IS NOT NULL)),
    CHECK ((status = 'matched') = (matched_session_id IS NOT NULL)),
    CHECK ((status = 'matched') = (matched_with_user_id IS NOT NULL)),
    CHECK ((status = 'matched') = (matched_at IS NOT NULL))
);
CREATE UNIQUE INDEX idx_match_one_pending ON match_requests (user_id) WHERE status = 'pending';
CREATE INDEX idx_match_status_language ON match_requests (status, target_language_code, created_at);
CREATE INDEX idx_match_user ON match_requests (user_id, status);
CREATE INDEX idx_match_user_latest ON match_requests (user_id, created_at DESC);
CREATE INDEX idx_match_expires ON match_requests (expires_at);
-- The recent waits of a language, from which the next learner's is estimated.
CREATE INDEX idx_match_recent ON match_requests (target_language_code, matched_at DESC) WHERE status = 'matched';

-- --- sessions -------------------------------------------------------------------------------------------------------

CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    target_language_code text NOT NULL,
    topic_code text NOT NULL, -- no foreign key: a topic may be withdrawn, its conversations remain
    target_level text NOT NULL CHECK (target_level IN ('A1', 'A2', 'B1', 'B2', 'C1', 'C2')),
    session_type text NOT NULL CHECK (session_type IN ('practice', 'tandem')),
    is_any_level boolean NOT NULL DEFAULT false, -- paired by the phase that admits any level
    status text NOT NULL DEFAULT 'waiting'
        CHECK (status IN ('waiting', 'active', 'completed', 'aborted', 'expired', 'cancelled')),
    end_reason text CHECK (end_reason IN ('completed', 'dropped', 'timeout', 'reported', 'left', 'no_show')),
    scheduled_at timestamptz,
    first_joined_at timestamptz,
    started_at timestamptz,
    ended_at timestamptz,
    duration_seconds int NOT NULL DEFAULT 0 CHECK (duration_seconds >= 0),
    max_duration_seconds int NOT NULL CHECK (max_duration_seconds > 0),
    recording_url text CHECK (octet_length(recording_url) < 512),
    transcript_id uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((status IN ('waiting', 'active')) = (ended_at IS NULL)),
    CHECK ((ended_at IS NULL) = (end_reason IS NULL)),
    CHECK ((status IN ('active', 'completed', 'aborted')) = (started_at IS NOT NULL))
);
CREATE INDEX idx_session_status ON sessions (status, created_at);
CREATE INDEX idx_session_completed ON sessions (status, ended_at) WHERE status = 'completed';
CREATE INDEX idx_session_status_language ON sessions (status, target_language_code);

-- Two rows a session. is_live says that the session is waiting or active; it stands here, and not only in
-- sessions.status, because only an index on this table can forbid a user to be in two live sessions.
CREATE TABLE session_participants (
    session_id uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    user_id uuid NOT NULL,
    position smallint NOT NULL CHECK (position IN (0, 1)), -- 0: the one who waited longer
    role text NOT NULL CHECK (role IN ('learner', 'partner')),
    native_language_code text NOT NULL,
    target_language_code text NOT NULL,
    display_name text NOT NULL DEFAULT '' CHECK (octet_length(display_name) < 200),
    avatar_url text CHECK (octet_length(avatar_url) < 512),
    joined_at timestamptz,
    left_at timestamptz,
    spoken_seconds int NOT NULL DEFAULT 0 CHECK (spoken_seconds >= 0),
    turn_count int NOT NULL DEFAULT 0 CHECK (turn_count >= 0),
    audio_stream_url text,
    recording_consent boolean NOT NULL DEFAULT false,
    is_live boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(), -- the session's
    PRIMARY KEY (session_id, position),
    UNIQUE (session_id, user_id)
);
CREATE UNIQUE INDEX idx_participant_one_live ON session_participants (user_id) WHERE is_live;
CREATE INDEX idx_participant_user ON session_participants (user_id, created_at DESC);

-- Who has talked to whom, and when last: what matching needs to know of the sessions that were active, kept by
-- the statements that end them, so that reading it for every waiting learner does not grow with the number of
-- conversations ever held.
CREATE TABLE past_partners (
    user_id uuid NOT NULL,
    partner_id uuid NOT NULL,
    last_spoke_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, partner_id)
);

-- Prompts as they were shown; the same one may come again.
CREATE TABLE session_prompts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    prompt_key text NOT NULL,
    category text NOT NULL CHECK (category IN ('icebreaker', 'main_topic', 'follow_up')),
    displayed_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idx_session_prompt_session ON session_prompts (session_id, id);

CREATE TABLE ratings (
    session_id uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    user_id uuid NOT NULL,
    rating smallint NOT NULL CHECK (rating BETWEEN 1 AND 5),
    feedback text CHECK (char_length(feedback) <= 500),
    rated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (session_id, user_id)
);

CREATE TABLE reports (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    session_id uuid NOT NULL REFERENCES sessions (id),
    reporter_id uuid NOT NULL,
    reported_user_id uuid NOT NULL,
    reason text NOT NULL CHECK (reason IN ('inappropriate', 'harassment', 'spam', 'minor_safety', 'other')),
    details text CHECK (char_length(details) <= 1000),
    created_at timestamptz NOT NULL DEFAULT now(),
    reviewed_at timestamptz,
    CHECK (reporter_id <> reported_user_id),
    CONSTRAINT idx_report_once UNIQUE (session_id, reporter_id)
);
CREATE INDEX idx_report_reporter ON reports (reporter_id, reported_user_id);
CREATE INDEX idx_report_reported ON reports (reported_user_id, reporter_id);

-- The audio of one participant, or of the whole session where user_id is null.
CREATE TABLE recordings (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    session_id uuid NOT NULL REFERENCES sessions (id),
    user_id uuid,
    state text NOT NULL
        CHECK (state IN ('spooling', 'closed', 'uploading', 'uploaded', 'combined', 'failed', 'deleted')),
    object_key text,
    mime_type text NOT NULL DEFAULT 'audio/webm',
    size_bytes bigint NOT NULL DEFAULT 0 CHECK (size_bytes >= 0),
    last_seq bigint,
    instance_id text, -- whose local disk has the bytes; null once they are uploaded
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    uploaded_at timestamptz,
    delete_after timestamptz
);
CREATE UNIQUE INDEX idx_recording_participant ON recordings (session_id, user_id) WHERE user_id IS NOT NULL;
CREATE UNIQUE INDEX idx_recording_session ON recordings (session_id) WHERE user_id IS NULL;
CREATE INDEX idx_recording_state ON recordings (state, updated_at) WHERE state <> 'deleted';
CREATE INDEX idx_recording_retention ON recordings (delete_after) WHERE state <> 'deleted';

-- --- moderation -----------------------------------------------------------------------------------------------------

CREATE TABLE user_flags (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL,
    reason text NOT NULL,
    reporter_count int NOT NULL CHECK (reporter_count > 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    reviewed_at timestamptz,
    reviewed_by uuid,
    CHECK ((reviewed_at IS NULL) = (reviewed_by IS NULL))
);
CREATE UNIQUE INDEX idx_flag_one_open ON user_flags (user_id) WHERE reviewed_at IS NULL;

CREATE TABLE user_blocks (
    blocker_id uuid NOT NULL,
    blocked_id uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (blocker_id, blocked_id),
    CHECK (blocker_id <> blocked_id)
);
CREATE INDEX idx_block_blocked ON user_blocks (blocked_id, blocker_id);

-- --- events ---------------------------------------------------------------------------------------------------------

-- Written by the statement that changes the state, while it holds the lock on the row that changes: so the ids of one key
-- rise in the order in which things happened. key: the user whose events must stay in order.
CREATE TABLE event_outbox (
    id bigserial PRIMARY KEY,
    event_id uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE,
    event_type text NOT NULL,
    key text NOT NULL,
    payload jsonb NOT NULL,
    correlation_id text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    sent_at timestamptz
);
CREATE INDEX idx_outbox_unsent ON event_outbox (id) WHERE sent_at IS NULL;
CREATE INDEX idx_outbox_sent ON event_outbox (sent_at) WHERE sent_at IS NOT NULL;

-- --- rating ---------------------------------------------------------------------------------------------------------

-- Stores one's rating and conversation.rated; one row (status, average, topic), or none when the user is not in
-- the session. A function and not one statement: the partner may rate at the same moment, and only a statement
-- that begins after the session's lock is held sees the partner's new row, without which the average is wrong.
CREATE FUNCTION session_rate(rated_session uuid, rater uuid, stars int, words text, rated timestamptz,
                             correlation text)
RETURNS TABLE (session_status text, average double precision, session_topic text)
LANGUAGE plpgsql AS $$
DECLARE
    first_user uuid;
BEGIN
    SELECT s.status, s.topic_code INTO session_status, session_topic
      FROM sessions s
     WHERE s.id = rated_session
       AND EXISTS (SELECT FROM session_participants p WHERE p.session_id = s.id AND p.user_id = rater)
       FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF session_status NOT IN ('waiting', 'active') THEN
        INSERT INTO ratings AS r (session_id, user_id, rating, feedback, rated_at)
        VALUES (rated_session, rater, stars, words, rated)
        ON CONFLICT (session_id, user_id)
        DO UPDATE SET rating = excluded.rating, feedback = excluded.feedback, rated_at = excluded.rated_at;

        SELECT avg(r.rating) INTO average FROM ratings r WHERE r.session_id = rated_session;
        SELECT p.user_id INTO first_user
          FROM session_participants p WHERE p.session_id = rated_session AND p.position = 0;

        INSERT INTO event_outbox (event_type, key, correlation_id, created_at, payload)
        VALUES ('conversation.rated', first_user, correlation, rated,
                jsonb_build_object('sessionId', rated_session, 'userId', rater, 'rating', stars,
                                   'averageRating', average, 'topicCode', session_topic));
    END IF;
    RETURN NEXT;
END
$$;
