-- Timers of groups, what groups are still to be told, and what the store is compared with.

ALTER TABLE register ADD COLUMN timer_seconds REAL;     -- what a message said now disappears by
ALTER TABLE register ADD COLUMN timer_basis TEXT;
ALTER TABLE register ADD COLUMN standing TEXT;          -- JSON: the standing timer as last told; NULL: never

-- A deadline that follows no timer of the group: promoted; or of version 1, whose rows do not tell
-- a message's own timer from the group's, so that what was pending then keeps what it was given.
ALTER TABLE entry ADD COLUMN fixed_deadline INTEGER NOT NULL DEFAULT 0;
UPDATE entry SET fixed_deadline = 1
WHERE state IN ('received', 'judged', 'sealed')
   OR seq IN (SELECT seq FROM download WHERE state = 'waiting');

ALTER TABLE entry ADD COLUMN place TEXT;                -- <gid>/<YYYY>/<MM>/<DD>, once it is sealed
UPDATE entry SET place = substr(substr(substr(key, instr(key, '/') + 1),
                                       instr(substr(key, instr(key, '/') + 1), '/') + 1), 1, 27)
WHERE key IS NOT NULL;
DROP INDEX entry_manifest;
CREATE INDEX entry_manifest ON entry (place, seq) WHERE manifest_due = 1;
CREATE INDEX entry_filed ON entry (place, n) WHERE place IS NOT NULL;
CREATE INDEX entry_expiring ON entry (state, expires_at)
    WHERE state IN ('received', 'judged', 'sealed') AND expires_at IS NOT NULL;
CREATE INDEX entry_undecided ON entry (received_at) WHERE state = 'stored' AND outcome = 'review';

ALTER TABLE placement ADD COLUMN digest BLOB;           -- of the body; NULL in rows of version 1

CREATE TABLE superseded (               -- streams of a lost journal, as the store showed them
    stream    TEXT PRIMARY KEY,
    connector TEXT NOT NULL,
    group_id  TEXT NOT NULL,
    last_n    INTEGER NOT NULL,
    at        INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX gap_stream ON gap (sid);

CREATE TABLE hearing (                  -- when each platform was last heard
    connector TEXT PRIMARY KEY,
    at        INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE saying (                   -- sentences for groups: our own words, no message
    id        INTEGER PRIMARY KEY,
    connector TEXT NOT NULL,
    group_id  TEXT NOT NULL,
    key       TEXT NOT NULL UNIQUE,
    until     INTEGER NOT NULL,
    text      TEXT NOT NULL,
    said      INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX saying_waiting ON saying (id) WHERE said = 0;
