-- Room keys may be asked for: which connector's, and the paths of two files. A passphrase never
-- stands here. The table is made anew, since SQLite alters no CHECK; numbers stay what they are.
CREATE TABLE request_of_all_kinds (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (
        kind IN ('reconcile', 'reconcile_source', 'keys_export', 'keys_import')
    ),
    asked_by TEXT NOT NULL,
    at TEXT NOT NULL,
    connector TEXT CHECK (connector <> ''),
    file TEXT CHECK (file LIKE '/%'),
    passphrase_file TEXT CHECK (passphrase_file LIKE '/%'),
    CHECK ((connector IS NOT NULL) = (kind LIKE 'keys_%')),
    CHECK ((file IS NOT NULL) = (kind LIKE 'keys_%')),
    CHECK ((passphrase_file IS NOT NULL) = (kind LIKE 'keys_%'))
) STRICT;

INSERT INTO request_of_all_kinds (number, kind, asked_by, at)
SELECT number, kind, asked_by, at FROM request ORDER BY number;

DROP TABLE request;

ALTER TABLE request_of_all_kinds RENAME TO request;

CREATE TRIGGER request_never_changes BEFORE UPDATE ON request
BEGIN
    SELECT RAISE(ABORT, 'request is append-only');
END;

CREATE TRIGGER request_never_goes BEFORE DELETE ON request
BEGIN
    SELECT RAISE(ABORT, 'request is append-only');
END;
