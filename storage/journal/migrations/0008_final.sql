-- Whether a discard was judged once more, with what followed it.

ALTER TABLE entry ADD COLUMN final INTEGER NOT NULL DEFAULT 0;
CREATE INDEX entry_open_discard ON entry (received_at) WHERE state = 'discarded' AND final = 0;
