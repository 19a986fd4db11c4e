-- Changes a user's permissions for every token given so far.
-- ARGV[14] user id, ARGV[15…] permissions.

local head = open_head()
local previous = head.tag
local keep_until = until_seconds(head)
local stamp = next_cutoff(head)
local arguments, value = { ARGV[14], integer(stamp) }, { integer(stamp) }
for i = 15, #ARGV do
  arguments[#arguments + 1] = ARGV[i]
  value[#value + 1] = ARGV[i]
end
join_value('p:' .. ARGV[14], keep_until, table.concat(value, '\t'))
local text = append(head, ARGV[10], keep_until, ARGV[11], 'permissions', arguments)
return change_reply(head, previous, stamp, 0, { text }, {})
