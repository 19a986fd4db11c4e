-- Ends sessions: named ones, those that the user's index names, or all older than a cutoff. One atomic change.
-- KEYS[6] due, KEYS[7] the user's index (an empty key where the user is not known), KEYS[8…] records of named sessions.
-- ARGV[14] mode, ARGV[15…]:
--   sessions   pairs of session id and index member ('' if not known)
--   device     the device id          except   the session id that stays
--   user       the user id            tenant   the tenant id            everyone
-- An index member is the session id (28 bytes), a space and the device id, so no record has to be read.
-- Always appends an event, even where nothing was left to end: a fence needs one.
-- What the index names stays named until its record is gone: the record is no key of this call, and who is to delete it behind it
-- (expire.lua) may never come. A session that has ended so stands first in the queue of what is due.

local head = open_head()
local previous = head.tag
local due_key, index_key = KEYS[6], KEYS[7]
local asker, reason, mode = ARGV[10], ARGV[11], ARGV[14]
local keep_until = until_seconds(head)
local texts, ended, live, stamp = {}, {}, 0, nil
-- Index members of sessions whose records are left to delete.
local left = {}

local function has_ended_before(member) return is_ended(due_key, string.sub(member, 1, 28)) end

-- Of a tenant or of everyone: no index names the sessions, so it is kept for as long as one of them may be renewed.
local function outlast_sessions() keep_until = keep_until + math.max(0, head.life - head.ttl) end

local function cutoff(member, kind, arguments)
  stamp = next_cutoff(head)
  join_value(member, keep_until, integer(stamp))
  arguments[#arguments + 1] = integer(stamp)
  texts[1] = append(head, asker, keep_until, reason, kind, arguments)
end

-- A session that just ran out stays a while: its token is good for the leeway and a clock's skew longer.
redis.call('ZREMRANGEBYSCORE', index_key, '-inf', '(' .. integer(now_seconds - TOMBSTONE_SLACK_SECONDS))

if mode == 'sessions' then
  for i = 15, #ARGV, 2 do
    local session = ARGV[i]
    local is_new = join_session(session, keep_until)
    if is_new and redis.call('EXISTS', KEYS[8 + (i - 15) / 2]) == 1 then live = live + 1 end
    ended[#ended + 1] = session
  end
  append_sessions(head, asker, keep_until, reason, ended, texts)
  for i, session in ipairs(ended) do
    local member = ARGV[14 + 2 * i]
    redis.call('UNLINK', KEYS[7 + i])
    if member ~= '' then redis.call('ZREM', index_key, member) end
    redis.call('ZREM', due_key, session)
  end
elseif mode == 'device' or mode == 'except' then
  for _, member in ipairs(redis.call('ZRANGE', index_key, 0, -1)) do
    local session, device = string.sub(member, 1, 28), string.sub(member, 30)
    local is_meant
    if mode == 'device' then is_meant = device == ARGV[15] else is_meant = session ~= ARGV[15] end
    if is_meant and not has_ended_before(member) then
      if join_session(session, keep_until) then live = live + 1 end
      left[#left + 1], ended[#ended + 1] = member, session
    end
  end
  append_sessions(head, asker, keep_until, reason, ended, texts)
  if #texts == 0 then texts[1] = append(head, asker, keep_until, reason, 'nothing', {}) end
elseif mode == 'user' then
  for _, member in ipairs(redis.call('ZRANGE', index_key, 0, -1)) do
    if not has_ended_before(member) then live = live + 1 end
    left[#left + 1] = member
  end
  cutoff('u:' .. ARGV[15], 'user', { ARGV[15] })
elseif mode == 'tenant' then
  outlast_sessions()
  cutoff('t:' .. ARGV[15], 'tenant', { ARGV[15] })
elseif mode == 'everyone' then
  outlast_sessions()
  cutoff('e', 'everyone', {})
else
  return redis.error_reply('CURFEW unknown mode of revoke: ' .. mode)
end
for _, member in ipairs(left) do redis.call('ZADD', due_key, ENDED, string.sub(member, 1, 28)) end
return change_reply(head, previous, stamp, live, texts, left)
