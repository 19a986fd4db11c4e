-- Housekeeping of one partition, in a bounded batch: entries whose time is over, due sessions that are gone, and nodes that
-- stood still for a minute. ARGV[10] the caller's wall clock (s), ARGV[11] batch size, ARGV[12…] pairs of node id and the
-- value that was seen; one that has moved since stays.
-- Nothing is forgotten where the two clocks disagree: a tombstone dropped early would un-revoke.
-- Answers: how many entries went.

local batch = ARGV[11]
if math.abs(now_seconds - tonumber(ARGV[10])) * 1000000 > SKEW_MICROSECONDS then return 0 end
local now = integer(math.min(now_seconds, tonumber(ARGV[10])))
local over = redis.call('ZRANGEBYSCORE', revoked_key, '-inf', '(' .. now, 'LIMIT', '0', batch)
for _, member in ipairs(over) do
  redis.call('ZREM', revoked_key, member)
  redis.call('HDEL', values_key, member)
end
local due = redis.call('ZRANGEBYSCORE', KEYS[6], '-inf', '(' .. now, 'LIMIT', '0', batch)
if #due > 0 then redis.call('ZREM', KEYS[6], unpack(due)) end
for i = 12, #ARGV, 2 do
  if redis.call('HGET', nodes_key, ARGV[i]) == ARGV[i + 1] then redis.call('HDEL', nodes_key, ARGV[i]) end
end
return #over + #due
