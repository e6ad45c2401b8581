-- Statements on people's decisions and on commands.

-- name: command_note
INSERT INTO command (seq) VALUES (?) ON CONFLICT (seq) DO NOTHING

-- name: command_waiting
SELECT c.seq FROM command c JOIN entry e USING (seq)
WHERE c.done = 0 AND e.payload_sealed IS NOT NULL ORDER BY c.seq LIMIT ?

-- name: command_done
UPDATE command SET done = 1 WHERE seq = ? AND done = 0

-- name: decision_insert
INSERT INTO decision (key, seq, outcome, via, at, words_sealed) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (key) DO NOTHING

-- name: decision_entry
SELECT e.seq FROM entry e JOIN stream s USING (sid) WHERE s.id = ? AND e.n = ?

-- name: decision_due
SELECT d.id, d.key, d.seq, d.outcome, d.via, d.at, d.words_sealed
FROM decision d JOIN entry e USING (seq)
WHERE d.state = 'waiting' AND e.state NOT IN ('received', 'judged', 'sealed')
ORDER BY d.id LIMIT ?

-- name: decision_one
SELECT d.seq, e.ident FROM decision d JOIN entry e USING (seq) WHERE d.id = ? AND d.state = 'waiting'

-- name: decision_copy
UPDATE entry SET state = 'sealed', outcome = ?, verdict_sealed = ?, key = ?, place = ?, safe_by = ?,
    expires_at = NULL, fixed_deadline = 1, manifest_due = 1, attempts = 0, next_try = 0, error = NULL
WHERE seq = ? AND ident = ?
  AND (state IN ('discarded', 'restricted') OR (state = 'stored' AND key LIKE 'review/%'))

-- name: decision_mark
UPDATE entry SET outcome = ?, verdict_sealed = ?, manifest_due = 1
WHERE seq = ? AND ident = ? AND state IN ('stored', 'discarded', 'restricted')

-- Decisions are few beside entries: no index is kept for those on restricted ones.

-- name: decision_to_destroy
SELECT DISTINCT e.seq FROM decision d CROSS JOIN entry e USING (seq)
WHERE d.seq > ? AND d.state = 'done' AND d.outcome = 'discard'
  AND e.state = 'restricted' AND e.outcome = 'discard' AND e.manifest_due = 0
  AND NOT EXISTS (SELECT 1 FROM decision o WHERE o.seq = d.seq AND o.state = 'waiting')
ORDER BY d.seq LIMIT ?

-- name: decision_done
UPDATE decision SET state = 'done', score = ?, policy = ?, model = ?, audited = ?,
    placement = (SELECT MAX(id) FROM placement)
WHERE id = ? AND state = 'waiting'

-- name: decision_refused
UPDATE decision SET state = 'refused' WHERE id = ? AND state = 'waiting'

-- name: decision_facts
SELECT e.seen_leaf, d.outcome, d.policy || '+' || d.model
FROM decision d JOIN entry e USING (seq) WHERE d.placement = ?

-- name: decision_seen_leaf
SELECT e.seen_leaf FROM decision d JOIN entry e USING (seq) WHERE d.placement = ?

-- The last decision on each entry holds.

-- name: decision_reviewed
SELECT d.seq, s.connector, s.group_id, d.outcome, d.via, d.score, d.policy, d.model, d.audited,
    d.key, d.words_sealed
FROM decision d JOIN entry e USING (seq) JOIN stream s USING (sid)
WHERE d.state = 'done' AND d.id = (SELECT MAX(o.id) FROM decision o WHERE o.seq = d.seq AND o.state = 'done')
ORDER BY d.seq

-- name: decision_verdicts
SELECT e.verdict_sealed, e.ident FROM stream s JOIN entry e USING (sid)
WHERE s.id = ? AND e.ident IN (SELECT from_hex(value) FROM json_each(?))

-- name: decision_judgements
SELECT e.seq, s.connector, s.group_id, e.outcome, e.verdict_sealed, e.ident
FROM entry e JOIN stream s USING (sid)
WHERE e.seq > ? AND e.verdict_sealed IS NOT NULL ORDER BY e.seq LIMIT ?
