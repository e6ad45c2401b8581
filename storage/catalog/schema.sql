-- The catalog. Derived from the store and rebuilt from it; never evidence, never backed up. Times
-- are milliseconds since 1970 in UTC.

CREATE TABLE known_group (
    gid      TEXT PRIMARY KEY,
    platform TEXT NOT NULL DEFAULT '',
    group_id TEXT NOT NULL,
    name     TEXT
) WITHOUT ROWID;

CREATE TABLE listing (
    id           INTEGER PRIMARY KEY,   -- when it was said, and a number: the order of every page
    stream       TEXT NOT NULL,
    n            INTEGER NOT NULL,
    gid          TEXT NOT NULL,
    part         INTEGER NOT NULL,      -- of the manifest: the row of the highest part holds
    day          TEXT NOT NULL,
    leaf         INTEGER NOT NULL,
    outcome      TEXT NOT NULL,
    reasons      TEXT NOT NULL,
    score        REAL NOT NULL,
    policy       TEXT NOT NULL,
    model        TEXT NOT NULL,
    context      TEXT NOT NULL,
    sent_at      INTEGER,
    key          TEXT,
    stem         TEXT,
    sha256       TEXT,
    damaged      INTEGER NOT NULL,
    observed_at  INTEGER,
    kind         TEXT,
    upstream_id  TEXT,
    revision     TEXT,
    sender_id    TEXT,
    sender_name  TEXT,
    body         TEXT,
    relation     TEXT,
    target_id    TEXT,
    target_n     INTEGER,
    media        TEXT NOT NULL,
    method       TEXT,
    timer        REAL,
    roster       INTEGER,
    UNIQUE (stream, n)
);
CREATE INDEX listing_day ON listing (gid, day, id);
CREATE INDEX listing_stem ON listing (stem) WHERE stem IS NOT NULL;
CREATE INDEX listing_message ON listing (stream, upstream_id) WHERE upstream_id IS NOT NULL;
CREATE INDEX listing_target ON listing (stream, target_id) WHERE target_id IS NOT NULL;

CREATE VIRTUAL TABLE word USING fts5 (   -- rowid is listing.id; its rows are taken out by their text
    body, names, facets, content = '', tokenize = "unicode61 remove_diacritics 2", prefix = '2 3'
);

CREATE TABLE person (
    sender_id TEXT PRIMARY KEY,
    name      TEXT NOT NULL,
    at        INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX person_name ON person (name COLLATE NOCASE);

CREATE TABLE day_count (
    gid       TEXT NOT NULL,
    day       TEXT NOT NULL,
    outcome   TEXT NOT NULL,
    number    INTEGER NOT NULL,
    PRIMARY KEY (gid, day, outcome)
) WITHOUT ROWID;

CREATE TABLE act (
    key      TEXT PRIMARY KEY,
    kind     TEXT NOT NULL,
    at       INTEGER NOT NULL,
    done_by  TEXT NOT NULL,
    subject  TEXT,
    document TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX act_at ON act (at);
CREATE INDEX act_kind ON act (kind, at);

CREATE TABLE taken (key TEXT PRIMARY KEY) WITHOUT ROWID;
