-- Who runs a session, and whether they are alive: what one instance runs, another must not end.

-- One row a process; it says every few seconds that it is there. One that has stopped, or has been silent for
-- too long, is dead, and what it ran is open to the others.
CREATE TABLE instances (
    id uuid PRIMARY KEY,
    seen_at timestamptz NOT NULL,
    is_stopped boolean NOT NULL DEFAULT false
);

ALTER TABLE session_participants ADD COLUMN joined_by uuid; -- the instance that has, or had, the socket
