-- What a proposal or an approval says of a group. NULL: nothing; what stands stays.
ALTER TABLE group_step ADD COLUMN owner TEXT;
ALTER TABLE group_step ADD COLUMN purpose TEXT;
ALTER TABLE group_step ADD COLUMN retention TEXT;
ALTER TABLE group_step ADD COLUMN dpia TEXT;
ALTER TABLE group_step ADD COLUMN device_type TEXT;
ALTER TABLE group_step ADD COLUMN capture_all INTEGER CHECK (capture_all IN (0, 1));
