-- What every script begins with: the envelope of arguments, the log, stamps, and joins into the replicated state.
-- Numbers that can pass 2^31 are written with %.0f: Lua's tostring would round them.
--
-- ARGV[1..9], the envelope:
--   1 node id       2 mark: highest stamp the node knows (µs)   3 longest token lifetime it signs with (s)
--   4 fresh tag     5 fresh incarnation (used only where there is no log)
--   6 the incarnation that the node follows ('' before its first)
--   7 channel of the partition's events       8 log window (entries)
--   9 how to publish there: PUBLISH, or SPUBLISH in a Redis Cluster of 7.0 and newer
-- ARGV[10..13] of a change (revoke, permissions):
--   10 asker or '-'    11 reason    12 replication history in which the node is settled ('' if none)
--   13 the node's wall clock (s)
-- While its slot moves away, a cluster's member runs a script only as long as it has all of KEYS, and then each command of it
-- only where its key is there: one that has emptied a key can't ask for it again, and ends in the middle. So what may take a
-- key away comes last, after the event.
-- KEYS[1] head, KEYS[2] log, KEYS[3] revoked, KEYS[4] values, KEYS[5] nodes, in every script.

local MAXIMUM_SESSIONS_PER_EVENT = 256
-- Leeway (10 s) and twice the skew bound (60 s), rounded up: how long a tombstone outlives the last token.
local TOMBSTONE_SLACK_SECONDS = 90
local SKEW_MICROSECONDS = 30 * 1000000
-- How far ahead of Redis' clock a node's is believed, where that only keeps a change longer.
local FURTHEST_CLOCK_SECONDS = 86400

-- The score in `due` of a session that a revoke has ended, and whose record and place in the index are left to delete.
local ENDED = '0'

local function is_ended(due_key, session) return redis.call('ZSCORE', due_key, session) == ENDED end

local head_key, log_key, revoked_key, values_key, nodes_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local node, fresh_tag, channel, window, publish = ARGV[1], ARGV[4], ARGV[7], ARGV[8], ARGV[9]

local time = redis.call('TIME')
local now_seconds = tonumber(time[1])
local now_microseconds = now_seconds * 1000000 + tonumber(time[2])

local function integer(number) return string.format('%.0f', number) end

-- The head as a table; without `seq` where there is no log.
local function read_head()
  local seq, tag, inc, mark, ttl, life = unpack(redis.call('HMGET', head_key, 'seq', 'tag', 'inc', 'mark', 'ttl', 'life'))
  return { seq = tonumber(seq), tag = tag, inc = inc, mark = tonumber(mark or '0'), ttl = tonumber(ttl or '0'),
    life = tonumber(life or '0') }
end

-- Mark and longest lifetime are at least what the node knows.
local function raise(head)
  local node_mark, node_ttl = tonumber(ARGV[2]), tonumber(ARGV[3])
  if node_mark > head.mark then
    head.mark = node_mark
    redis.call('HSET', head_key, 'mark', integer(node_mark))
  end
  if node_ttl > head.ttl then
    head.ttl = node_ttl
    redis.call('HSET', head_key, 'ttl', integer(node_ttl))
  end
end

-- The head, created with its first event where there is no log (first use, or Redis lost its data).
local function open_head()
  local head = read_head()
  if not head.seq then
    head.seq, head.tag, head.inc, head.is_new = 1, string.sub(redis.sha1hex(fresh_tag .. 'first'), 1, 16), ARGV[5], true
    redis.call('DEL', log_key)
    redis.call('HSET', head_key, 'seq', '1', 'tag', head.tag, 'inc', head.inc)
    redis.call('XADD', log_key, '1-0', 'e',
      table.concat({ '1', head.tag, '0000000000000000', '-', '0', 'created', 'nothing' }, '\t'))
  end
  raise(head)
  return head
end

-- For scripts that need no log. Whoever speaks to a Redis that lost its data brings back what it knows: this may be the only one that
-- knows the last stamp, and it for long.
local function bring_back()
  local head = read_head()
  if head.seq then raise(head) end
end

-- A new stamp: above every stamp ever given here, whatever the clock says.
local function next_stamp(head)
  local stamp = math.max(now_microseconds, head.mark + 1)
  head.mark = stamp
  redis.call('HSET', head_key, 'mark', integer(stamp))
  return stamp
end

