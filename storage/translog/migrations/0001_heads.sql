-- The last head of each shard: whoever swaps it may publish it. Times are milliseconds since 1970.

CREATE TABLE head (
    shard TEXT PRIMARY KEY,
    size  INTEGER NOT NULL,
    root  BLOB NOT NULL,
    note  BLOB NOT NULL,
    at    INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE shown (                    -- what the store is known to show, for `status`
    shard TEXT PRIMARY KEY,
    size  INTEGER NOT NULL,
    at    INTEGER NOT NULL
) WITHOUT ROWID;
