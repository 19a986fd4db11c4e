-- Creates one session: its record, its place in the user's index and in the sweeper's queue. The stamp that it answers is
-- above every cutoff given so far, so no revoke before it concerns its token.
-- Where a user may have only so many sessions, the oldest end for it, or it is refused; and so does one that it replaces.
-- KEYS[6] due, KEYS[7] the user's index, KEYS[8] the record, KEYS[9] the user's failed logins, KEYS[10] the user's logins (see limit.lua),
-- KEYS[11…] the records of the user's sessions that the node has read.
-- ARGV[10..13] as of a change; the reason is why the oldest end. ARGV[14] the session's family, ARGV[15] index member, ARGV[16] session
-- lifetime (s), ARGV[17] its absolute lifetime (s), ARGV[18] '1' where it gets a refresh token, ARGV[19] user id, ARGV[20] tenant id
-- or '', ARGV[21] the highest stamp that a cutoff of this login may have ('' for any), ARGV[22] for how long it may be idle (s; '' for
-- ever), ARGV[23] how many sessions the user may have ('' for any number), ARGV[24] '1' where the oldest make room, ARGV[25] '1' where
-- a device must be known, ARGV[26] past how many failed logins there may be none ('' for any number), ARGV[27] how many logins there may be
-- in a window ('' where this one is not counted), ARGV[28] the window (ms), ARGV[29] a name of this login that no other has, ARGV[30] '1'
-- where the call may have been made before, with the same family, ARGV[31] how many sessions the node has read, then of each, oldest first, its family, its index member, and '1' where it lives, '2' where it is
-- replaced; then fields and values of the record. The record keeps `s` stamp, `c` created, `a` last active, `x` expires, `X` ends at the latest (UNIX s), `v` version
-- of the permissions, `n` generation of the refresh token that is good, `I` for how long it may be idle (s) beside them.
-- Answers: incarnation, stamp, seconds, the user's current permission change ('' if none), the events of the others' end, 1 where
-- the device seems to be new, those of the others that had not ended before; or
-- 'locked', 'limited' where a limit seems to be reached (the node asks limit.lua, which knows what has left the window); 'taken'; 'cut off';
-- 'new device'; 'full'; 'changed' where it depends on a session that the node has not read.

local MAXIMUM_KNOWN_DEVICES = 64

local head = open_head()
local session, member, user, limit = ARGV[14], ARGV[15], ARGV[19], tonumber(ARGV[23])
local record_key, index_key, due_key = KEYS[8], KEYS[7], KEYS[6]
if ARGV[26] ~= '' and redis.call('ZCARD', KEYS[9]) >= tonumber(ARGV[26]) then return 'locked' end
if ARGV[27] ~= '' and redis.call('ZCARD', KEYS[10]) >= tonumber(ARGV[27]) then return 'limited' end
if ARGV[30] == '1' then
  local revoked, expired = unpack(redis.call('ZMSCORE', revoked_key, 's:' .. session, 'x:' .. session))
  if revoked or expired or redis.call('EXISTS', record_key) == 1 then return 'taken' end
end
if ARGV[21] ~= '' then
  -- The login was begun at that stamp, and somebody was logged out everywhere since.
  local members = { 'e', 'u:' .. user }
  if ARGV[20] ~= '' then members[3] = 't:' .. ARGV[20] end
  for _, value in ipairs(redis.call('HMGET', values_key, unpack(members))) do
    if value and tonumber(string.match(value, '^%d+')) > tonumber(ARGV[21]) then return 'cut off' end
  end
end

-- The sessions that must end for this one: triples of family, index member and record.
local read_count, replaced, leaving, texts, told = tonumber(ARGV[31]), {}, {}, {}, {}
local function other(i)
  local first = 32 + 3 * (i - 1)
  return { ARGV[first], ARGV[first + 1], KEYS[10 + i] }, ARGV[first + 2]
