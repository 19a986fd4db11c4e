-- What a login has to write, and nothing else: the record, its place in the user's index and in the sweeper's queue.
-- KEYS[1] record, KEYS[2] the user's index, KEYS[3] due. ARGV[1] when the session expires, ARGV[2] when what is kept of it
-- does, ARGV[3] index member, ARGV[4] session; then fields and values of the record.

redis.call('HSET', KEYS[1], unpack(ARGV, 5))
redis.call('EXPIREAT', KEYS[1], ARGV[2])
redis.call('ZADD', KEYS[2], ARGV[1], ARGV[3])
redis.call('EXPIREAT', KEYS[2], ARGV[2])
redis.call('ZADD', KEYS[3], ARGV[1], ARGV[4])