-- Whether the node follows this very log in this very reign, and is settled there. A primary that was demoted and
-- promoted again may keep its connections: the node learns of it with its next poll, a script of its own already runs there.
local function is_settled(head)
  if ARGV[12] == '' or head.inc ~= ARGV[6] then return false end
  return string.find(redis.call('INFO', 'replication'), 'master_replid:' .. ARGV[12], 1, true) ~= nil
end

-- A stamp for a cutoff. At a term's beginning not every node's stamps may have arrived, and they may be ahead of the clock: so it
-- is at least the skew bound ahead of the clock. Never further ahead, however many there are: a Redis that forgets the mark must still be able to
-- reach past it.
local function next_cutoff(head)
  if not is_settled(head) then head.mark = math.max(head.mark, now_microseconds + SKEW_MICROSECONDS) end
  return next_stamp(head)
end

-- How long a change is kept: past the end of every token given so far. Redis' clock alone does not bound their moments of issue:
-- one that was set back would let a change go while tokens of before live on. So the mark counts, and, where no node brought
-- it back, the node's own clock; it can only keep a change longer, and a wild one not for good.
local function until_seconds(head)
  local clock = math.max(now_seconds, math.floor(head.mark / 1000000))
  return math.max(clock, math.min(tonumber(ARGV[13]), clock + FURTHEST_CLOCK_SECONDS)) + head.ttl + TOMBSTONE_SLACK_SECONDS
end

