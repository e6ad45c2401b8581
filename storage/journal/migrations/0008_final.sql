-- Whether a discard was judged once more, with what followed it. Those of before are final as they
-- are: people would be given old reviews whose time is over.

ALTER TABLE entry ADD COLUMN final INTEGER NOT NULL DEFAULT 0;
UPDATE entry SET final = 1 WHERE state = 'discarded';
CREATE INDEX entry_open_discard ON entry (received_at) WHERE state = 'discarded' AND final = 0;
