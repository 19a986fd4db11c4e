-- Changes a user's permissions for every token given so far.
-- ARGV[10] asker or '-', ARGV[11] reason, ARGV[12] '1' in a term's first moments, ARGV[13] user id, ARGV[14…] permissions.

local head = open_head()
local previous = head.tag
local keep_until = until_seconds(head)
local stamp = next_cutoff(head, ARGV[12] == '1')
local arguments, value = { ARGV[13], integer(stamp) }, { integer(stamp) }
for i = 14, #ARGV do
  arguments[#arguments + 1] = ARGV[i]
  value[#value + 1] = ARGV[i]
end
join_value('p:' .. ARGV[13], keep_until, table.concat(value, '\t'))
local text = append(head, ARGV[10], keep_until, ARGV[11], 'permissions', arguments)
return change_reply(head, previous, stamp, 0, { text }, {})
