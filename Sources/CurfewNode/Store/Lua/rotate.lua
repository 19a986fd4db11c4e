-- Gives a login another id: the same session under the next number, and the id before it is good for a short grace only. Its stamp
-- stays, so whatever ends the login ends all of its tokens.
-- KEYS and ARGV[10..20] as of renew; the reason stands in the event. ARGV[21] grace (ms), ARGV[22] since when the absolute lifetime
-- counts anew (UNIX s; '' where it goes on), ARGV[23] how long that is (s), ARGV[24] what the call's first attempt drew ('' where it is
-- not repeated), ARGV[25] permissions, separated by commas, ARGV[26] '1' where these are new ones, ARGV[27] the id before this one; then
-- fields and values of the record.
-- Answers: outcome, incarnation, and of `rotated`: seconds, the session's end (s), its permissions, their version, the generation of
-- its refresh token (0 without one), the new number, and the events.

local MAXIMUM_NUMBER = 4294967295

local head = open_head()
local family, user = ARGV[14], ARGV[15]
local record_key, index_key, due_key = KEYS[8], KEYS[7], KEYS[6]

local function answer(outcome, ...) return { outcome, head.inc, ... } end
local function rotated(living, texts)
  return answer('rotated', integer(math.floor(living.rotated / 1000)), integer(living.expires), living.permissions,
    integer(living.version), integer(living.generation or 0), integer(living.number), texts)
end

local number = tonumber(ARGV[20])
-- Here an id need not come from a token that was signed: one that is ahead of the record was given only if the one before it was replaced.
local known, newest = unpack(redis.call('HMGET', record_key, 'u', 'o'))
if known and number > tonumber(newest or '0') and not redis.call('ZSCORE', revoked_key, 'r:' .. ARGV[27]) then
  return answer('missing')
end
if number >= MAXIMUM_NUMBER then return answer('superseded') end
local living, refusal = read_living(record_key, family, user, ARGV[16], ARGV[19], number)
if refusal == 'superseded' and ARGV[24] ~= '' and living.number == number + 1 then
  if living.drawn == ARGV[24] then return rotated(living, {}) end
  -- That number is known by a re-assertion alone: the answer that had it may have come to nobody.
  if living.rotated == 0 then refusal, living.number = nil, number end
end
if refusal then return answer(refusal) end

local keep_until, texts = until_seconds(head), {}
local now_milliseconds = math.floor(now_microseconds / 1000)
join_session(ARGV[19], keep_until, 'r')
texts[1] = append(head, ARGV[10], keep_until, ARGV[11], 'superseded', { ARGV[19], ARGV[21] })

take_permissions(record_key, living, user)
if ARGV[26] == '1' then
  -- Newer than every change so far.
  living.permissions = ARGV[25]
  redis.call('HSET', record_key, 'p', living.permissions)
end
if ARGV[22] ~= '' then
  local life = tonumber(ARGV[23])
  if life > head.life then redis.call('HSET', head_key, 'life', integer(life)) end
  living.ends = math.max(living.ends, math.min(tonumber(ARGV[22]), now_seconds) + life)
  redis.call('HSET', record_key, 'X', integer(living.ends))
end
living.number, living.rotated = number + 1, now_milliseconds
redis.call('HSET', record_key, 'o', integer(living.number), 'q', integer(now_milliseconds),
  'G', integer(now_milliseconds + tonumber(ARGV[21])), 'w', ARGV[24], unpack(ARGV, 28, #ARGV))
prolong(record_key, index_key, due_key, family, ARGV[17], living, tonumber(ARGV[18]))
return rotated(living, texts)
