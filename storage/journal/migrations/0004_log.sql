-- The published log: outside proofs to be kept, what was taken back from the store, the daily audit.

CREATE TABLE anchor (                   -- witness lines and timestamps of checkpoints
    id     INTEGER PRIMARY KEY,
    key    TEXT NOT NULL UNIQUE,        -- below v1/<tenant>/
    size   INTEGER NOT NULL,            -- leaves under that checkpoint
    at     INTEGER NOT NULL,
    body   BLOB,                        -- NULL: it has its place, or was given up
    leaf   INTEGER REFERENCES leaf (idx)
);
CREATE INDEX anchor_waiting ON anchor (id) WHERE body IS NOT NULL;

CREATE TABLE grafted (                  -- objects named by leaves that another life of this log wrote
    p    TEXT NOT NULL,                 -- sha256 of the key, as the leaf has it
    o    TEXT NOT NULL,
    leaf INTEGER NOT NULL REFERENCES leaf (idx),
    PRIMARY KEY (p, o)
) WITHOUT ROWID;

CREATE TABLE seen_count (               -- seen leaves of each stream, as far as they were counted
    stream TEXT PRIMARY KEY,
    last_n INTEGER NOT NULL,
    seen   INTEGER NOT NULL
) WITHOUT ROWID;

CREATE UNIQUE INDEX placement_audit ON placement (folder) WHERE kind = 'audit';
