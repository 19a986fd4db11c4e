-- One poll: does this log have the entry that the node applied last? A write on purpose (it counts the node up): a primary
-- that was cut off and may not write can make nobody fresh.
-- ARGV[10] applied seq, ARGV[11] its tag, ARGV[12] habit (r or g, and the node's Δ in ms).
-- Answers: verdict, seq, tag, incarnation, mark, longest lifetime, seconds, microseconds, nodes.

local head = open_head()
local seq, tag, habit = ARGV[10], ARGV[11], ARGV[12]
local verdict
if seq == integer(head.seq) then
  verdict = tag == head.tag and 'same' or 'fork'
elseif tonumber(seq) > head.seq then
  verdict = 'fork'
else
  local entry = redis.call('XRANGE', log_key, seq .. '-0', seq .. '-0')[1]
  if entry then
    verdict = string.match(entry[2][2], '^%d+\t(%x+)\t') == tag and 'same' or 'fork'
  else
    verdict = 'trimmed'
  end
end
if verdict == 'same' then count_up(seq, tag, habit) else count_up(nil, nil, habit) end
return { verdict, integer(head.seq), head.tag, head.inc, integer(head.mark), integer(head.ttl), time[1], time[2],
  redis.call('HGETALL', nodes_key) }
