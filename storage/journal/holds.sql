-- Statements on legal holds: what they may have to keep. Their acts are placements like others.

-- Discards after the one whose seq is given, in the order of the index by which they are found.

-- name: entry_forgettable_after
SELECT seq FROM entry
WHERE state = 'discarded' AND received_at < ?1
  AND (received_at, seq) > (COALESCE((SELECT e.received_at FROM entry e WHERE e.seq = ?2), -1), ?2)
  AND NOT EXISTS (SELECT 1 FROM decision d WHERE d.seq = entry.seq AND d.state = 'waiting')
ORDER BY received_at, seq LIMIT ?3

-- name: entry_under_review
SELECT seq FROM entry
WHERE state = 'stored' AND key >= 'review/' AND key < 'review0' AND seq > ? ORDER BY seq LIMIT ?

-- name: entry_stored_after
SELECT seq FROM entry WHERE seq > ? AND state = 'stored' ORDER BY seq LIMIT ?
