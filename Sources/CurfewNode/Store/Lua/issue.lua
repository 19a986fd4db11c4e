-- Creates one session: its record, its place in the user's index and in the sweeper's queue. The stamp that it answers is
-- above every cutoff given so far, so no revoke before it concerns its token.
-- KEYS[6] due, KEYS[7] the user's index, KEYS[8] the record.
-- ARGV[10] session id, ARGV[11] index member, ARGV[12] session lifetime (s), ARGV[13] its absolute lifetime (s),
-- ARGV[14] '1' where it gets a refresh token, ARGV[15] user id, ARGV[16] tenant id or '', ARGV[17] the highest stamp that a cutoff of this
-- login may have ('' for any), ARGV[18] for how long it may be idle (s; '' for ever), ARGV[19…] fields and values of the record. The record keeps
-- `s` stamp, `c` created, `a` last active, `x` expires, `X` ends at the latest (UNIX s), `v` version of the permissions,
-- `n` generation of the refresh token that is good, `I` for how long it may be idle (s) beside them.
-- Answers: incarnation, stamp, seconds, the user's current permission change ('' if none); or 'cut off'.

local head = open_head()
local session, member = ARGV[10], ARGV[11]
local record_key, index_key, due_key = KEYS[8], KEYS[7], KEYS[6]
if redis.call('EXISTS', record_key) == 1 then return redis.error_reply('CURFEW session id is taken') end
if ARGV[17] ~= '' then
  -- The login was begun at that stamp, and somebody was logged out everywhere since.
  local members = { 'e', 'u:' .. ARGV[15] }
  if ARGV[16] ~= '' then members[3] = 't:' .. ARGV[16] end
  for _, value in ipairs(redis.call('HMGET', values_key, unpack(members))) do
    if value and tonumber(string.match(value, '^%d+')) > tonumber(ARGV[17]) then return 'cut off' end
  end
end
local life = tonumber(ARGV[13])
-- The longest that any session may last: how long the cutoffs of a tenant and of everyone are kept.
if life > head.life then redis.call('HSET', head_key, 'life', integer(life)) end
local stamp = next_stamp(head)
local change = redis.call('HGET', values_key, 'p:' .. ARGV[15]) or ''
local expires = now_seconds + math.min(tonumber(ARGV[12]), life)
redis.call('HSET', record_key, 's', integer(stamp), 'c', integer(now_seconds), 'a', integer(now_seconds),
  'x', integer(expires), 'X', integer(now_seconds + life), unpack(ARGV, 19, #ARGV))
if change ~= '' then redis.call('HSET', record_key, 'v', string.match(change, '^%d+')) end
if ARGV[14] == '1' then redis.call('HSET', record_key, 'n', '1') end
local idle_at
if ARGV[18] ~= '' then
  redis.call('HSET', record_key, 'I', ARGV[18])
  idle_at = now_seconds + tonumber(ARGV[18])
end
keep_session(record_key, index_key, due_key, session, member, expires, idle_at)
return { head.inc, integer(stamp), integer(now_seconds), change }
