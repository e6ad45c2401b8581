-- What people say of messages they review: labels, reason codes, and the sample that stands before
-- a decision on many; and legal holds with their releases. The table of decisions is made anew, since
-- SQLite alters no CHECK; numbers stay what they are.
CREATE TABLE decision_with_labels (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    stream TEXT NOT NULL CHECK (stream <> ''),
    n INTEGER NOT NULL CHECK (n >= 0),
    outcome TEXT NOT NULL CHECK (outcome IN ('capture', 'review', 'discard')),
    decided_by TEXT NOT NULL,
    at TEXT NOT NULL,
    why TEXT NOT NULL,
    label TEXT NOT NULL DEFAULT '' CHECK (
        label IN ('', 'context', 'class', 'personal', 'party', 'escalated')
    ),
    code TEXT NOT NULL DEFAULT '',
    lot TEXT NOT NULL DEFAULT '',           -- of whose sample it is one, or none
    CHECK ((outcome = 'review') = (label IN ('personal', 'party', 'escalated'))),
    CHECK (label NOT IN ('context', 'class') OR outcome = 'capture'),
    CHECK ((code <> '') = (label = 'class'))
) STRICT;

INSERT INTO decision_with_labels (number, stream, n, outcome, decided_by, at, why)
SELECT number, stream, n, outcome, decided_by, at, why FROM decision ORDER BY number;

DROP TABLE decision;

ALTER TABLE decision_with_labels RENAME TO decision;

CREATE INDEX decision_event ON decision (stream, n, number);
CREATE INDEX decision_lot ON decision (lot, decided_by, number) WHERE lot <> '';
CREATE INDEX decision_mark ON decision (number) WHERE outcome = 'review';

CREATE TRIGGER decision_never_changes BEFORE UPDATE ON decision
BEGIN
    SELECT RAISE(ABORT, 'decision is append-only');
END;

CREATE TRIGGER decision_never_goes BEFORE DELETE ON decision
BEGIN
    SELECT RAISE(ABORT, 'decision is append-only');
END;

CREATE TABLE hold (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    authority TEXT NOT NULL CHECK (authority <> ''),
    matter TEXT NOT NULL CHECK (matter <> ''),
    scope TEXT NOT NULL,                    -- JSON
    placed_by TEXT NOT NULL CHECK (placed_by <> ''),
    at TEXT NOT NULL,
    why TEXT NOT NULL
) STRICT;

CREATE TABLE hold_release (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    hold INTEGER NOT NULL UNIQUE REFERENCES hold (number),
    released_by TEXT NOT NULL CHECK (released_by <> ''),
    at TEXT NOT NULL,
    why TEXT NOT NULL
) STRICT;

CREATE TRIGGER hold_never_changes BEFORE UPDATE ON hold
BEGIN
    SELECT RAISE(ABORT, 'hold is append-only');
END;

CREATE TRIGGER hold_never_goes BEFORE DELETE ON hold
BEGIN
    SELECT RAISE(ABORT, 'hold is append-only');
END;

CREATE TRIGGER hold_release_never_changes BEFORE UPDATE ON hold_release
BEGIN
    SELECT RAISE(ABORT, 'hold_release is append-only');
END;

CREATE TRIGGER hold_release_never_goes BEFORE DELETE ON hold_release
BEGIN
    SELECT RAISE(ABORT, 'hold_release is append-only');
END;

CREATE TRIGGER hold_release_by_another BEFORE INSERT ON hold_release
WHEN NEW.released_by = (SELECT placed_by FROM hold WHERE number = NEW.hold)
BEGIN
    SELECT RAISE(ABORT, 'a hold is released by somebody else than who placed it');
END;
