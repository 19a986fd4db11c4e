-- Ends sessions that were due when the caller looked, and still are. One whose time is over just leaves the queue: its tokens are
-- over too, and its record stays a while for who comes late. So does one that a cutoff ended. One that was idle for too long gets a
-- tombstone: its tokens live.
-- KEYS[6] due, then pairs of a record and its user's index. ARGV[10…13] as of a change. ARGV[14…] pairs of session id and index
-- member ('' if not known). Nothing is ended where the two clocks disagree.
-- Answers: how many left the queue, how many of them idle, the events of their end, and those that lived until now.

if math.abs(now_seconds - tonumber(ARGV[13])) * 1000000 > SKEW_MICROSECONDS then return { 0, 0, {}, {} } end
local now_limit = math.min(now_seconds, tonumber(ARGV[13]))
local due_key, left, idlers, ended = KEYS[6], {}, {}, {}
for i = 14, #ARGV, 2 do
  local session, record_key = ARGV[i], KEYS[7 + i - 14]
  local active, expires, idle, stamp, user, tenant = unpack(redis.call('HMGET', record_key, 'a', 'x', 'I', 's', 'u', 't'))
  expires = tonumber(expires or '0')
  local idle_at = idle and tonumber(active) + tonumber(idle) or math.huge
  if math.min(expires, idle_at) >= now_limit then
    -- It was used or renewed meanwhile.
    redis.call('ZADD', due_key, integer(math.min(expires, idle_at)), session)
  else
    left[#left + 1] = session
    if active and not is_cut_off(stamp, user, tenant) then
      if idle_at < expires then idlers[#idlers + 1] = i end
      -- Another sweeper may have been quicker.
      if redis.call('ZSCORE', due_key, session) then ended[#ended + 1] = session end
    end
  end
end

local texts = {}
if #idlers > 0 then
  local head = open_head()
  local keep_until = until_seconds(head)
  local sessions = {}
  for i, argument in ipairs(idlers) do
    sessions[i] = ARGV[argument]
    join_session(sessions[i], keep_until, 'x')
  end
  append_sessions(head, ARGV[10], keep_until, ARGV[11], sessions, texts, 'expired')
  for _, argument in ipairs(idlers) do
    if ARGV[argument + 1] ~= '' then redis.call('ZREM', KEYS[7 + argument - 14 + 1], ARGV[argument + 1]) end
    redis.call('UNLINK', KEYS[7 + argument - 14])
  end
end
if #left > 0 then redis.call('ZREM', due_key, unpack(left)) end
return { #left, #idlers, texts, ended }
