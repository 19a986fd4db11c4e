-- A read that stands in for freshness, or a strict one. Of the same kind as a poll: it counts the node up, so a primary that
-- may not write answers nothing.
-- KEYS[6] the record. ARGV[10] the session's family, ARGV[11] user id, ARGV[12] tenant id or '', ARGV[13] habit (see poll), ARGV[14] the
-- session's id, ARGV[15] its number.
-- Answers: incarnation, seconds, tombstoned (1 revoked, 2 idle, 3 its id was replaced, and the grace is over), record exists, cutoffs of user, tenant and everyone ('' if none), permission change ('' if none).

local head = open_head()
count_up(nil, nil, ARGV[13])
local function is_superseded()
  if not redis.call('ZSCORE', revoked_key, 'r:' .. ARGV[14]) then return false end
  local newest, passes = unpack(redis.call('HMGET', KEYS[6], 'o', 'G'))
  local is_last = newest and tonumber(newest) == tonumber(ARGV[15]) + 1
  return not (is_last and now_microseconds / 1000 < tonumber(passes or '0'))
end
local function value(member) return redis.call('HGET', values_key, member) or '' end
return {
  head.inc,
  integer(now_seconds),
  redis.call('ZSCORE', revoked_key, 's:' .. ARGV[10]) and 1 or redis.call('ZSCORE', revoked_key, 'x:' .. ARGV[10]) and 2
    or is_superseded() and 3 or 0,
  redis.call('EXISTS', KEYS[6]),
  value('u:' .. ARGV[11]),
  ARGV[12] ~= '' and value('t:' .. ARGV[12]) or '',
  value('e'),
  value('p:' .. ARGV[11]),
}
