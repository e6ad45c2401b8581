-- Steps on groups, as people ordered them. Rows are only ever added: what was ordered stays
-- ordered, and AUTOINCREMENT never gives a number twice.
CREATE TABLE group_step (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('propose', 'approve', 'pause', 'resume', 'close')),
    connector TEXT NOT NULL CHECK (connector <> ''),
    group_id TEXT NOT NULL CHECK (group_id <> ''),
    name TEXT,
    ordered_by TEXT NOT NULL,
    at TEXT NOT NULL,
    why TEXT NOT NULL
) STRICT;

CREATE TRIGGER group_step_never_changes BEFORE UPDATE ON group_step
BEGIN
    SELECT RAISE(ABORT, 'group_step is append-only');
END;

CREATE TRIGGER group_step_never_goes BEFORE DELETE ON group_step
BEGIN
    SELECT RAISE(ABORT, 'group_step is append-only');
END;
