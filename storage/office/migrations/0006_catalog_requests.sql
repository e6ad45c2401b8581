-- A rebuild of the catalog may be asked for. The table is made anew, since SQLite alters no CHECK;
-- numbers stay what they are, and none is given twice: the sequence goes with the new table.
CREATE TABLE request_of_every_kind (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (
        kind IN ('reconcile', 'reconcile_source', 'keys_export', 'keys_import', 'catalog_rebuild')
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

INSERT INTO request_of_every_kind
SELECT number, kind, asked_by, at, connector, file, passphrase_file FROM request ORDER BY number;

DROP TABLE request;

ALTER TABLE request_of_every_kind RENAME TO request;

CREATE TRIGGER request_never_changes BEFORE UPDATE ON request
BEGIN
    SELECT RAISE(ABORT, 'request is append-only');
END;

CREATE TRIGGER request_never_goes BEFORE DELETE ON request
BEGIN
    SELECT RAISE(ABORT, 'request is append-only');
END;
