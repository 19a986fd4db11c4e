-- Housekeeping of one partition, in a bounded batch: entries whose time is over, due sessions that are gone, and nodes that
-- stood still for a minute. ARGV[9] the caller's wall clock (s), ARGV[10] batch size, ARGV[11…] pairs of node id and the
-- value that was seen; one that has moved since stays.
-- Nothing is forgotten where the two clocks disagree: a tombstone dropped early would un-revoke.
-- Answers: how many entries went.

local batch = ARGV[10]
if math.abs(now_seconds - tonumber(ARGV[9])) * 1000000 > SKEW_MICROSECONDS then return 0 end
local now = integer(math.min(now_seconds, tonumber(ARGV[9])))
local over = redis.call('ZRANGEBYSCORE', revoked_key, '-inf', '(' .. now, 'LIMIT', '0', batch)
for _, member in ipairs(over) do
  redis.call('ZREM', revoked_key, member)
  redis.call('HDEL', values_key, member)
end
local due = redis.call('ZRANGEBYSCORE', KEYS[6], '-inf', '(' .. now, 'LIMIT', '0', batch)
if #due > 0 then redis.call('ZREM', KEYS[6], unpack(due)) end
for i = 11, #ARGV, 2 do
  if redis.call('HGET', nodes_key, ARGV[i]) == ARGV[i + 1] then redis.call('HDEL', nodes_key, ARGV[i]) end
end
return #over + #due
