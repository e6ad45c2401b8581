-- Every statement of the journal, by name. A reviewer needs no Python to read it.

-- name: meta_get
SELECT value FROM meta WHERE name = ?

-- name: meta_set
INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value

-- name: meta_add
INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = value + ?2

-- name: place_get
SELECT cursor FROM place WHERE connector = ?

-- name: place_set
INSERT INTO place (connector, cursor, at) VALUES (?, ?, ?)
ON CONFLICT (connector) DO UPDATE SET cursor = excluded.cursor, at = excluded.at

-- name: register_all
SELECT connector, platform, group_id, name, state, notice, presence, note, capture_all, listed, notices
FROM register ORDER BY connector, group_id

-- name: register_one
SELECT connector, platform, group_id, name, state, notice, presence, note, capture_all, listed, notices
FROM register WHERE connector = ? AND group_id = ?

-- name: register_count
SELECT COUNT(*) FROM register WHERE connector = ? AND state = ?

-- name: register_put
INSERT INTO register (connector, platform, group_id, name, state, notice, presence, note, capture_all, listed, notices)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (connector, group_id) DO UPDATE SET
    name = excluded.name, state = excluded.state, notice = excluded.notice,
    presence = excluded.presence, note = excluded.note, capture_all = excluded.capture_all,
    listed = excluded.listed, notices = excluded.notices

-- name: stream_all_open
SELECT s.sid, s.id, s.gid, s.connector, r.platform, s.group_id, r.name, r.capture_all
FROM stream s JOIN register r USING (connector, group_id) WHERE s.closed_at IS NULL

-- name: stream_some
SELECT s.sid, s.id, s.gid, s.connector, r.platform, s.group_id, r.name, r.capture_all
FROM stream s JOIN register r USING (connector, group_id)
WHERE s.sid IN (SELECT value FROM json_each(?))

-- name: stream_insert
INSERT INTO stream (id, connector, group_id, gid, key_sealed, opened_at) VALUES (?, ?, ?, ?, ?, ?)
RETURNING sid

-- name: stream_close
UPDATE stream SET closed_at = ? WHERE sid = ? AND closed_at IS NULL

-- name: stream_sid
SELECT sid FROM stream WHERE id = ?

-- name: stream_next_n
SELECT sid, next_n, closed_at IS NOT NULL FROM stream WHERE sid IN (SELECT value FROM json_each(?))

-- name: stream_last
SELECT next_n FROM stream WHERE sid = ?

-- name: stream_advance
UPDATE stream SET next_n = ? WHERE sid = ?

-- name: entry_known
SELECT ident FROM entry WHERE sid = ? AND ident IN (SELECT from_hex(value) FROM json_each(?))

-- name: entry_next_seq
SELECT COALESCE(MAX(seq), 0) + 1 FROM entry

-- name: entry_insert
INSERT INTO entry (seq, sid, n, ident, kind, received_at, safe_by, expires_at, state, payload_sealed)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'received', ?)

-- The index of work is partial: its own condition must stand in a statement that is to use it.

-- name: entry_due_feasible
SELECT seq FROM entry
WHERE state = :state AND state IN ('received', 'judged', 'sealed') AND next_try <= :now
  AND (expires_at IS NULL OR expires_at >= :feasible)
ORDER BY safe_by LIMIT :limit

-- name: entry_due_hopeless
SELECT seq FROM entry
WHERE state = :state AND state IN ('received', 'judged', 'sealed') AND next_try <= :now
  AND expires_at < :feasible
ORDER BY safe_by LIMIT :limit

-- name: entry_store_feasible
SELECT e.seq FROM entry e JOIN stream s USING (sid) JOIN register r USING (connector, group_id)
WHERE e.state = :state AND e.state IN ('received', 'judged', 'sealed') AND e.next_try <= :now
  AND r.notice != 'due' AND (e.expires_at IS NULL OR e.expires_at >= :feasible)
ORDER BY e.safe_by LIMIT :limit

