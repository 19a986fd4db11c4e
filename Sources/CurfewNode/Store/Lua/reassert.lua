-- Writes again what this Redis lacks: entries of the replicated state, each a join; what was there already changes nothing
-- and makes no event. ARGV[10…] triples of member, until (s) and value ('' for a session).
-- Answers: how many were missing, seq, tag, incarnation.

local head = open_head()
local sessions, expired, sessions_until, missing = {}, {}, 0, 0
for i = 10, #ARGV, 3 do
  local member, keep_until, value = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2]
  local kind, subject = string.sub(member, 1, 1), string.sub(member, 3)
  if kind == 's' or kind == 'x' then
    if join_session(subject, keep_until, kind) then
      missing = missing + 1
      table.insert(kind == 's' and sessions or expired, subject)
      sessions_until = math.max(sessions_until, keep_until)
    end
  elseif kind == 'r' then
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
