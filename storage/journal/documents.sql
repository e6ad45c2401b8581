-- Statements on manifest parts and acts, on what the store is compared with, and on streams that
-- take the place of others. A reviewer needs no Python to read them.

-- name: placement_insert
INSERT INTO placement (kind, folder, series, body_sealed, digest, connector, group_id, at, stream, total)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: placement_waiting
SELECT p.id, p.kind, p.folder, p.number, p.body_sealed, p.connector, p.group_id, p.at, p.stream, p.total
FROM placement p LEFT JOIN register r USING (connector, group_id)
WHERE p.leaf IS NULL AND (p.kind IN ('audit', 'hold', 'release') OR r.notice != 'due' OR (p.kind = 'step' AND r.notice IS NOT NULL))
ORDER BY p.id LIMIT ?

-- name: placement_one
SELECT id, kind, folder, number, body_sealed, connector, group_id, at, stream, total
FROM placement WHERE id = ?

-- name: placement_at
SELECT series, number, leaf IS NOT NULL FROM placement WHERE id = ?

-- name: placement_highest
SELECT COALESCE(MAX(number), -1) FROM placement WHERE series = ?

-- name: placement_number
UPDATE placement SET number = ? WHERE id = ? AND leaf IS NULL

-- name: placement_place
UPDATE placement SET leaf = ? WHERE id = ? AND leaf IS NULL

-- Rows of version 1 have no digest: their bodies are read for it.

-- name: placement_kept
SELECT id, folder, number, digest, CASE WHEN digest IS NULL THEN body_sealed END
FROM placement WHERE id > ? AND leaf IS NOT NULL AND number IS NOT NULL ORDER BY id LIMIT ?

-- name: placement_known
SELECT p.folder, p.number FROM json_each(?) k
JOIN placement p ON p.series = json_extract(k.value, '$[0]') AND p.number = json_extract(k.value, '$[1]')

-- name: entry_kept
SELECT seq, key, digest FROM entry WHERE seq > ? AND state = 'stored' ORDER BY seq LIMIT ?

-- name: entry_filed
SELECT e.key FROM json_each(?) k
JOIN entry e ON e.place = json_extract(k.value, '$[0]') AND e.n = json_extract(k.value, '$[1]')

-- name: entry_seen
SELECT ident FROM entry
WHERE sid IN (SELECT sid FROM stream WHERE connector = ? AND group_id = ?)
  AND ident IN (SELECT from_hex(value) FROM json_each(?))

-- name: entry_undecided
SELECT seq FROM entry
WHERE state = 'stored' AND outcome = 'review' AND opened_beside = 0 AND received_at < ?
ORDER BY received_at LIMIT ?

-- The next place after each is looked up in the index: rows that wait are not read for it.

-- name: entry_manifest_places
-- Left to itself the planner steps through entry_filed, and so through all that was ever filed.
WITH RECURSIVE waiting (place) AS (
    SELECT (SELECT MIN(place) FROM entry INDEXED BY entry_manifest WHERE manifest_due = 1)
    UNION ALL
    SELECT (SELECT MIN(place) FROM entry INDEXED BY entry_manifest
            WHERE manifest_due = 1 AND place > waiting.place)
    FROM waiting WHERE waiting.place IS NOT NULL
)
SELECT place FROM waiting WHERE place IS NOT NULL

-- name: stream_ids_of
SELECT id FROM stream WHERE connector = ? AND group_id = ?

-- name: gap_of
SELECT s.id, g.why, g.since, g.until, g.detail_sealed
FROM gap g JOIN stream s USING (sid) WHERE s.connector = ? AND s.group_id = ? ORDER BY g.id

-- name: superseded_known
SELECT stream FROM superseded WHERE stream IN (SELECT value FROM json_each(?))

-- name: superseded_insert
INSERT INTO superseded (stream, connector, group_id, last_n, at) VALUES (?, ?, ?, ?, ?)

-- name: stream_open_of
SELECT s.sid, s.id, s.gid, s.connector, r.platform, s.group_id, r.name, r.capture_all, r.retention
FROM stream s JOIN register r USING (connector, group_id)
WHERE s.connector = ? AND s.group_id = ? AND s.closed_at IS NULL

-- name: entry_highest_sealed
SELECT COALESCE((SELECT n FROM entry WHERE sid = ? AND state NOT IN ('received', 'judged')
                 ORDER BY n DESC LIMIT 1), -1)

-- name: entry_unsealed
SELECT seq, ident, payload_sealed FROM entry
WHERE sid = ? AND state IN ('received', 'judged') AND n > ? ORDER BY n

-- name: entry_renumber
UPDATE entry SET sid = ?, n = ?, ident = ?, payload_sealed = ?, state = 'received', outcome = NULL,
    verdict_sealed = NULL, attempts = 0, error = NULL,
    next_try = CASE WHEN EXISTS (SELECT 1 FROM unopened u WHERE u.seq = entry.seq)
                    THEN received_at + MAX(safe_by - received_at, 0) / 2 ELSE 0 END
WHERE seq = ?

-- name: download_sealed_of
SELECT id, attachment_sealed, file_sealed FROM download WHERE seq = ?

-- name: download_reseal
UPDATE download SET attachment_sealed = ?, file_sealed = ? WHERE id = ?
