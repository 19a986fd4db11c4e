-- Notes when sessions were used last. Only where the record is there and nothing has ended the session, nor has it been idle for too
-- long before that: nothing is created, and nothing revived. KEYS[6] due, KEYS[7…] records. ARGV[10…] pairs of session id and how long ago that was (s).
-- Answers: how many records were written to.

bring_back()
local touched = 0
for i = 7, #KEYS do
  local session, active = ARGV[10 + 2 * (i - 7)], now_seconds - tonumber(ARGV[11 + 2 * (i - 7)])
  local known, expires, idle = unpack(redis.call('HMGET', KEYS[i], 'a', 'x', 'I'))
  local is_over = not known or redis.call('ZSCORE', revoked_key, 's:' .. session)
    or redis.call('ZSCORE', revoked_key, 'x:' .. session) or is_ended(KEYS[6], session)
  if not is_over and active > tonumber(known) and not (idle and active > tonumber(known) + tonumber(idle)) then
    redis.call('HSET', KEYS[i], 'a', integer(active))
    if idle then
      redis.call('ZADD', KEYS[6], integer(math.min(tonumber(expires), active + tonumber(idle))), session)
    end
    touched = touched + 1
  end
end
return touched
