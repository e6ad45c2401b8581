-- What people decide of messages. Added and never altered, like group_step; AUTOINCREMENT never
-- gives a number twice.
CREATE TABLE decision (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    stream TEXT NOT NULL CHECK (stream <> ''),
    n INTEGER NOT NULL CHECK (n >= 0),
    outcome TEXT NOT NULL CHECK (outcome IN ('capture', 'discard')),
    decided_by TEXT NOT NULL,
    at TEXT NOT NULL,
    why TEXT NOT NULL
) STRICT;

CREATE TRIGGER decision_never_changes BEFORE UPDATE ON decision
BEGIN
    SELECT RAISE(ABORT, 'decision is append-only');
END;

CREATE TRIGGER decision_never_goes BEFORE DELETE ON decision
BEGIN
    SELECT RAISE(ABORT, 'decision is append-only');
END;
