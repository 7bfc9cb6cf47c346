-- How often each participant has joined: of two sockets of one user, which may be at two instances with two clocks, the
-- one with the higher number has taken over from the other.
ALTER TABLE session_participants ADD COLUMN joins int NOT NULL DEFAULT 0;
