-- A read that stands in for freshness, or a strict one. Of the same kind as a poll: it counts the node up, so a primary that
-- may not write answers nothing.
-- KEYS[6] the record. ARGV[10] the session's family, ARGV[11] user id, ARGV[12] tenant id or '', ARGV[13] habit (see poll), ARGV[14] the
-- session's id, ARGV[15] its number.
-- Answers: incarnation, seconds, tombstoned (1 revoked, 2 idle, 3 its id was replaced, and the grace is over), whether there is a record of this
-- session of this user, cutoffs of user, tenant and everyone ('' if none), permission change ('' if none),
-- for how long an id that was replaced is good yet (ms; '' if it was not).

local head = open_head()
count_up(nil, nil, ARGV[13])
-- Nil where the id was not replaced.
local function grace_left()
  if not redis.call('ZSCORE', revoked_key, 'r:' .. ARGV[14]) then return nil end
  local newest, passes = unpack(redis.call('HMGET', KEYS[6], 'o', 'G'))
  local is_last = newest and tonumber(newest) == tonumber(ARGV[15]) + 1
  return is_last and math.max(0, math.floor(tonumber(passes or '0') - now_microseconds / 1000)) or 0
end
local left = grace_left()
local function value(member) return redis.call('HGET', values_key, member) or '' end
return {
  head.inc,
  integer(now_seconds),
  redis.call('ZSCORE', revoked_key, 's:' .. ARGV[10]) and 1 or redis.call('ZSCORE', revoked_key, 'x:' .. ARGV[10]) and 2
    or left == 0 and 3 or 0,
  redis.call('HGET', KEYS[6], 'u') == ARGV[11] and 1 or 0,
  value('u:' .. ARGV[11]),
  ARGV[12] ~= '' and value('t:' .. ARGV[12]) or '',
  value('e'),
  value('p:' .. ARGV[11]),
  left and integer(left) or '',
}
