-- Statements on what is encrypted: messages to our device, and entries that wait for their key.
-- A reviewer needs no Python to read them.

-- name: to_device_last
SELECT number FROM to_device_last WHERE connector = ?

-- name: to_device_last_set
INSERT INTO to_device_last (connector, number) VALUES (?, ?)
ON CONFLICT (connector) DO UPDATE SET number = excluded.number

-- name: to_device_given
SELECT given FROM to_device_last WHERE connector = ?

-- A drop may name a number that was never given; what is given has one.

-- name: to_device_given_set
UPDATE to_device_last SET given = max(given, min(?2, number)) WHERE connector = ?1

-- Another journal went up to ?2: what waits here comes after that, and so does what comes later.

-- name: to_device_first
SELECT number FROM to_device WHERE connector = ? AND raw_sealed IS NOT NULL ORDER BY number LIMIT 1

-- name: to_device_lift
UPDATE to_device SET number = -(number + ?2) WHERE connector = ?1 AND raw_sealed IS NOT NULL

-- name: to_device_settle
UPDATE to_device SET number = -number WHERE connector = ? AND number < 0

-- name: to_device_follow
INSERT INTO to_device_last (connector, number, given)
VALUES (?1, max(?2, (SELECT COALESCE(MAX(number), 0) FROM to_device WHERE connector = ?1)), ?2)
ON CONFLICT (connector) DO UPDATE SET number = excluded.number, given = excluded.given

-- name: to_device_known
SELECT digest FROM to_device WHERE digest IN (SELECT from_hex(value) FROM json_each(?))

-- name: to_device_insert
INSERT INTO to_device (connector, number, digest, at, raw_sealed) VALUES (?, ?, ?, ?, ?)

-- name: to_device_waiting
SELECT number, digest, at, raw_sealed FROM to_device
WHERE connector = ? AND number > ? AND raw_sealed IS NOT NULL ORDER BY number LIMIT ?

-- name: to_device_drop
UPDATE to_device SET raw_sealed = NULL WHERE connector = ? AND number <= ? AND raw_sealed IS NOT NULL

-- name: to_device_forget
DELETE FROM to_device WHERE connector = ? AND raw_sealed IS NULL AND at < ?

-- name: unopened_insert
INSERT INTO unopened (seq, connector, session, received_at) VALUES (?, ?, ?, ?)

-- name: unopened_waiting
SELECT seq, why, gave_up FROM unopened
WHERE connector = ? AND gave_up = 0 AND seq > ? ORDER BY seq LIMIT ?

-- By the key of the table, which is their order: indexes have it only within a session.

-- name: unopened_all
SELECT seq, why, gave_up FROM unopened NOT INDEXED
WHERE connector = ? AND seq > ? ORDER BY seq LIMIT ?

-- name: unopened_of_sessions
SELECT seq, why, gave_up FROM unopened
WHERE connector = ? AND session IN (SELECT from_hex(value) FROM json_each(?)) AND seq > ?
ORDER BY seq LIMIT ?

-- name: unopened_some
SELECT u.seq, e.sid, e.n, e.ident, e.state, e.safe_by, e.expires_at
FROM unopened u JOIN entry e USING (seq)
WHERE u.seq IN (SELECT value FROM json_each(?)) AND e.payload_sealed IS NOT NULL

-- name: unopened_why
UPDATE unopened SET why = ?1 WHERE seq = ?2 AND why != ?1

-- name: unopened_delete
DELETE FROM unopened WHERE seq IN (SELECT value FROM json_each(?))

-- name: unopened_aged
SELECT u.seq, u.received_at, u.why, e.n, e.ident, e.payload_sealed, e.sid
FROM unopened u JOIN entry e USING (seq)
WHERE u.connector = ? AND u.gave_up = 0 AND u.received_at < ? AND e.payload_sealed IS NOT NULL
ORDER BY u.received_at, u.seq LIMIT ?

-- name: unopened_final
SELECT u.seq, u.received_at, u.why, e.n, e.ident, e.payload_sealed, e.sid
FROM unopened u JOIN entry e USING (seq)
WHERE u.seq IN (SELECT value FROM json_each(?)) AND u.gave_up = 0 AND e.payload_sealed IS NOT NULL
ORDER BY u.seq

-- Nothing is waited for any more; a pause after a failure is kept.

-- name: entry_wait_over
UPDATE entry SET next_try = 0
WHERE seq IN (SELECT u.seq FROM unopened u JOIN json_each(?) asked ON u.seq = asked.value)
  AND state = 'received' AND attempts = 0

-- name: unopened_give_up
UPDATE unopened SET gave_up = 1 WHERE seq IN (SELECT value FROM json_each(?))

-- What is judged already has a new entry of its own: it is never changed.

-- name: entry_decrypt
UPDATE entry SET kind = ?, payload_sealed = ?, safe_by = ?, expires_at = ?, opened_at = ?,
    attempts = 0, next_try = 0, error = NULL
WHERE seq = ? AND state = 'received'

-- name: entry_opened_beside
UPDATE entry SET opened_beside = 1 WHERE seq IN (SELECT value FROM json_each(?))

-- name: entry_is_opened_beside
SELECT n FROM entry
WHERE sid = (SELECT sid FROM stream WHERE id = ?) AND n IN (SELECT value FROM json_each(?))
  AND opened_beside = 1

-- name: tally_unopened
SELECT u.connector, s.group_id, u.why, COUNT(*), MIN(u.received_at)
FROM unopened u JOIN entry e USING (seq) JOIN stream s USING (sid)
WHERE u.gave_up = 0 GROUP BY u.connector, s.group_id, u.why ORDER BY u.connector, s.group_id, u.why
