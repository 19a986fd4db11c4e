-- Renews a session: prolongs it, never past its absolute end, and makes the next refresh token the good one where it has such.
-- Nothing is renewed that a tombstone or a cutoff ends: the token that is signed from this keeps the session's own stamp.
-- KEYS[6] due, KEYS[7] the user's index, KEYS[8] the record. ARGV[10..13] as of a change; the reason is why a reuse ends it.
-- ARGV[14] session id, ARGV[15] user id, ARGV[16] tenant id or '', ARGV[17] index member, ARGV[18] session lifetime (s),
-- ARGV[19] generation of the refresh token ('0' without one), ARGV[20] grace (ms).
-- Answers: outcome, incarnation, and of `renewed`: seconds (of the first use of this refresh token), the session's end (s), the
-- generation that is good now, permissions, their version; of `reused`: the events of the session's end.

-- A session that is renewed oftener than this within the grace keeps the last ones.
local MAXIMUM_USES = 8

local head = open_head()
local session, generation = ARGV[14], tonumber(ARGV[19])
local record_key, index_key, due_key = KEYS[8], KEYS[7], KEYS[6]

local function answer(outcome, ...) return { outcome, head.inc, ... } end

if redis.call('ZSCORE', revoked_key, 's:' .. session) then return answer('revoked') end
if redis.call('ZSCORE', revoked_key, 'x:' .. session) then return answer('expired') end
local user, stamp, expires, ends, current, used, version, permissions, active, idle =
  unpack(redis.call('HMGET', record_key, 'u', 's', 'x', 'X', 'n', 'r', 'v', 'p', 'a', 'I'))
if user ~= ARGV[15] or (generation > 0 and not current) then return answer('missing') end
stamp, expires, ends, version = tonumber(stamp), tonumber(expires), tonumber(ends), tonumber(version or '0')

if is_cut_off(stamp, user, ARGV[16]) then return answer('revoked') end
if expires <= now_seconds then return answer('expired') end
if idle and tonumber(active) + tonumber(idle) <= now_seconds then return answer('expired') end

local now_milliseconds = math.floor(now_microseconds / 1000)
local first_use, is_again = now_milliseconds, false
if generation > 0 then
  current = tonumber(current)
  -- When the generations before the current one were used first, from the last one back, as far as the grace reaches.
  local uses = {}
  for use in string.gmatch(used or '', '%d+') do
    if now_milliseconds >= tonumber(use) + tonumber(ARGV[20]) or #uses == MAXIMUM_USES then break end
    uses[#uses + 1] = use
  end
  local known_use = uses[current - generation]
  if known_use then
    -- A lost answer, or another tab: the same pair again.
    first_use, is_again, current = tonumber(known_use), true, generation + 1
  elseif current > generation then
    local texts = {}
    local keep_until = until_seconds(head)
    join_session(session, keep_until)
    append_sessions(head, ARGV[10], keep_until, ARGV[11], { session }, texts)
    redis.call('ZREM', due_key, session)
    redis.call('ZREM', index_key, ARGV[17])
    redis.call('UNLINK', record_key)
    return answer('reused', texts)
  else
    -- One that is ahead of the record was made by a Redis whose last writes are lost.
    if generation > current then uses = {} end
    current = generation + 1
    table.insert(uses, 1, integer(now_milliseconds))
    redis.call('HSET', record_key, 'n', integer(current), 'r', table.concat(uses, ','))
  end
end

local change = redis.call('HGET', values_key, 'p:' .. user)
local change_stamp = change and tonumber(string.match(change, '^%d+')) or 0
if change_stamp > math.max(stamp, version) then
  version = change_stamp
  permissions = string.gsub(string.match(change, '^%d+\t?(.*)$'), '\t', ',')
  redis.call('HSET', record_key, 'p', permissions, 'v', integer(version))
end
if not is_again then
  -- Never shorter: a clock that was set back for a moment would end the session once it comes right.
  expires = math.max(expires, math.min(now_seconds + tonumber(ARGV[18]), ends))
  redis.call('HSET', record_key, 'x', integer(expires), 'a', integer(now_seconds))
  keep_session(record_key, index_key, due_key, session, ARGV[17], expires,
    idle and now_seconds + tonumber(idle))
end
return answer('renewed', integer(math.floor(first_use / 1000)), integer(expires), integer(current or 0), permissions,
  integer(version))
