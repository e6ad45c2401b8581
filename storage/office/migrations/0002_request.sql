-- What a running recorder is asked to do besides its daily work. Added and never altered, like
-- group_step; AUTOINCREMENT never gives a number twice.
CREATE TABLE request (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('reconcile', 'reconcile_source')),
    asked_by TEXT NOT NULL,
    at TEXT NOT NULL
) STRICT;

CREATE TRIGGER request_never_changes BEFORE UPDATE ON request
BEGIN
    SELECT RAISE(ABORT, 'request is append-only');
END;

CREATE TRIGGER request_never_goes BEFORE DELETE ON request
BEGIN
    SELECT RAISE(ABORT, 'request is append-only');
END;
