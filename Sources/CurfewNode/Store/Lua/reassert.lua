-- Writes again what this Redis lacks: entries of the replicated state, each a join; what was there already changes nothing
-- and makes no event. KEYS[6…] the records of the ids that were replaced. ARGV[10…] triples of member, until (s) and value ('' for a
-- session, the number of an id that was replaced).
-- Answers: how many were missing, seq, tag, incarnation.

local head = open_head()
local sessions, expired, sessions_until, missing, record = {}, {}, 0, 0, 6

-- Of a tenant or of everyone: a sign-in since it was lost may have given a session more time than the cutoff was to be kept for.
local function kind_until(kind, keep_until)
  if kind ~= 't' and kind ~= 'e' then return keep_until end
  return math.max(keep_until, now_seconds + head.life + TOMBSTONE_SLACK_SECONDS)
end

for i = 10, #ARGV, 3 do
  local member, value = ARGV[i], ARGV[i + 2]
  local kind, subject = string.sub(member, 1, 1), string.sub(member, 3)
  local keep_until = kind_until(kind, tonumber(ARGV[i + 1]))
  if kind == 's' or kind == 'x' then
    if join_session(subject, keep_until, kind) then
      missing = missing + 1
      table.insert(kind == 's' and sessions or expired, subject)
      sessions_until = math.max(sessions_until, keep_until)
    end
  elseif kind == 'r' then
    -- The record went back as well: the id after this one is the good one.
    local record_key = KEYS[record]
    record = record + 1
    local user, newest = unpack(redis.call('HMGET', record_key, 'u', 'o'))
    if user and tonumber(newest or '0') <= tonumber(value) then redis.call('HSET', record_key, 'o', integer(tonumber(value) + 1)) end
    -- Without a grace: that was counted from the first time.
    if join_session(subject, keep_until, kind) then
      missing = missing + 1
      append(head, '-', keep_until, 'reasserted', 'superseded', { subject, '0' })
    end
  elseif join_value(member, keep_until, value) then
    missing = missing + 1
    local words = {}
    for word in string.gmatch(value, '[^\t]+') do words[#words + 1] = word end
    local stamp = tonumber(words[1])
    if stamp > head.mark then
      head.mark = stamp
      redis.call('HSET', head_key, 'mark', words[1])
    end
    local names = { u = 'user', t = 'tenant', e = 'everyone', p = 'permissions' }
    if kind ~= 'e' then table.insert(words, 1, subject) end
    append(head, '-', keep_until, 'reasserted', names[kind], words)
  end
end
append_sessions(head, '-', sessions_until, 'reasserted', sessions, {})
append_sessions(head, '-', sessions_until, 'reasserted', expired, {}, 'expired')
return { missing, integer(head.seq), head.tag, head.inc }
