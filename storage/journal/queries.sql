-- Every statement of the journal, by name. A reviewer needs no Python to read it.
--
-- A parameter that stands beside the state of an entry has a plus: the planner would else look at its
-- value, for an index that holds one state only, and prepare the statement anew each time it is run.

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
SELECT connector, platform, group_id, name, state, notice, presence, note, capture_all, listed, notices,
       timer_seconds, timer_basis, owner, purpose, retention, dpia, device_type, proposed_by, approved_by,
       approved_at, notice_version, notice_at, newcomer_at, newcomers_told_at
FROM register ORDER BY connector, group_id

-- name: register_one
SELECT connector, platform, group_id, name, state, notice, presence, note, capture_all, listed, notices,
       timer_seconds, timer_basis, owner, purpose, retention, dpia, device_type, proposed_by, approved_by,
       approved_at, notice_version, notice_at, newcomer_at, newcomers_told_at
FROM register WHERE connector = ? AND group_id = ?

-- name: register_count
SELECT COUNT(*) FROM register WHERE connector = ? AND state = ?

-- name: register_put
INSERT INTO register (connector, platform, group_id, name, state, notice, presence, note, capture_all, listed, notices,
                      timer_seconds, timer_basis, owner, purpose, retention, dpia, device_type, proposed_by,
                      approved_by, approved_at, notice_version, notice_at, newcomer_at, newcomers_told_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (connector, group_id) DO UPDATE SET
    name = excluded.name, state = excluded.state, notice = excluded.notice,
    presence = excluded.presence, note = excluded.note, capture_all = excluded.capture_all,
    listed = excluded.listed, notices = excluded.notices,
    timer_seconds = excluded.timer_seconds, timer_basis = excluded.timer_basis,
    owner = excluded.owner, purpose = excluded.purpose, retention = excluded.retention,
    dpia = excluded.dpia, device_type = excluded.device_type, proposed_by = excluded.proposed_by,
    approved_by = excluded.approved_by, approved_at = excluded.approved_at,
    notice_version = excluded.notice_version, notice_at = excluded.notice_at,
    newcomer_at = excluded.newcomer_at, newcomers_told_at = excluded.newcomers_told_at

-- name: register_newcomer
UPDATE register SET newcomer_at = ?1
WHERE connector = ?2 AND group_id = ?3 AND COALESCE(newcomer_at, ?1 + 1) > ?1

-- name: entry_memberships
SELECT e.ident, e.payload_sealed, e.received_at
FROM entry e JOIN stream s ON s.sid = e.sid
WHERE s.connector = ? AND s.group_id = ? AND s.closed_at IS NULL
  AND e.kind IN ('roster', 'membership') AND e.kind = 'membership'
  AND e.received_at > ? AND e.payload_sealed IS NOT NULL
ORDER BY e.received_at

-- name: register_say_again
UPDATE register SET notice_version = ''
WHERE connector = ? AND group_id IN (SELECT value FROM json_each(?)) AND notice_version IS NOT NULL

-- name: register_timer
UPDATE register SET timer_seconds = ?, timer_basis = ? WHERE connector = ? AND group_id = ?

-- name: stream_all_open
SELECT s.sid, s.id, s.gid, s.connector, r.platform, s.group_id, r.name, r.capture_all, r.retention
FROM stream s JOIN register r USING (connector, group_id) WHERE s.closed_at IS NULL

-- name: stream_some
SELECT s.sid, s.id, s.gid, s.connector, r.platform, s.group_id, r.name, r.capture_all, r.retention
FROM stream s JOIN register r USING (connector, group_id)
WHERE s.sid IN (SELECT value FROM json_each(?))

-- name: stream_insert
INSERT INTO stream (id, connector, group_id, gid, key_sealed, opened_at) VALUES (?, ?, ?, ?, ?, ?)
RETURNING sid

-- name: stream_close
UPDATE stream SET closed_at = ? WHERE sid = ? AND closed_at IS NULL

-- name: stream_sid
SELECT sid FROM stream WHERE id = ?

-- The other streams of its group, the latest first.

-- name: stream_others
SELECT o.id FROM stream s JOIN stream o USING (connector, group_id)
WHERE s.id = ?1 AND o.id != ?1 ORDER BY o.sid DESC

-- name: stream_sids_of
SELECT sid FROM stream WHERE connector = ? AND group_id = ?

-- name: stream_next_n
SELECT sid, next_n, closed_at IS NOT NULL, (SELECT COALESCE(MAX(seq), 0) + 1 FROM entry)
FROM stream WHERE sid IN (SELECT value FROM json_each(?))

-- name: stream_last
SELECT next_n FROM stream WHERE sid = ?

-- name: stream_advance
UPDATE stream SET next_n = ? WHERE sid = ?

-- name: entry_known
-- An identity is 16 bytes; the second parameter holds those of all events asked for, end to end.
SELECT e.sid, e.ident FROM json_each(?1) asked
CROSS JOIN entry e ON e.sid = asked.value AND e.ident = substr(?2, asked.key * 16 + 1, 16)

-- name: entry_insert
-- All rows in one step: ?1 is the first seq, ?2 an array of rows, ?3 their identities and ?4 their
-- payloads, each end to end; a row ends with where its payload begins and how long it is.
INSERT INTO entry (seq, sid, n, ident, kind, received_at, safe_by, expires_at, next_try, state, payload_sealed)
SELECT ?1 + key, json_extract(value, '$[0]'), json_extract(value, '$[1]'),
       substr(?3, key * 16 + 1, 16), json_extract(value, '$[2]'), json_extract(value, '$[3]'),
       json_extract(value, '$[4]'), json_extract(value, '$[5]'), json_extract(value, '$[6]'), 'received',
       substr(?4, json_extract(value, '$[7]'), json_extract(value, '$[8]'))
FROM json_each(?2)

-- What may be claimed, lane after lane; a lane is read only where those before it have too little. The
-- index of work is partial: its own condition must stand in a statement that is to use it. The plus
-- before expires_at keeps the planner from the index of expiries, which would have to be sorted. A next
-- try more than 15 minutes (900000 ms) ahead is due: no pause is as long, so the wall clock was set back
-- since it was written.

-- name: entry_due
SELECT seq FROM (
    SELECT seq FROM (
        SELECT seq FROM entry
        WHERE state = +:state AND state IN ('received', 'judged', 'sealed')
          AND (next_try <= :now OR next_try > :now + 900000)
          AND (+expires_at IS NULL OR +expires_at >= :feasible)
        ORDER BY safe_by LIMIT :limit)
    UNION ALL
    SELECT seq FROM (
        SELECT seq FROM entry
        WHERE state = +:state AND state IN ('received', 'judged', 'sealed')
          AND (next_try <= :now OR next_try > :now + 900000)
          AND +expires_at < :feasible
        ORDER BY safe_by LIMIT :limit)
) LIMIT :limit

-- name: entry_due_to_store
SELECT seq FROM (
    SELECT seq FROM (
        SELECT e.seq FROM entry e JOIN stream s USING (sid) JOIN register r USING (connector, group_id)
        WHERE e.state = +:state AND e.state IN ('received', 'judged', 'sealed')
          AND (e.next_try <= :now OR e.next_try > :now + 900000)
          AND r.notice != 'due' AND e.expires_at >= :feasible AND e.expires_at < :pressing
        ORDER BY e.expires_at, e.safe_by LIMIT :limit)
    UNION ALL
    SELECT seq FROM (
        SELECT e.seq FROM entry e JOIN stream s USING (sid) JOIN register r USING (connector, group_id)
        WHERE e.state = +:state AND e.state IN ('received', 'judged', 'sealed')
          AND (e.next_try <= :now OR e.next_try > :now + 900000)
          AND r.notice != 'due'
          AND (+e.expires_at IS NULL OR (+e.expires_at >= :feasible AND +e.expires_at >= :pressing))
        ORDER BY e.safe_by LIMIT :limit)
    UNION ALL
    SELECT seq FROM (
        SELECT e.seq FROM entry e JOIN stream s USING (sid) JOIN register r USING (connector, group_id)
        WHERE e.state = +:state AND e.state IN ('received', 'judged', 'sealed')
          AND (e.next_try <= :now OR e.next_try > :now + 900000)
          AND r.notice != 'due' AND +e.expires_at < :feasible
        ORDER BY e.safe_by LIMIT :limit)
) LIMIT :limit

-- name: entry_some
SELECT e.seq, e.sid, e.n, e.state, e.safe_by, e.expires_at, e.payload_sealed, e.verdict_sealed, e.record_sealed,
       e.digest, e.key, e.seen_leaf, e.attempts, e.ident, e.stored_at, e.opened_at,
       s.id, s.gid, s.connector, r.platform, s.group_id, r.name, r.capture_all, r.retention
FROM entry e JOIN stream s USING (sid) JOIN register r USING (connector, group_id)
WHERE e.seq IN (SELECT value FROM json_each(?)) ORDER BY e.safe_by, e.seq

-- name: entry_by_ident
SELECT ident, seq FROM entry
WHERE sid = ? AND ident IN (SELECT from_hex(value) FROM json_each(?))

-- name: entry_recent
SELECT seq FROM entry WHERE sid = ? AND n < ? AND payload_sealed IS NOT NULL AND kind != ?
ORDER BY n DESC LIMIT ?

-- name: entry_following
SELECT seq FROM entry WHERE sid = ? AND n > ? AND payload_sealed IS NOT NULL AND kind != ?
ORDER BY n LIMIT ?

-- name: entry_open_discards
SELECT seq FROM entry INDEXED BY entry_open_discard
WHERE state = 'discarded' AND final = 0 AND received_at < ?
ORDER BY received_at LIMIT ?

-- name: entry_finalise
UPDATE entry SET final = 1 WHERE seq IN (SELECT value FROM json_each(?))

-- name: entry_roster
SELECT MAX(n) FROM entry WHERE sid = ? AND n <= ? AND kind IN ('roster', 'membership')

-- name: entry_judge
UPDATE entry SET state = ?1, outcome = ?2, verdict_sealed = ?3, attempts = 0, error = NULL,
    next_try = CASE WHEN EXISTS (SELECT 1 FROM download d WHERE d.seq = entry.seq AND d.state = 'waiting')
                    THEN received_at + MAX(safe_by - received_at, 0) / 2 ELSE 0 END
WHERE seq = ?4 AND state = +?5 AND ident = ?6 AND (?7 IS NULL OR kind = ?7)

-- name: entry_seal
UPDATE entry SET state = ?, record_sealed = ?, digest = ?, key = ?, place = ?, seen_leaf = ?, manifest_due = 1,
    attempts = 0, next_try = 0, error = NULL
WHERE seq = ? AND state = +?

-- name: entry_sealable
-- Those that still wait for their seal, each with how many of its media have come.
SELECT seq, ident,
       (SELECT COUNT(*) FROM download d WHERE d.seq = entry.seq AND d.state IN ('spooled', 'stored'))
FROM entry WHERE state = +?1 AND seq IN (SELECT value FROM json_each(?2))

-- name: entry_place
SELECT e.seq, e.sid, e.n, e.state, e.payload_sealed, e.ident, s.closed_at IS NOT NULL
FROM entry e JOIN stream s USING (sid) WHERE e.seq = ?

-- name: entry_idents
SELECT seq, ident FROM entry WHERE seq IN (SELECT value FROM json_each(?))

-- name: entry_store
UPDATE entry SET state = ?, stored_at = COALESCE(stored_at, ?), late_ms = COALESCE(late_ms, ?), attempts = 0, next_try = 0, error = NULL
WHERE seq = ? AND state = +?

-- name: entry_promote
UPDATE entry SET state = ?, outcome = ?, verdict_sealed = ?, key = ?, place = ?, safe_by = ?,
    expires_at = NULL, fixed_deadline = 1, manifest_due = 1, attempts = 0, next_try = 0, error = NULL
WHERE seq = ? AND ident = ?
  AND (state = 'discarded' OR (state = 'stored' AND key >= 'review/' AND key < 'review0'))

-- name: entry_fail
UPDATE entry SET attempts = attempts + 1, error = ?, next_try = ?
WHERE seq = ? AND state IN ('received', 'judged', 'sealed')

-- name: entry_retry
UPDATE entry SET next_try = 0
WHERE state = +? AND state IN ('received', 'judged', 'sealed') AND error = ? AND next_try > 0

-- name: entry_wake
UPDATE entry SET next_try = 0
WHERE seq = ?1 AND state = 'judged'
  AND NOT EXISTS (SELECT 1 FROM download WHERE seq = ?1 AND state = 'waiting')

-- name: entry_replan_seqs
SELECT seq FROM entry
WHERE state IN ('received', 'judged', 'sealed') AND +sid IN (SELECT value FROM json_each(?1))
UNION
SELECT d.seq FROM download d JOIN entry e USING (seq)
WHERE d.state = 'waiting' AND +e.sid IN (SELECT value FROM json_each(?1))

-- name: entry_replan_some
SELECT seq, sid, safe_by, expires_at, payload_sealed, ident FROM entry
WHERE seq IN (SELECT value FROM json_each(?)) AND payload_sealed IS NOT NULL AND fixed_deadline = 0

-- A pause that was measured by a later deadline ends; the wait for media, or for a key, is half of the
-- new time.

-- name: entry_replan
UPDATE entry SET safe_by = ?2, expires_at = ?3,
    next_try = CASE WHEN state = 'judged'
                         AND EXISTS (SELECT 1 FROM download d WHERE d.seq = ?1 AND d.state = 'waiting')
                    THEN received_at + MAX(?2 - received_at, 0) / 2
                    WHEN state = 'received' AND attempts = 0
                         AND EXISTS (SELECT 1 FROM unopened u WHERE u.seq = ?1)
                    THEN received_at + MAX(?2 - received_at, 0) / 2
                    WHEN ?2 < safe_by THEN 0 ELSE next_try END
WHERE seq = ?1 AND state IN ('received', 'judged', 'sealed')

-- name: download_replan
UPDATE download SET due = ?2, next_try = CASE WHEN ?2 < due THEN 0 ELSE next_try END
WHERE seq = ?1 AND state = 'waiting' AND due != ?2

-- name: entry_manifest_due
SELECT seq FROM entry WHERE manifest_due = 1 AND place = ? ORDER BY seq LIMIT ?

-- name: entry_manifest_done
UPDATE entry SET manifest_due = 0 WHERE seq = ? AND outcome = +?

-- name: entry_forgettable
SELECT seq FROM entry WHERE state = 'discarded' AND received_at < ?
  AND NOT EXISTS (SELECT 1 FROM decision d WHERE d.seq = entry.seq AND d.state = 'waiting')
ORDER BY received_at LIMIT ?

-- name: entry_forgettable_among
SELECT seq FROM entry WHERE seq IN (SELECT value FROM json_each(?))
  AND ((state = 'discarded' AND received_at < ?)
       OR (state = 'restricted' AND outcome = 'discard' AND manifest_due = 0
           AND EXISTS (SELECT 1 FROM decision d
                       WHERE d.seq = entry.seq AND d.state = 'done' AND d.outcome = 'discard')))
  AND NOT EXISTS (SELECT 1 FROM decision d WHERE d.seq = entry.seq AND d.state = 'waiting')
ORDER BY received_at LIMIT ?

-- name: entry_destroy
UPDATE entry SET state = ?, payload_sealed = NULL, verdict_sealed = ?, record_sealed = NULL,
    manifest_due = 0
WHERE seq = ? AND state IN ('discarded', 'restricted')

-- name: entry_verdict
SELECT verdict_sealed, ident FROM entry WHERE seq = ?

-- name: download_insert
INSERT INTO download (seq, i, state, due, attachment_sealed) VALUES (?, ?, 'waiting', ?, ?)

-- name: download_due
SELECT d.id, d.seq, d.i, d.due, d.attempts, d.attachment_sealed, s.connector, s.group_id, e.ident
FROM download d JOIN entry e USING (seq) JOIN stream s USING (sid)
WHERE d.state = 'waiting' AND (d.next_try <= ?1 OR d.next_try > ?1 + 900000)
ORDER BY d.due LIMIT ?2

-- name: download_of
SELECT d.id, d.i, d.state, d.attachment_sealed, d.file_sealed, e.ident
FROM download d JOIN entry e USING (seq) WHERE d.seq = ? ORDER BY d.i

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

-- name: gap_known
SELECT COUNT(*) FROM gap g JOIN stream s USING (sid)
WHERE s.connector = ? AND s.group_id = ? AND g.why = ? AND g.since IS ? AND g.until IS ?

-- name: hearing_get
SELECT at FROM hearing WHERE connector = ?

-- name: hearing_set
INSERT INTO hearing (connector, at) VALUES (?, ?) ON CONFLICT (connector) DO UPDATE SET at = excluded.at

-- name: saying_insert
INSERT INTO saying (connector, group_id, key, until, text) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (key) DO NOTHING

-- name: saying_waiting
SELECT id, connector, group_id, text, key, until FROM saying WHERE said = 0 ORDER BY id LIMIT ?

-- name: saying_said
UPDATE saying SET said = 1 WHERE id = ?

-- name: leaf_next
SELECT COALESCE(MAX(idx), -1) + 1 FROM leaf

-- name: leaf_insert
INSERT INTO leaf (idx, kind, body) VALUES (?, ?, ?)

-- name: unsplit_insert
INSERT OR IGNORE INTO unsplit (digest, connector, at, body_sealed) VALUES (?, ?, ?, ?)

-- name: tally_entries
SELECT s.connector, s.group_id, e.state, e.outcome, COUNT(*), MAX(e.received_at),
       SUM(e.late_ms IS NOT NULL), SUM(e.stored_at IS NOT NULL)
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
SELECT COUNT(*) FROM entry e
WHERE e.state IN ('received', 'judged', 'sealed')
  AND NOT (e.state = 'received' AND EXISTS (SELECT 1 FROM unopened u WHERE u.seq = e.seq))

-- name: entry_after
SELECT seq FROM entry WHERE seq > ? AND payload_sealed IS NOT NULL ORDER BY seq LIMIT ?
