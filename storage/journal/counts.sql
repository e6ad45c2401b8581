-- Counts for whoever asks often: none of these reads more than what waits. What there ever was is
-- kept in meta, in the transaction that makes it so; `begin` counts it once in an older file.

-- name: counts_begun
SELECT COUNT(*) FROM meta WHERE name = 'total_stored'

-- name: counts_begin
INSERT INTO meta (name, value)
SELECT 'total_stored', COUNT(stored_at) FROM entry
UNION ALL SELECT 'total_late', COUNT(late_ms) FROM entry
UNION ALL SELECT 'total_restricted', COUNT(*) FROM entry WHERE state = 'restricted'

-- name: counts_storing
-- Before the receipts of the entries in ?1 are written: those that have none yet will count.
UPDATE meta SET value = value +
    (SELECT COUNT(*) FROM entry
     WHERE seq IN (SELECT value FROM json_each(?1)) AND state = 'sealed' AND stored_at IS NULL)
WHERE name = 'total_stored'

-- name: counts_storing_late
UPDATE meta SET value = value +
    (SELECT COUNT(*) FROM entry
     WHERE seq IN (SELECT value FROM json_each(?1)) AND state = 'sealed' AND late_ms IS NULL)
WHERE name = 'total_late'

-- name: counts_totals
SELECT (SELECT COALESCE(MAX(seq), 0) FROM entry), (SELECT COALESCE(MAX(id), 0) FROM gap),
       (SELECT COALESCE(MAX(idx), -1) + 1 FROM leaf),
       (SELECT value FROM meta WHERE name = 'total_stored'),
       (SELECT value FROM meta WHERE name = 'total_late'),
       (SELECT value FROM meta WHERE name = 'total_restricted')

-- name: counts_waiting
SELECT state, COUNT(*) FROM entry INDEXED BY entry_work
WHERE state IN ('received', 'judged', 'sealed') GROUP BY state

-- name: counts_reviews
SELECT COUNT(*), MIN(received_at) FROM entry INDEXED BY entry_undecided
WHERE state = 'stored' AND outcome = 'review' AND opened_beside = 0

-- name: counts_encrypted
SELECT COUNT(*), MIN(received_at) FROM unopened INDEXED BY unopened_aging WHERE gave_up = 0

-- name: counts_undecryptable
SELECT COUNT(*) FROM unopened WHERE gave_up = 1

-- name: counts_downloads
SELECT COUNT(*) FROM download INDEXED BY download_work WHERE state = 'waiting'
