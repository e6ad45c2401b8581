-- Encrypted groups: what carries keys, and what no key has opened yet.

CREATE TABLE to_device (                -- messages to our device alone
    connector  TEXT NOT NULL,
    number     INTEGER NOT NULL,        -- their order, without a gap from 1
    digest     BLOB NOT NULL UNIQUE,    -- blinded (connector, message)
    at         INTEGER NOT NULL,
    raw_sealed BLOB,                    -- NULL: the decrypter has it; that it came is known for a week
    PRIMARY KEY (connector, number)
);
CREATE INDEX to_device_waiting ON to_device (connector, number) WHERE raw_sealed IS NOT NULL;
CREATE INDEX to_device_taken ON to_device (connector, at) WHERE raw_sealed IS NULL;

CREATE TABLE to_device_last (           -- the highest number ever given, whatever is left of its row
    connector TEXT PRIMARY KEY,
    number    INTEGER NOT NULL,
    given     INTEGER NOT NULL DEFAULT 0 -- the highest that a decrypter was ever given
) WITHOUT ROWID;

CREATE TABLE unopened (                 -- entries of kind 'encrypted' that nothing decrypted yet
    seq         INTEGER PRIMARY KEY REFERENCES entry (seq),
    connector   TEXT NOT NULL,
    session     BLOB NOT NULL,          -- blinded name of the key
    received_at INTEGER NOT NULL,
    why         TEXT NOT NULL DEFAULT '',   -- what was last in the way: our own words, no message
    gave_up     INTEGER NOT NULL DEFAULT 0  -- 1: it is a gap by now; a key that comes yet still opens it
);
CREATE INDEX unopened_session ON unopened (connector, session, seq);
CREATE INDEX unopened_waiting ON unopened (connector, seq) WHERE gave_up = 0;
CREATE INDEX unopened_aging ON unopened (connector, received_at) WHERE gave_up = 0;

ALTER TABLE entry ADD COLUMN opened_at INTEGER;         -- when its key came, if it was still received
ALTER TABLE entry ADD COLUMN opened_beside INTEGER NOT NULL DEFAULT 0;  -- 1: a later entry has its content
DROP INDEX entry_undecided;
CREATE INDEX entry_undecided ON entry (received_at)
    WHERE state = 'stored' AND outcome = 'review' AND opened_beside = 0;
