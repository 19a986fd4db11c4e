-- Renews a session: prolongs it, never past its absolute end, and makes the next refresh token the good one where it has such.
-- Nothing is renewed that a tombstone or a cutoff ends: the token that is signed from this keeps the session's own stamp.
-- KEYS[6] due, KEYS[7] the user's index, KEYS[8] the record. ARGV[10..13] as of a change; the reason is why a reuse ends it.
-- ARGV[14] the session's family, ARGV[15] user id, ARGV[16] tenant id or '', ARGV[17] index member, ARGV[18] session lifetime (s),
-- ARGV[19] the session's id, ARGV[20] its number, ARGV[21] generation of the refresh token ('0' without one), ARGV[22] grace (ms),
-- ARGV[23] the code of its fingerprint, where it is a new one, else ''.
-- Answers: outcome, incarnation, and of `renewed`: seconds (of the first use of this refresh token), the session's end (s), its
-- permissions, their version, the generation that is good now, 1 where it was renewed for this before; of `reused`: the events of the session's end.

-- A session that is renewed oftener than this within the grace keeps the last ones.
local MAXIMUM_USES = 8

local head = open_head()
local family, user, generation = ARGV[14], ARGV[15], tonumber(ARGV[21])
local record_key, index_key, due_key = KEYS[8], KEYS[7], KEYS[6]

local function answer(outcome, ...) return { outcome, head.inc, ... } end

local living, refusal = read_living(record_key, family, user, ARGV[16], ARGV[19], tonumber(ARGV[20]))
if refusal then return answer(refusal) end
if generation > 0 and not living.generation then return answer('missing') end

local now_milliseconds = math.floor(now_microseconds / 1000)
local first_use, is_again, current = now_milliseconds, false, 0
if generation > 0 then
  current = living.generation
  -- When the generations before the current one were used first, from the last one back, as far as the grace reaches.
  local uses = {}
  for use in string.gmatch(living.uses, '%d+') do
    if now_milliseconds >= tonumber(use) + tonumber(ARGV[22]) or #uses == MAXIMUM_USES then break end
    uses[#uses + 1] = use
  end
  local known_use = uses[current - generation]
  if known_use then
    -- A lost answer, or another tab: the same pair again.
    first_use, is_again, current = tonumber(known_use), true, generation + 1
  elseif current > generation then
    local texts = {}
    local keep_until = until_seconds(head)
    join_session(family, keep_until)
    append_sessions(head, ARGV[10], keep_until, ARGV[11], { family }, texts)
    redis.call('ZREM', due_key, family)
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

take_permissions(record_key, living, user)
if ARGV[23] ~= '' then redis.call('HSET', record_key, 'f', ARGV[23]) end
if not is_again then prolong(record_key, index_key, due_key, family, ARGV[17], living, tonumber(ARGV[18])) end
return answer('renewed', integer(math.floor(first_use / 1000)), integer(living.expires), living.permissions,
  integer(living.version), integer(current), is_again and 1 or 0)
