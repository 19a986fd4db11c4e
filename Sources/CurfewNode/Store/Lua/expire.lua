-- Ends sessions that were due when the caller looked, and still are. One whose time is over just leaves the queue: its tokens are
-- over too, and its record stays a while for who comes late. One that was idle for too long gets a tombstone: its tokens live.
-- Of one that a revoke has ended (ENDED, or a cutoff) the record goes, and its place in the index: it needs nothing else.
-- KEYS[6] due, then pairs of a record and its user's index. ARGV[10…13] as of a change. ARGV[14…] pairs of session id and index
-- member ('' if not known). Nothing is ended by time where the two clocks disagree.
-- Answers: how many left the queue, how many of them idle, the events of their end, and those that lived until now.

bring_back()
local is_clock_off = math.abs(now_seconds - tonumber(ARGV[13])) * 1000000 > SKEW_MICROSECONDS
local now_limit = math.min(now_seconds, tonumber(ARGV[13]))
local due_key, left, idlers, gone, ended = KEYS[6], {}, {}, {}, {}

-- One of them: its id, its record, its user's index and what that has of it.
local function session_at(i) return ARGV[i], KEYS[7 + i - 14], KEYS[7 + i - 14 + 1], ARGV[i + 1] end

-- A session whose time is over by both clocks, or that was used or renewed meanwhile.
local function look(i)
  local session, record_key = session_at(i)
  local active, expires, idle, stamp, user, tenant = unpack(redis.call('HMGET', record_key, 'a', 'x', 'I', 's', 'u', 't'))
  expires = tonumber(expires or '0')
  local idle_at = idle and tonumber(active) + tonumber(idle) or math.huge
  if math.min(expires, idle_at) >= now_limit then
    redis.call('ZADD', due_key, integer(math.min(expires, idle_at)), session)
    return
  end
  left[#left + 1] = session
  if not active then return end
  if is_cut_off(stamp, user, tenant) then
    gone[#gone + 1] = i
    return
  end
  if idle_at < expires then
    idlers[#idlers + 1], gone[#gone + 1] = session, i
  end
  -- Another sweeper may have been quicker.
  if redis.call('ZSCORE', due_key, session) then ended[#ended + 1] = session end
end

for i = 14, #ARGV, 2 do
  local session = ARGV[i]
  if is_ended(due_key, session) then
    left[#left + 1], gone[#gone + 1] = session, i
  elseif not is_clock_off then
    look(i)
  end
end

local texts = {}
if #idlers > 0 then
  local head = open_head()
  local keep_until = until_seconds(head)
  for _, session in ipairs(idlers) do join_session(session, keep_until, 'x') end
  append_sessions(head, ARGV[10], keep_until, ARGV[11], idlers, texts, 'expired')
end
for _, i in ipairs(gone) do
  local _, record_key, index_key, member = session_at(i)
  redis.call('UNLINK', record_key)
  if member ~= '' then redis.call('ZREM', index_key, member) end
end
if #left > 0 then redis.call('ZREM', due_key, unpack(left)) end
return { #left, #idlers, texts, ended }
