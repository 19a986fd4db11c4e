-- Creates one session: its record, its place in the user's index and in the sweeper's queue. The stamp that it answers is
-- above every cutoff given so far, so no revoke before it concerns its token.
-- KEYS[6] due, KEYS[7] the user's index, KEYS[8] the record.
-- ARGV[10] session id, ARGV[11] index member, ARGV[12] session lifetime (s), ARGV[13] user id, ARGV[14…] fields and values of
-- the record. The record keeps `s` stamp, `c` created, `a` last active, `x` expires (UNIX s) beside them.
-- Answers: incarnation, stamp, seconds, the user's current permission change ('' if none).

local head = open_head()
local session, member, lifetime = ARGV[10], ARGV[11], tonumber(ARGV[12])
local record_key, index_key = KEYS[8], KEYS[7]
if redis.call('EXISTS', record_key) == 1 then return redis.error_reply('CURFEW session id is taken') end
local stamp = next_stamp(head)
local expires = integer(now_seconds + lifetime)
redis.call('HSET', record_key, 's', integer(stamp), 'c', integer(now_seconds), 'a', integer(now_seconds), 'x', expires,
  unpack(ARGV, 14, #ARGV))
redis.call('EXPIREAT', record_key, expires)
redis.call('ZREMRANGEBYSCORE', index_key, '-inf', '(' .. integer(now_seconds - TOMBSTONE_SLACK_SECONDS))
redis.call('ZADD', index_key, expires, member)
-- The index goes with its last member: an index can't leak.
local last = tonumber(redis.call('ZRANGE', index_key, -1, -1, 'WITHSCORES')[2])
redis.call('EXPIREAT', index_key, integer(last + TOMBSTONE_SLACK_SECONDS))
redis.call('ZADD', KEYS[6], expires, session)
return { head.inc, integer(stamp), integer(now_seconds), redis.call('HGET', values_key, 'p:' .. ARGV[13]) or '' }
