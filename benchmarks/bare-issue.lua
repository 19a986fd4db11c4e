-- What a login has to write, and nothing else: the record, its place in the user's index and in the sweeper's queue, the
-- partition's mark, the user's logins in the window, and the audit log's line.
-- KEYS[1] record, KEYS[2] the user's index, KEYS[3] due, KEYS[4] head, KEYS[5] the user's logins, KEYS[6] audit. ARGV[1] when the
-- session expires, ARGV[2] when what is kept of it does, ARGV[3] index member, ARGV[4] session, ARGV[5] mark, ARGV[6] a name of this
-- login, ARGV[7] the window (ms), ARGV[8] the line; then fields and values of the record.

redis.call('HSET', KEYS[1], unpack(ARGV, 9))
redis.call('EXPIREAT', KEYS[1], ARGV[2])
redis.call('ZADD', KEYS[2], ARGV[1], ARGV[3])
redis.call('EXPIREAT', KEYS[2], ARGV[2])
redis.call('ZADD', KEYS[3], ARGV[1], ARGV[4])
redis.call('HSET', KEYS[4], 'mark', ARGV[5])
redis.call('ZADD', KEYS[5], ARGV[5], ARGV[6])
redis.call('PEXPIRE', KEYS[5], ARGV[7])
redis.call('XADD', KEYS[6], 'MAXLEN', '~', 100000, '*', 'j', ARGV[8], 'n', 'n0123456789abcdef', 'i', '1')
