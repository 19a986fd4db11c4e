-- Housekeeping of one partition, in a bounded batch: entries whose time is over, and nodes that stood still for a minute.
-- An entry is forgotten together with what it ended or changed, so that nothing comes back that a lost write left behind: a
-- tombstone with the record, a user's cutoff with the records of older sessions, and older records take the permissions over.
-- KEYS[6…] records. ARGV[10] the caller's wall clock (s), ARGV[11] by when it forgets (s; 0 before it knows), ARGV[12] number of
-- entries, then for each its member, how many of the next records are its own, and '1' if they are all (or the last of
-- them); then pairs of node id and the value that was seen: one that has moved since stays.
-- Nothing is forgotten where the two clocks disagree, nor before the caller's forgetting clock says so: a tombstone dropped early
-- would un-revoke. How far that clock came stands in the head (`past`), for nodes that start.
-- Answers: how many entries went; how far the nodes' forgetting clocks came (s; 0 where nobody said).

bring_back()
local past = tonumber(redis.call('HGET', head_key, 'past') or '0')
if math.abs(now_seconds - tonumber(ARGV[10])) * 1000000 > SKEW_MICROSECONDS then return { 0, integer(past) } end
local forget_limit = math.min(now_seconds, tonumber(ARGV[10]), tonumber(ARGV[11]))
local gone = 0
if forget_limit > past and redis.call('EXISTS', head_key) == 1 then
  past = forget_limit
  redis.call('HSET', head_key, 'past', integer(past))
end

-- Nothing lives on that this entry speaks of.
local function settle(kind, value, records)
  local stamp = tonumber(string.match(value, '^%d+') or '0')
  for _, record in ipairs(records) do
    if kind == 's' or kind == 'x' then
      redis.call('UNLINK', record)
    else
      local known, version = unpack(redis.call('HMGET', record, 's', 'v'))
      if known and kind == 'u' and tonumber(known) < stamp then redis.call('UNLINK', record) end
      if known and kind == 'p' and math.max(tonumber(known), tonumber(version or '0')) < stamp then
        redis.call('HSET', record, 'p', (string.gsub(string.match(value, '^%d+\t?(.*)$'), '\t', ',')), 'v', integer(stamp))
      end
    end
  end
end

local argument, key = 13, 6
for _ = 1, tonumber(ARGV[12]) do
  local member, count, is_all = ARGV[argument], tonumber(ARGV[argument + 1]), ARGV[argument + 2] == '1'
  local records = {}
  for i = 1, count do records[i] = KEYS[key + i - 1] end
  argument, key = argument + 3, key + count
  local kept_until = tonumber(redis.call('ZSCORE', revoked_key, member) or math.huge)
  if kept_until < forget_limit then
    settle(string.sub(member, 1, 1), redis.call('HGET', values_key, member) or '', records)
    if is_all then
      redis.call('ZREM', revoked_key, member)
      redis.call('HDEL', values_key, member)
      gone = gone + 1
    end
  end
end
for i = argument, #ARGV, 2 do
  if redis.call('HGET', nodes_key, ARGV[i]) == ARGV[i + 1] then redis.call('HDEL', nodes_key, ARGV[i]) end
end
return { gone, integer(past) }
