-- The keys of one Matrix device. Times are milliseconds since 1970 in UTC. What is secret stands in
-- `pickle`, encrypted with the store's key.

CREATE TABLE meta (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    user_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    proof BLOB NOT NULL,              -- opens with the key this store was made with, and no other
    taken INTEGER NOT NULL DEFAULT 0  -- number of the last to-device message taken
) STRICT;

CREATE TABLE account (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    pickle TEXT NOT NULL,
    is_published INTEGER NOT NULL DEFAULT 0,  -- one-time keys were uploaded at least once
    fallback_at INTEGER                       -- when the newest fallback key was made
) STRICT;

CREATE TABLE olm_session (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    sender_key TEXT NOT NULL,         -- curve25519 key of the other device; others may show it too
    ed25519 TEXT NOT NULL DEFAULT '', -- which makes it this device's; '' until it has said it
    is_begun INTEGER NOT NULL,        -- by us, with who only says that the key is his
    session_id TEXT NOT NULL,
    pickle TEXT NOT NULL,
    used INTEGER NOT NULL,            -- the highest of a device is the one to send with
    used_at INTEGER NOT NULL,
    UNIQUE (sender_key, session_id)
) STRICT;
CREATE INDEX olm_session_by_use ON olm_session (sender_key, used);
CREATE INDEX olm_session_by_age ON olm_session (used_at);

-- Olm messages that were decrypted, so that one that comes again is known.
CREATE TABLE heard (
    digest BLOB PRIMARY KEY,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX heard_by_age ON heard (at);

CREATE TABLE inbound (
    session INTEGER PRIMARY KEY AUTOINCREMENT,
    number INTEGER NOT NULL UNIQUE,   -- grows with every change: what is exported, in order
    room_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    sender TEXT,                      -- the user it came from; NULL where that is only claimed
    sender_key TEXT NOT NULL,
    ed25519 TEXT NOT NULL,            -- '' where not known
    pickle TEXT NOT NULL,
    first_index INTEGER NOT NULL,
    direct_index INTEGER,             -- from which on the sender itself gave it to us
    provenance TEXT NOT NULL,         -- of what lies before direct_index
    forwarders TEXT NOT NULL DEFAULT '[]',
    is_backed_up INTEGER NOT NULL DEFAULT 0,
    at INTEGER NOT NULL,              -- when it came first, or its sender itself gave it first
    UNIQUE (room_id, session_id)
) STRICT;
CREATE INDEX inbound_to_back_up ON inbound (number) WHERE is_backed_up = 0;

CREATE TABLE withheld (
    room_id TEXT NOT NULL,            -- '' with m.no_olm
    session_id TEXT NOT NULL,         -- '' with m.no_olm
    sender TEXT NOT NULL,             -- who says it: it is about that user's events alone
    sender_key TEXT NOT NULL,
    code TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (room_id, session_id, sender, sender_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX withheld_by_sender ON withheld (sender, at);
CREATE INDEX withheld_by_age ON withheld (at);

-- What to tell operators of: anybody may say that he withholds something.
CREATE VIEW withheld_by_tracked AS
SELECT * FROM withheld WHERE sender IN (SELECT user_id FROM tracked);

-- How many room keys came from users who are not tracked, by user and by server.
CREATE TABLE unasked (
    name TEXT PRIMARY KEY,
    keys INTEGER NOT NULL,
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Which event used an index of a session first: another with the same one is a replay.
CREATE TABLE played (
    session INTEGER NOT NULL,         -- inbound.session
    idx INTEGER NOT NULL,
    sender TEXT NOT NULL,             -- who is said to have sent it: a copy by another takes nothing
    event_id TEXT NOT NULL,
    PRIMARY KEY (session, idx, sender)
) STRICT, WITHOUT ROWID;

CREATE TABLE identity (
    user_id TEXT PRIMARY KEY,
    master TEXT NOT NULL,
    since INTEGER NOT NULL,
    before TEXT                       -- the master key that was replaced; NULL for the first seen
) STRICT;

CREATE TABLE device (
    user_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    curve25519 TEXT NOT NULL,
    ed25519 TEXT NOT NULL,
    trust TEXT NOT NULL,
    gone INTEGER NOT NULL DEFAULT 0,  -- since when it is not shown; what it sent before stays its own
    PRIMARY KEY (user_id, device_id)
) STRICT;
CREATE INDEX device_by_key ON device (user_id, curve25519);
CREATE INDEX device_by_key_alone ON device (curve25519);

CREATE TABLE tracked (
    user_id TEXT PRIMARY KEY,
    outdated INTEGER NOT NULL DEFAULT 1, -- a count: what rises during a query stays outdated
    unread INTEGER NOT NULL DEFAULT 0    -- devices shown beyond those that are read
) STRICT;

-- When a new Olm session was last begun with a device whose messages could not be decrypted.
CREATE TABLE unwedged (
    device TEXT PRIMARY KEY,          -- its user and its curve25519 key: others may show that too
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Which backup the marks in `inbound` are about.
CREATE TABLE backup (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    mark TEXT NOT NULL                -- version and public key of the backup at the server
) STRICT;