-- name: entry_store_hopeless
SELECT e.seq FROM entry e JOIN stream s USING (sid) JOIN register r USING (connector, group_id)
WHERE e.state = :state AND e.state IN ('received', 'judged', 'sealed') AND e.next_try <= :now
  AND r.notice != 'due' AND e.expires_at < :feasible
ORDER BY e.safe_by LIMIT :limit

-- name: entry_some
SELECT seq, sid, n, state, safe_by, expires_at, payload_sealed, verdict_sealed, record_sealed,
       digest, key, seen_leaf, attempts, ident, stored_at
FROM entry WHERE seq IN (SELECT value FROM json_each(?)) ORDER BY safe_by, seq

-- name: entry_by_ident
SELECT seq FROM entry WHERE sid = ? AND ident = ?

-- name: entry_recent
SELECT seq FROM entry WHERE sid = ? AND n < ? AND payload_sealed IS NOT NULL
ORDER BY n DESC LIMIT ?

-- name: entry_roster
SELECT MAX(n) FROM entry WHERE sid = ? AND n <= ? AND kind IN ('roster', 'membership')

-- name: entry_judge
UPDATE entry SET state = ?, outcome = ?, verdict_sealed = ?, attempts = 0, error = NULL,
    next_try = CASE WHEN EXISTS (SELECT 1 FROM download d WHERE d.seq = entry.seq AND d.state = 'waiting')
                    THEN received_at + MAX(safe_by - received_at, 0) / 2 ELSE 0 END
WHERE seq = ? AND state = ?

-- name: entry_seal
UPDATE entry SET state = ?, record_sealed = ?, digest = ?, key = ?, seen_leaf = ?, manifest_due = 1,
    attempts = 0, next_try = 0, error = NULL
WHERE seq = ? AND state = ?

-- name: entry_place
SELECT e.seq, e.sid, e.n, e.state, e.payload_sealed, e.ident, s.closed_at IS NOT NULL
FROM entry e JOIN stream s USING (sid) WHERE e.seq = ?

-- name: entry_idents
SELECT seq, ident FROM entry WHERE seq IN (SELECT value FROM json_each(?))

-- name: entry_store
UPDATE entry SET state = ?, stored_at = ?, late_ms = ?, attempts = 0, next_try = 0, error = NULL
WHERE seq = ? AND state = ?

-- name: entry_promote
UPDATE entry SET state = ?, outcome = ?, verdict_sealed = ?, key = ?, safe_by = ?,
    expires_at = NULL, manifest_due = 1, attempts = 0, next_try = 0, error = NULL
WHERE seq = ? AND state = ?

-- name: entry_fail
UPDATE entry SET attempts = attempts + 1, error = ?, next_try = ?
WHERE seq = ? AND state IN ('received', 'judged', 'sealed')

-- name: entry_wake
UPDATE entry SET next_try = 0
WHERE seq = ?1 AND state = 'judged'
  AND NOT EXISTS (SELECT 1 FROM download WHERE seq = ?1 AND state = 'waiting')

-- name: entry_manifest_due
SELECT seq FROM entry WHERE manifest_due = 1 ORDER BY seq LIMIT ?

-- name: entry_manifest_done
UPDATE entry SET manifest_due = 0 WHERE seq = ? AND outcome = ?

-- name: entry_forgettable
SELECT seq FROM entry WHERE state = 'discarded' AND received_at < ? ORDER BY received_at LIMIT ?

-- name: entry_destroy
UPDATE entry SET state = ?, payload_sealed = NULL, verdict_sealed = ?, record_sealed = NULL,
    manifest_due = 0
WHERE seq = ? AND state = ?

-- name: entry_verdict
SELECT verdict_sealed, ident FROM entry WHERE seq = ?

-- name: download_insert
INSERT INTO download (seq, i, state, due, attachment_sealed) VALUES (?, ?, 'waiting', ?, ?)

-- name: download_due
SELECT d.id, d.seq, d.i, d.due, d.attempts, d.attachment_sealed, s.connector, s.group_id, e.ident
FROM download d JOIN entry e USING (seq) JOIN stream s USING (sid)
WHERE d.state = 'waiting' AND d.next_try <= ? ORDER BY d.due LIMIT ?

