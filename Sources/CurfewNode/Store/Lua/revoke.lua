-- Ends sessions: named ones, those that the user's index names, or all older than a cutoff. One atomic change.
-- KEYS[6] due, KEYS[7] the user's index (an empty key where the user is not known), KEYS[8…] records of named sessions.
-- ARGV[9] asker or '-', ARGV[10] reason, ARGV[11] '1' in a term's first moments, ARGV[12] mode, ARGV[13…]:
--   sessions   pairs of session id and index member ('' if not known)
--   device     the device id          except   the session id that stays
--   user       the user id            tenant   the tenant id            everyone
-- An index member is the session id (28 bytes), a space and the device id, so no record has to be read.
-- Always appends an event, even where nothing was left to end: a fence needs one.

local head = open_head()
local previous = head.tag
local due_key, index_key = KEYS[6], KEYS[7]
local asker, reason, mode = ARGV[9], ARGV[10], ARGV[12]
local is_term_young = ARGV[11] == '1'
local keep_until = until_seconds(head)
local texts, ended, live, stamp = {}, {}, 0, nil

local function forget(session, member)
  redis.call('ZREM', due_key, session)
  if member ~= '' then redis.call('ZREM', index_key, member) end
end

local function cutoff(member, kind, arguments)
  stamp = next_cutoff(head, is_term_young)
  join_value(member, keep_until, integer(stamp))
  arguments[#arguments + 1] = integer(stamp)
  texts[1] = append(head, asker, keep_until, reason, kind, arguments)
end

-- A session that just ran out stays a while: its token is good for the leeway and a clock's skew longer.
redis.call('ZREMRANGEBYSCORE', index_key, '-inf', '(' .. integer(now_seconds - TOMBSTONE_SLACK_SECONDS))

if mode == 'sessions' then
  for i = 13, #ARGV, 2 do
    local session, member = ARGV[i], ARGV[i + 1]
    local is_new = join_session(session, keep_until)
    local existed = redis.call('UNLINK', KEYS[8 + (i - 13) / 2])
    if is_new and existed == 1 then live = live + 1 end
    forget(session, member)
    ended[#ended + 1] = session
  end
  append_sessions(head, asker, keep_until, reason, ended, texts)
  ended = {}
elseif mode == 'device' or mode == 'except' then
  for _, member in ipairs(redis.call('ZRANGE', index_key, 0, -1)) do
    local session, device = string.sub(member, 1, 28), string.sub(member, 30)
    local is_meant
    if mode == 'device' then is_meant = device == ARGV[13] else is_meant = session ~= ARGV[13] end
    if is_meant then
      if join_session(session, keep_until) then live = live + 1 end
      forget(session, member)
      ended[#ended + 1] = session
    end
  end
  append_sessions(head, asker, keep_until, reason, ended, texts)
  if #texts == 0 then texts[1] = append(head, asker, keep_until, reason, 'nothing', {}) end
elseif mode == 'user' then
  ended = redis.call('ZRANGE', index_key, 0, -1)
  live = #ended
  for i, member in ipairs(ended) do
    ended[i] = string.sub(member, 1, 28)
    redis.call('ZREM', due_key, ended[i])
  end
  redis.call('UNLINK', index_key)
  cutoff('u:' .. ARGV[13], 'user', { ARGV[13] })
elseif mode == 'tenant' then
  cutoff('t:' .. ARGV[13], 'tenant', { ARGV[13] })
elseif mode == 'everyone' then
  cutoff('e', 'everyone', {})
else
  return redis.error_reply('CURFEW unknown mode of revoke: ' .. mode)
end
return change_reply(head, previous, stamp, live, texts, ended)
