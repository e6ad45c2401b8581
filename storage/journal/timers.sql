-- What is known of the timers of groups.

-- name: register_standing
UPDATE register SET standing = ? WHERE connector = ? AND group_id = ?

-- name: register_standing_of
SELECT standing FROM register WHERE connector = ? AND group_id = ? AND standing IS NOT NULL
