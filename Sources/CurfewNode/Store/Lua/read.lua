-- A read that stands in for freshness, or a strict one. Of the same kind as a poll: it counts the node up, so a primary that
-- may not write answers nothing.
-- KEYS[6] the record. ARGV[10] session id, ARGV[11] user id, ARGV[12] tenant id or '', ARGV[13] habit (see poll).
-- Answers: incarnation, seconds, tombstoned (1 revoked, 2 idle), record exists, cutoffs of user, tenant and everyone ('' if none), permission change ('' if none).

local head = open_head()
count_up(nil, nil, ARGV[13])
local function value(member) return redis.call('HGET', values_key, member) or '' end
return {
  head.inc,
  integer(now_seconds),
  redis.call('ZSCORE', revoked_key, 's:' .. ARGV[10]) and 1 or redis.call('ZSCORE', revoked_key, 'x:' .. ARGV[10]) and 2 or 0,
  redis.call('EXISTS', KEYS[6]),
  value('u:' .. ARGV[11]),
  ARGV[12] ~= '' and value('t:' .. ARGV[12]) or '',
  value('e'),
  value('p:' .. ARGV[11]),
}
