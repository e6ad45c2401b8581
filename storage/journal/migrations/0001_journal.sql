-- The journal. Times are milliseconds since 1970 in UTC. Columns named *_sealed are AES-256-GCM
-- under the journal key; every message is in one of them. Names of groups are not sealed.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE place (                    -- each connector's cursor, moved only with its events
    connector TEXT PRIMARY KEY,
    cursor    BLOB NOT NULL,
    at        INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE register (                 -- the groups
    connector   TEXT NOT NULL,
    group_id    TEXT NOT NULL,
    platform    TEXT NOT NULL,
    name        TEXT,
    state       TEXT NOT NULL CHECK (state IN ('proposed', 'approved', 'active', 'not_recording',
                                               'paused', 'removed', 'closed')),
    notice      TEXT NOT NULL CHECK (notice IN ('due', 'posted', 'refused')),
    presence    TEXT CHECK (presence IN ('invited', 'joined', 'left', 'removed')),
    note        TEXT NOT NULL DEFAULT '',
    capture_all INTEGER NOT NULL DEFAULT 0,
    listed      INTEGER NOT NULL DEFAULT 0, -- approved by the settings file
    notices     INTEGER NOT NULL DEFAULT 0, -- settled so far
    PRIMARY KEY (connector, group_id)
) WITHOUT ROWID;

CREATE TABLE stream (
    sid        INTEGER PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    connector  TEXT NOT NULL,
    group_id   TEXT NOT NULL,
    gid        TEXT NOT NULL,
    key_sealed BLOB NOT NULL,
    next_n     INTEGER NOT NULL DEFAULT 0,
    opened_at  INTEGER NOT NULL,
    closed_at  INTEGER,
    FOREIGN KEY (connector, group_id) REFERENCES register (connector, group_id)
);
CREATE UNIQUE INDEX stream_open ON stream (connector, group_id) WHERE closed_at IS NULL;

CREATE TABLE entry (
    seq            INTEGER PRIMARY KEY,
    sid            INTEGER NOT NULL REFERENCES stream (sid),
    n              INTEGER NOT NULL,
    ident          BLOB NOT NULL,       -- blinded (stream, upstream id, revision)
    kind           TEXT NOT NULL,
    received_at    INTEGER NOT NULL,
    safe_by        INTEGER NOT NULL,
    expires_at     INTEGER,
    state          TEXT NOT NULL CHECK (state IN ('received', 'judged', 'sealed', 'stored',
                                                  'discarded', 'restricted', 'destroyed')),
    outcome        TEXT CHECK (outcome IN ('capture', 'review', 'discard')),
    payload_sealed BLOB,
    verdict_sealed BLOB,
    record_sealed  BLOB,
    digest         BLOB,
    key            TEXT,
    seen_leaf      INTEGER REFERENCES leaf (idx),
    stored_at      INTEGER,
    late_ms        INTEGER,
    attempts       INTEGER NOT NULL DEFAULT 0,
    next_try       INTEGER NOT NULL DEFAULT 0,
    error          TEXT,
    manifest_due   INTEGER NOT NULL DEFAULT 0,
    UNIQUE (sid, n),
    UNIQUE (sid, ident)
);
CREATE INDEX entry_work ON entry (state, safe_by) WHERE state IN ('received', 'judged', 'sealed');
CREATE INDEX entry_discarded ON entry (received_at) WHERE state = 'discarded';
CREATE INDEX entry_manifest ON entry (seq) WHERE manifest_due = 1;
CREATE INDEX entry_roster ON entry (sid, n) WHERE kind IN ('roster', 'membership');

CREATE TABLE download (                 -- attachments still to fetch, fetched, or given up
    id                INTEGER PRIMARY KEY,
    seq               INTEGER NOT NULL REFERENCES entry (seq),
    i                 INTEGER NOT NULL,
    state             TEXT NOT NULL CHECK (state IN ('waiting', 'spooled', 'stored', 'failed')),
    due               INTEGER NOT NULL,
    attachment_sealed BLOB NOT NULL,
    file_sealed       BLOB,
    attempts          INTEGER NOT NULL DEFAULT 0,
    next_try          INTEGER NOT NULL DEFAULT 0,
    error             TEXT,
    UNIQUE (seq, i)
);
CREATE INDEX download_work ON download (due) WHERE state = 'waiting';

CREATE TABLE gap (
    id            INTEGER PRIMARY KEY,
    sid           INTEGER NOT NULL REFERENCES stream (sid),
    after         INTEGER NOT NULL,
    why           TEXT NOT NULL,
    since         INTEGER,
    until         INTEGER,
    detail_sealed BLOB NOT NULL,
    at            INTEGER NOT NULL,
    leaf          INTEGER NOT NULL REFERENCES leaf (idx)
);

CREATE TABLE leaf (                     -- lines of the log, in its order
    idx  INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    body BLOB NOT NULL
);

CREATE TABLE placement (                -- manifest parts and acts: fixed bytes, number on arrival
    id          INTEGER PRIMARY KEY,
    kind        TEXT NOT NULL,
    folder      TEXT NOT NULL,
    series      TEXT NOT NULL,          -- numbers are free or taken within one series
    number      INTEGER,
    body_sealed BLOB NOT NULL,
    connector   TEXT NOT NULL,
    group_id    TEXT NOT NULL,
    at          INTEGER NOT NULL,
    stream      TEXT,
    total       INTEGER,
    leaf        INTEGER REFERENCES leaf (idx)
);
CREATE INDEX placement_waiting ON placement (id) WHERE leaf IS NULL;
CREATE INDEX placement_number ON placement (series, number);

CREATE TABLE unsplit (                  -- responses whose events could not be told apart
    digest      BLOB PRIMARY KEY,
    connector   TEXT NOT NULL,
    at          INTEGER NOT NULL,
    body_sealed BLOB NOT NULL
) WITHOUT ROWID;