-- Appends one event and publishes it. Returns its text.
local function append(head, asker, keep_until, reason, kind, arguments)
  local previous = head.tag
  head.seq = head.seq + 1
  head.events = (head.events or 0) + 1
  head.tag = head.events == 1 and fresh_tag or string.sub(redis.sha1hex(fresh_tag .. head.events), 1, 16)
  local fields = { integer(head.seq), head.tag, previous, asker, integer(keep_until), reason, kind }
  for _, argument in ipairs(arguments) do fields[#fields + 1] = argument end
  local text = table.concat(fields, '\t')
  redis.call('HSET', head_key, 'seq', integer(head.seq), 'tag', head.tag)
  redis.call('XADD', log_key, 'MAXLEN', '~', window, integer(head.seq) .. '-0', 'e', text)
  redis.call(publish, channel, text)
  return text
end

-- Appends the end of these sessions, in as many events as it takes.
local function append_sessions(head, asker, keep_until, reason, sessions, texts, kind)
  for first = 1, #sessions, MAXIMUM_SESSIONS_PER_EVENT do
    local chunk = {}
    for i = first, math.min(first + MAXIMUM_SESSIONS_PER_EVENT - 1, #sessions) do chunk[#chunk + 1] = sessions[i] end
    texts[#texts + 1] = append(head, asker, keep_until, reason, kind or 'sessions', chunk)
  end
end

-- Joins a tombstone: 's' of a session that was revoked, 'x' of one that was idle for too long, 'r' of an id of it that was replaced. (A
-- session goes by its first id everywhere, its family's; only 'r' names another.) True where there was none.
local function join_session(session, keep_until, kind)
  local member = (kind or 's') .. ':' .. session
  local known = redis.call('ZSCORE', revoked_key, member)
  redis.call('ZADD', revoked_key, 'GT', integer(keep_until), member)
  return not known
end

-- Joins a cutoff or a permission change; `value` begins with its stamp. True where the stamp is the highest yet.
local function join_value(member, keep_until, value)
  local known = redis.call('HGET', values_key, member)
  local known_stamp = known and tonumber(string.match(known, '^%d+')) or -1
  redis.call('ZADD', revoked_key, 'GT', integer(keep_until), member)
  if tonumber(string.match(value, '^%d+')) <= known_stamp then return false end
  redis.call('HSET', values_key, member, value)
  return true
end

-- Whether a cutoff of the user, of the tenant (nil or '' without one) or of everyone is above this stamp.
local function is_cut_off(stamp, user, tenant)
  local function is_above(member)
    local value = redis.call('HGET', values_key, member)
    return value and tonumber(stamp) < tonumber(value)
  end
  return is_above('u:' .. user) or is_above('e') or ((tenant or '') ~= '' and is_above('t:' .. tenant))
end

-- How long a session's record and its place in the index and in the sweeper's queue are kept. A while longer than the session: its
-- token is good for the leeway and a clock's skew longer, and who comes late is told that it ran out. The index goes with its
-- last member: it can't leak.
-- `idle_at`: when it goes idle unless it is used, nil where it never does. `is_first`: the index is known to be empty.
local function keep_session(record_key, index_key, due_key, session, member, expires, idle_at, is_first)
  redis.call('EXPIREAT', record_key, integer(expires + TOMBSTONE_SLACK_SECONDS))
  redis.call('ZADD', index_key, integer(expires), member)
  local last = expires
  if not is_first and redis.call('ZCARD', index_key) > 1 then
    redis.call('ZREMRANGEBYSCORE', index_key, '-inf', '(' .. integer(now_seconds - TOMBSTONE_SLACK_SECONDS))
    last = tonumber(redis.call('ZRANGE', index_key, -1, -1, 'WITHSCORES')[2])
  end
  redis.call('EXPIREAT', index_key, integer(last + TOMBSTONE_SLACK_SECONDS))
  redis.call('ZADD', due_key, integer(math.min(expires, idle_at or expires)), session)
end

-- A session's record for whoever is to renew or rotate it by the id with this number; and why there is nothing to renew, where there
-- is not: then without a record, but for `superseded`, of which a repeated rotation must see what the first answered.
local function read_living(record_key, family, user, tenant, id, number)
  if redis.call('ZSCORE', revoked_key, 's:' .. family) then return nil, 'revoked' end
  if redis.call('ZSCORE', revoked_key, 'x:' .. family) then return nil, 'expired' end
  local its_user, stamp, expires, ends, generation, uses, version, permissions, active, idle, newest, rotated, drawn =
    unpack(redis.call('HMGET', record_key, 'u', 's', 'x', 'X', 'n', 'r', 'v', 'p', 'a', 'I', 'o', 'q', 'w'))
  if its_user ~= user then return nil, 'missing' end
  if is_cut_off(tonumber(stamp), user, tenant) then return nil, 'revoked' end
  if tonumber(expires) <= now_seconds then return nil, 'expired' end
  if idle and tonumber(active) + tonumber(idle) <= now_seconds then return nil, 'expired' end
  local living = { stamp = tonumber(stamp), expires = tonumber(expires), ends = tonumber(ends), generation = tonumber(generation),
    uses = uses or '', version = tonumber(version or '0'), permissions = permissions, idle = idle and tonumber(idle),
    number = tonumber(newest or '0'), rotated = tonumber(rotated or '0'), drawn = drawn or '' }
  if number < living.number or redis.call('ZSCORE', revoked_key, 'r:' .. id) then return living, 'superseded' end
  -- An id that is ahead of the record was given by a Redis whose last writes are lost.
  if number > living.number then redis.call('HSET', record_key, 'o', integer(number)) end
  living.number = number
  return living
end

-- A change of the user's permissions that came after the session's own, into the record.
local function take_permissions(record_key, living, user)
  local change = redis.call('HGET', values_key, 'p:' .. user)
  local stamp = change and tonumber(string.match(change, '^%d+')) or 0
  if stamp <= math.max(living.stamp, living.version) then return end
  living.version = stamp
  living.permissions = string.gsub(string.match(change, '^%d+\t?(.*)$'), '\t', ',')
  redis.call('HSET', record_key, 'p', living.permissions, 'v', integer(stamp))
end

-- The session was used now, and goes on for so long, at most to its absolute end.
local function prolong(record_key, index_key, due_key, family, member, living, lifetime)
  -- Never shorter: a clock that was set back for a moment would end the session once it comes right.
  living.expires = math.max(living.expires, math.min(now_seconds + lifetime, living.ends))
  redis.call('HSET', record_key, 'x', integer(living.expires), 'a', integer(now_seconds))
  keep_session(record_key, index_key, due_key, family, member, living.expires, living.idle and now_seconds + living.idle)
end

-- Counts the node up in `nodes`. Its applied event is noted where it is on this chain, else what was noted stays.
local function count_up(applied_seq, applied_tag, habit)
  local known = redis.call('HGET', nodes_key, node)
  local count, seq, tag = 0, '0', '0000000000000000'
  if known then
    local known_count
    known_count, seq, tag = string.match(known, '^(%d+):(%d+):(%x+):')
    count = tonumber(known_count)
  end
  if applied_seq then seq, tag = applied_seq, applied_tag end
  redis.call('HSET', nodes_key, node, integer(count + 1) .. ':' .. seq .. ':' .. tag .. ':' .. habit)
end

-- What a change answers: the node applies the events from it like any others.
local function change_reply(head, previous, stamp, revoked, texts, sessions)
  return { head.inc, previous, integer(head.seq), head.tag, stamp and integer(stamp) or '0', revoked, texts, sessions,
    redis.call('HGETALL', nodes_key), integer(head.ttl) }
end
