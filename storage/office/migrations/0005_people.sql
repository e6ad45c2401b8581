-- Who uses the console, who is signed in, and the trail of what they did. Of a session stands the
-- digest of its cookie; of a password its argon2id hash.
CREATE TABLE account (
    name TEXT PRIMARY KEY CHECK (name <> ''),
    roles TEXT NOT NULL,                    -- JSON
    groups TEXT NOT NULL,                   -- JSON: gids; none means all
    password TEXT,
    disabled INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
    at TEXT NOT NULL,
    subject TEXT UNIQUE                     -- of who signs in elsewhere: issuer and id
) STRICT;

CREATE TABLE session (
    digest BLOB PRIMARY KEY,
    name TEXT NOT NULL,
    roles TEXT NOT NULL,
    groups TEXT NOT NULL,
    csrf TEXT NOT NULL,
    began_at TEXT NOT NULL,
    seen_at TEXT NOT NULL,
    proved_at TEXT NOT NULL
) STRICT;
CREATE INDEX session_seen ON session (seen_at);

CREATE TABLE trail (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL,
    subject TEXT NOT NULL,
    details TEXT NOT NULL,
    allowed INTEGER NOT NULL CHECK (allowed IN (0, 1)),
    chain BLOB NOT NULL                     -- SHA-256 over the one before and this line
) STRICT;
CREATE INDEX trail_who ON trail (who, number);

CREATE TRIGGER trail_never_changes BEFORE UPDATE ON trail
BEGIN
    SELECT RAISE(ABORT, 'trail is append-only');
END;

CREATE TRIGGER trail_never_goes BEFORE DELETE ON trail
BEGIN
    SELECT RAISE(ABORT, 'trail is append-only');
END;