-- name: download_of
SELECT d.id, d.i, d.state, d.attachment_sealed, d.file_sealed, e.ident
FROM download d JOIN entry e USING (seq) WHERE d.seq = ? ORDER BY d.i

-- name: download_spooled_count
SELECT COUNT(*) FROM download WHERE seq = ? AND state IN ('spooled', 'stored')

-- name: download_done
UPDATE download SET state = 'spooled', file_sealed = ?, error = NULL WHERE id = ? AND state = 'waiting'

-- name: download_move
UPDATE download SET seq = ?, i = 0, attachment_sealed = ?, file_sealed = ? WHERE id = ?

-- name: download_retry
UPDATE download SET attempts = attempts + 1, error = ?, next_try = ? WHERE id = ? AND state = 'waiting'

-- name: download_give_up
UPDATE download SET attempts = attempts + 1, error = ?, state = 'failed' WHERE id = ? AND state = 'waiting'

-- name: download_stored
UPDATE download SET state = 'stored' WHERE seq = ? AND state = 'spooled'

-- name: download_files_in
SELECT d.file_sealed, e.ident FROM download d JOIN entry e USING (seq)
WHERE d.seq IN (SELECT value FROM json_each(?)) AND d.file_sealed IS NOT NULL

-- name: download_spooled_files
SELECT d.file_sealed, e.ident FROM download d JOIN entry e USING (seq)
WHERE d.state = 'spooled' AND d.file_sealed IS NOT NULL

-- name: download_delete
DELETE FROM download WHERE seq = ?

-- name: gap_insert
INSERT INTO gap (sid, after, why, since, until, detail_sealed, at, leaf) VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- name: leaf_next
SELECT COALESCE(MAX(idx), -1) + 1 FROM leaf

-- name: leaf_insert
INSERT INTO leaf (idx, kind, body) VALUES (?, ?, ?)

-- name: placement_insert
INSERT INTO placement (kind, folder, series, body_sealed, connector, group_id, at, stream, total)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: placement_waiting
SELECT p.id, p.kind, p.folder, p.body_sealed, p.connector, p.group_id, p.at, p.stream, p.total,
       (SELECT COALESCE(MAX(number), -1) + 1 FROM placement q
        WHERE q.series = p.series AND q.number IS NOT NULL)
FROM placement p JOIN register r USING (connector, group_id)
WHERE p.leaf IS NULL AND (r.notice != 'due' OR p.kind = 'step') ORDER BY p.id LIMIT ?

-- name: placement_open
SELECT id FROM placement WHERE id = ? AND leaf IS NULL

-- name: placement_place
UPDATE placement SET number = ?, leaf = ? WHERE id = ? AND leaf IS NULL

-- name: unsplit_insert
INSERT OR IGNORE INTO unsplit (digest, connector, at, body_sealed) VALUES (?, ?, ?, ?)

-- name: tally_entries
SELECT s.connector, s.group_id, e.state, e.outcome, COUNT(*), MAX(e.received_at),
       SUM(e.late_ms IS NOT NULL)
FROM entry e JOIN stream s USING (sid) GROUP BY e.sid, e.state, e.outcome

-- name: tally_gaps
SELECT s.connector, s.group_id, COUNT(*) FROM gap g JOIN stream s USING (sid) GROUP BY g.sid

-- name: tally_downloads
SELECT state, COUNT(*) FROM download GROUP BY state

-- name: tally_overdue
SELECT COUNT(*) FROM entry WHERE state IN ('received', 'judged', 'sealed') AND safe_by < ?

-- name: tally_unsplit
SELECT COUNT(*) FROM unsplit

-- name: tally_pending
SELECT COUNT(*) FROM entry WHERE state IN ('received', 'judged', 'sealed')

-- name: entry_after
SELECT seq FROM entry WHERE seq > ? AND payload_sealed IS NOT NULL ORDER BY seq LIMIT ?
