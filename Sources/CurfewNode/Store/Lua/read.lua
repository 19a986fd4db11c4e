-- A read that stands in for freshness, or a strict one. Of the same kind as a poll: it counts the node up, so a primary that
-- may not write answers nothing.
-- KEYS[6] the record. ARGV[9] session id, ARGV[10] user id, ARGV[11] tenant id or '', ARGV[12] flag (r or g).
-- Answers: incarnation, tombstoned, record exists, cutoffs of user, tenant and everyone ('' if none), permission change ('' if none).

local head = open_head()
count_up(nil, nil, ARGV[12])
local function value(member) return redis.call('HGET', values_key, member) or '' end
return {
  head.inc,
  redis.call('ZSCORE', revoked_key, 's:' .. ARGV[9]) and 1 or 0,
  redis.call('EXISTS', KEYS[6]),
  value('u:' .. ARGV[10]),
  ARGV[11] ~= '' and value('t:' .. ARGV[11]) or '',
  value('e'),
  value('p:' .. ARGV[10]),
}