end
for i = 1, read_count do
  local one, mark = other(i)
  if mark == '2' then replaced[#replaced + 1], replaced[one[2]] = one, true end
end
local is_first = redis.call('ZCARD', index_key) == 0
-- Whether the user seems to have other sessions, none of the youngest on this one's device. (Of what a tenant's or everyone's cutoff ended
-- the index knows nothing: the node looks again.)
local function is_new_device()
  local device, has_others = string.sub(member, 30), false
  if device == '' or is_first then return 0 end
  local others = redis.call('ZRANGE', index_key, -MAXIMUM_KNOWN_DEVICES, -1, 'WITHSCORES')
  for i = 1, #others, 2 do
    if tonumber(others[i + 1]) > now_seconds and not replaced[others[i]] then
      if string.sub(others[i], 30) == device then return 0 end
      has_others = true
    end
  end
  return has_others and 1 or 0
end
local new_device = is_new_device()
if new_device == 1 and ARGV[25] == '1' then return 'new device' end
if limit then
  local present, unread, living = {}, 0, {}
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', index_key, '(' .. integer(now_seconds), '+inf')) do
    -- One that a revoke has just ended takes no place.
    if not replaced[member] and not is_ended(due_key, string.sub(member, 1, 28)) then
      present[member], unread = true, unread + 1
    end
  end
  for i = 1, read_count do
    local one, mark = other(i)
    if present[one[2]] then
      unread = unread - 1
      if mark == '1' then living[#living + 1] = one end
    end
  end
  -- Those that were not read are the newest.
  local too_many = #living + unread - limit + 1
  if too_many > 0 and ARGV[24] ~= '1' then return #living >= limit and 'full' or 'changed' end
  if too_many > #living then return 'changed' end
  for i = 1, too_many do leaving[i] = living[i] end
end
local function finish(ended, reason)
  if #ended == 0 then return end
  local keep_until, ids = until_seconds(head), {}
  for i, one in ipairs(ended) do
    ids[i] = one[1]
    if join_session(one[1], keep_until) and redis.call('EXISTS', one[3]) == 1 then told[#told + 1] = one[1] end
  end
  append_sessions(head, ARGV[10], keep_until, reason, ids, texts)
end
finish(leaving, ARGV[11])
finish(replaced, 'replaced')

if ARGV[27] ~= '' then
  redis.call('ZADD', KEYS[10], integer(now_microseconds), ARGV[29])
  redis.call('PEXPIRE', KEYS[10], ARGV[28])
end
local life = tonumber(ARGV[17])
-- The longest that any session may last: how long the cutoffs of a tenant and of everyone are kept.
if life > head.life then redis.call('HSET', head_key, 'life', integer(life)) end
local stamp = next_stamp(head)
local change = redis.call('HGET', values_key, 'p:' .. user) or ''
local expires = now_seconds + math.min(tonumber(ARGV[16]), life)
local fields = { 's', integer(stamp), 'c', integer(now_seconds), 'a', integer(now_seconds), 'x', integer(expires),
  'X', integer(now_seconds + life) }
local function keep(field, value) fields[#fields + 1], fields[#fields + 2] = field, value end
if change ~= '' then keep('v', string.match(change, '^%d+')) end
if ARGV[18] == '1' then keep('n', '1') end
local idle_at
if ARGV[22] ~= '' then
  keep('I', ARGV[22])
  idle_at = now_seconds + tonumber(ARGV[22])
end
for i = 32 + 3 * read_count, #ARGV do fields[#fields + 1] = ARGV[i] end
redis.call('HSET', record_key, unpack(fields))
keep_session(record_key, index_key, due_key, session, member, expires, idle_at, is_first)
for _, ended in ipairs({ leaving, replaced }) do
  for _, one in ipairs(ended) do
    redis.call('ZREM', due_key, one[1])
    redis.call('ZREM', index_key, one[2])
    redis.call('UNLINK', one[3])
  end
end
return { head.inc, integer(stamp), integer(now_seconds), change, texts, new_device, told }
