-- Changes what people see of a session, where nobody else did since it was read. What it is about is not touched.
-- KEYS[6] the record. ARGV[10] its revision as it was read, ARGV[11…] fields and values; '' takes a field away.
-- Answers: 'done'; 'changed' where the revision is another; 'gone' where there is no record.

bring_back()
local record = KEYS[6]
if redis.call('EXISTS', record) == 0 then return 'gone' end
local revision = redis.call('HGET', record, 'e') or '0'
if revision ~= ARGV[10] then return 'changed' end
for i = 11, #ARGV, 2 do
  if ARGV[i + 1] == '' then redis.call('HDEL', record, ARGV[i]) else redis.call('HSET', record, ARGV[i], ARGV[i + 1]) end
end
redis.call('HSET', record, 'e', integer(tonumber(revision) + 1))
return 'done'
