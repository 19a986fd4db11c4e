-- Counts one call under a limit, in a sliding window: the key holds one member a call that was let through, by its time. What is refused
-- is not counted, so that the set never has more members than the limit, and goes by itself a window after the last.
-- KEYS[6] counter. ARGV[10] limit, ARGV[11] window (ms), ARGV[12] a name of this call that no other has; '' only looks.
-- Answers: 1 where this call is counted, else 0; how long until the next may be (ms), 0 where there is room; how many are counted.

local limit, window = tonumber(ARGV[10]), tonumber(ARGV[11]) * 1000
local past = redis.call('ZRANGEBYSCORE', KEYS[6], '-inf', integer(now_microseconds - window))
for _, member in ipairs(past) do redis.call('ZREM', KEYS[6], member) end
local used = redis.call('ZCARD', KEYS[6])
local counted = 0
if used < limit and ARGV[12] ~= '' then
  redis.call('ZADD', KEYS[6], integer(now_microseconds), ARGV[12])
  redis.call('PEXPIRE', KEYS[6], ARGV[11])
  counted, used = 1, used + 1
end
local wait = 0
if used >= limit then
  -- Room is there once all but limit - 1 have left the window: a limit that was lowered may have to wait for several.
  local last = redis.call('ZRANGE', KEYS[6], used - limit, used - limit, 'WITHSCORES')
  local leaves = tonumber(last[2]) + window
  -- A clock that was set back must not refuse for longer than a window.
  wait = math.max(1, math.min(tonumber(ARGV[11]), math.ceil((leaves - now_microseconds) / 1000)))
end
return { counted, wait, used }
