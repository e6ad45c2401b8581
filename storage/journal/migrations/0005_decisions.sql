-- What people decide of messages, and what groups ask of the recorder.

CREATE TABLE decision (
    id           INTEGER PRIMARY KEY,
    key          TEXT NOT NULL UNIQUE,  -- of the office its number, of a group the blinded event that asked
    seq          INTEGER NOT NULL REFERENCES entry (seq),
    outcome      TEXT NOT NULL CHECK (outcome IN ('capture', 'discard')),
    via          TEXT NOT NULL CHECK (via IN ('console', 'command', 'reaction')),
    at           INTEGER NOT NULL,
    words_sealed BLOB NOT NULL,         -- who, and why
    state        TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'done', 'refused')),
    score        REAL,                  -- of the judgement, as are policy and model
    policy       TEXT,
    model        TEXT,
    audited      INTEGER NOT NULL DEFAULT 0, -- drawn by lot from the discards
    placement    INTEGER REFERENCES placement (id)
);
CREATE INDEX decision_waiting ON decision (id) WHERE state = 'waiting';
CREATE INDEX decision_of ON decision (seq);
CREATE INDEX decision_act ON decision (placement) WHERE placement IS NOT NULL;

CREATE TABLE command (                  -- entries that ask something of the recorder
    seq  INTEGER PRIMARY KEY REFERENCES entry (seq),
    done INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX command_waiting ON command (seq) WHERE done = 0;
