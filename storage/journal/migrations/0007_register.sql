-- The register's particulars: why a group may be recorded, who let it in, and what it was told.

ALTER TABLE register ADD COLUMN owner TEXT;             -- who answers for it
ALTER TABLE register ADD COLUMN purpose TEXT;
ALTER TABLE register ADD COLUMN retention TEXT;         -- a class of the settings; NULL: the usual one
ALTER TABLE register ADD COLUMN dpia TEXT;
ALTER TABLE register ADD COLUMN device_type TEXT;
ALTER TABLE register ADD COLUMN proposed_by TEXT;
ALTER TABLE register ADD COLUMN approved_by TEXT;
ALTER TABLE register ADD COLUMN approved_at INTEGER;

-- Of the last notice settled; '': it is to be said again. A notice of version 6 had no version.
ALTER TABLE register ADD COLUMN notice_version TEXT;
ALTER TABLE register ADD COLUMN notice_at INTEGER;
UPDATE register SET notice_version = '' WHERE notices > 0 AND state NOT IN ('removed', 'closed');

ALTER TABLE register ADD COLUMN newcomer_at INTEGER;    -- the first member who was not told yet
ALTER TABLE register ADD COLUMN newcomers_told_at INTEGER;
