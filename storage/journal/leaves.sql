-- Statements on the lines of the log, on outside proofs of it, and on the daily audit. A reviewer
-- needs no Python to read them.

-- name: leaf_page
SELECT body FROM leaf WHERE idx >= ? ORDER BY idx LIMIT ?

-- name: leaf_content
SELECT idx + 1 FROM leaf WHERE idx < ? AND kind != 'anchor' ORDER BY idx DESC LIMIT 1

-- name: leaf_last_key
SELECT body FROM leaf WHERE idx >= ? AND kind = 'key' ORDER BY idx DESC LIMIT 1

-- What stands behind is moved out of the way below zero first: no index is ever taken twice.

-- name: leaf_move_away
UPDATE leaf SET idx = -(idx + ?2) - 1 WHERE idx >= ?1

-- name: leaf_move_back
UPDATE leaf SET idx = -idx - 1 WHERE idx < 0

-- name: leaf_referring
SELECT idx, kind, body FROM leaf
WHERE idx >= ? AND kind IN ('stored', 'decision', 'late') ORDER BY idx LIMIT ?

-- name: leaf_rewrite
UPDATE leaf SET body = ?2 WHERE idx = ?1

-- name: entry_leaf_move
UPDATE entry SET seen_leaf = seen_leaf + ?2 WHERE seen_leaf >= ?1

-- name: gap_leaf_move
UPDATE gap SET leaf = leaf + ?2 WHERE leaf >= ?1

-- name: placement_leaf_move
UPDATE placement SET leaf = leaf + ?2 WHERE leaf >= ?1

-- name: anchor_leaf_move
UPDATE anchor SET leaf = leaf + ?2 WHERE leaf >= ?1

-- name: entry_seen_leaf
SELECT seen_leaf FROM entry WHERE seq = ? AND seen_leaf IS NOT NULL

-- name: grafted_insert
INSERT INTO grafted (p, o, leaf) VALUES (?, ?, ?) ON CONFLICT (p, o) DO NOTHING

-- name: grafted_at
SELECT leaf FROM grafted WHERE p = ? AND o = ?

-- name: stream_open_among
SELECT s.sid, s.id, s.gid, s.connector, r.platform, s.group_id, r.name, r.capture_all, r.retention
FROM stream s JOIN register r USING (connector, group_id)
WHERE s.closed_at IS NULL AND s.id IN (SELECT value FROM json_each(?)) ORDER BY s.sid

-- name: seen_count_page
SELECT body, kind = 'seen' FROM leaf WHERE idx >= ? AND idx < ? ORDER BY idx LIMIT ?

-- name: seen_count_add
INSERT INTO seen_count (stream, last_n, seen) VALUES (?1, ?2, ?3)
ON CONFLICT (stream) DO UPDATE SET last_n = MAX(last_n, ?2), seen = seen + ?3

-- name: seen_count_all
SELECT stream, last_n, seen FROM seen_count ORDER BY stream

-- name: placement_audited
SELECT COUNT(*) FROM placement WHERE kind = 'audit' AND folder = ?

-- name: anchor_insert
INSERT INTO anchor (key, size, at, body) VALUES (?, ?, ?, ?) ON CONFLICT (key) DO NOTHING

-- name: anchor_waiting
SELECT key, size, at, body FROM anchor WHERE body IS NOT NULL ORDER BY id LIMIT ?

-- name: anchor_stands
SELECT COUNT(*) FROM anchor WHERE key = ? AND body IS NOT NULL

-- name: anchor_settle
UPDATE anchor SET leaf = ?2, body = NULL WHERE key = ?1 AND body IS NOT NULL

-- name: anchor_known
SELECT key FROM anchor WHERE key IN (SELECT value FROM json_each(?))
