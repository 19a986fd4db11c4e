-- Changes a user's permissions for every token given so far.
-- ARGV[9] asker or '-', ARGV[10] reason, ARGV[11] '1' in a term's first moments, ARGV[12] user id, ARGV[13…] permissions.

local head = open_head()
local previous = head.tag
local keep_until = until_seconds(head)
local stamp = next_cutoff(head, ARGV[11] == '1')
local arguments, value = { ARGV[12], integer(stamp) }, { integer(stamp) }
for i = 13, #ARGV do
  arguments[#arguments + 1] = ARGV[i]
  value[#value + 1] = ARGV[i]
end
join_value('p:' .. ARGV[12], keep_until, table.concat(value, '\t'))
local text = append(head, ARGV[9], keep_until, ARGV[10], 'permissions', arguments)
return change_reply(head, previous, stamp, 0, { text }, {})
