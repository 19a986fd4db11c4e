// Commands and scripts at the edges of what is allowed: their errors, and values that have to be converted.

enum WrongCalls {
    static let commands: [[String]] = [
        [
            "NOSUCH a b", "GET", "get k", "SET k v", "SET k w NX", "SET k v FOO", "HGET k f", "HSET h f",
            "HSET h f 1 g",
            "HSET h f 1 g 2 f 3", "HGETALL h", "HDEL h f f x", "HMGET none a b", "ZADD k 1 a", "XADD k 1-0 e v", "PING",
            "PING hello", "PING a b", "DEL k k none", "EXISTS h h none", "HDEL h g", "EXISTS h", "TYPE h", "FLUSHALL x",
            "FLUSHALL ASYNC",
            "CONFIG GET min-replicas-to-write", "CONFIG GET nosuch", "CONFIG GET maxmemory-policy",
            "SCRIPT EXISTS x", "EVALSHA ffffffffffffffffffffffffffffffffffffffff x", "SCRIPT FLUSH", "EVALSHA fff 0",
            "EVALSHA fff x", "EVALSHA fff -1", "EVALSHA fff 2 a",
            "EVALSHA ffffffffffffffffffffffffffffffffffffffff 0", "WAIT 0 1", "WAIT x 0", "WAIT 0 x", "WAIT 0 -1",
            "PUBLISH a b", "INFO nosuch",
        ],
        [
            "ZADD z GT 5 a", "ZADD z GT 4 a 6 b", "ZADD z x a", "ZADD z 1", "ZADD z GT CH 9 a 9 c", "ZADD z nan a",
            "ZADD z 1.5 d 1e300 e -inf f inf g 0.1 h 100000000000000000001 j", "ZRANGE z 0 -1 WITHSCORES",
            "ZRANGE z 0 x", "ZRANGE z 0 -1 foo", "ZRANGE z -2 -1", "ZRANGE z 5 2", "ZRANGE z -100 100", "ZSCORE z e",
            "ZMSCORE z e a none", "ZMSCORE none a", "ZMSCORE z", "ZCARD z", "ZCARD none", "ZCARD z z",
            "ZSCORE z none", "ZSCORE none a", "ZRANGEBYSCORE z -inf (6 LIMIT 0 1", "ZRANGEBYSCORE z (5 6 WITHSCORES",
            "ZRANGEBYSCORE z 5 9 LIMIT 1 -1", "ZRANGEBYSCORE z -inf inf LIMIT 0 x", "ZRANGEBYSCORE z foo (7",
            "ZRANGEBYSCORE z 9 5", "ZREMRANGEBYSCORE z foo 1", "ZREMRANGEBYSCORE z (5 (6", "ZREMRANGEBYSCORE z 1 (6",
            "ZRANGE z 0 -1 WITHSCORES", "ZREM z a a none", "ZSCAN z 0 foo", "ZSCAN z x", "ZSCAN z 0 COUNT 0",
            "ZSCAN z 0 COUNT 3", "ZSCAN none 0", "EXPIREAT z abc", "EXPIREAT none 9999999999", "EXPIREAT z 9999999999",
            "PEXPIRETIME z", "PEXPIRETIME none", "EXPIREAT z 99999999999999999", "ZADD z 1 new", "EXPIREAT z 1",
            "EXISTS z", "ZADD z 1 new", "PEXPIRE z abc", "PEXPIRE none 5", "PEXPIRE z", "PEXPIRE z 9223372036854775807",
            "PEXPIRE z 1500", "PEXPIRETIME z", "PEXPIRE z -1", "EXISTS z",
        ],
        [
            "XADD s 1-0 e v", "XADD s 1-0 e v", "XADD s 0-0 e v", "XADD s abc e v", "XADD s 2", "XADD s 2-0 e",
            "XADD s 5 e v f w", "XADD s MAXLEN ~ x 6-0 e v", "XADD s MAXLEN ~ -1 6-0 e v", "XADD s MAXLEN ~ 1 6-1 e v",
            "XRANGE s - +", "XRANGE s - + COUNT 1", "XRANGE s - + COUNT 0", "XRANGE s - + COUNT -1",
            "XRANGE s - + COUNT x",
            "XRANGE s - + FOO 1", "XRANGE s abc +", "XRANGE s 5 6", "XRANGE s 6 5", "XRANGE none - +", "XRANGE s 1-x +",
            "ZSCORE s a", "ZMSCORE s a", "ZCARD s", "GET s", "UNLINK s s",
        ],
    ]

    /// What a server in trouble refuses, and what it does not.
    static let inTrouble = [
        ["SET", "k", "v"], ["GET", "k"], ["HSET", "h", "f", "v"], ["HDEL", "h", "f"], ["DEL", "none"], ["PING"],
        ["TIME"],
        ["PUBLISH", "a", "b"], ["ZADD", "z", "1", "a"], ["FLUSHALL"], ["EXPIREAT", "k", "9999999999"], ["SET", "k"],
        ["EVAL", "return redis.call('set', 'k', 'v')", "0"], ["EVAL", "return redis.pcall('set', 'k', 'v')", "0"],
        ["EVAL", "return redis.call('get', 'k')", "0"], ["EVAL", "return redis.call('hdel', 'h', 'f')", "0"],
        ["EVAL", "redis.call('hdel', 'h', 'f') return redis.call('hset', 'h', 'f', 'x')", "0"],
        ["EVAL", "return 1", "0"],
        ["EVAL", "return redis.call('publish', 'a', 'b')", "0"], ["EVAL", "return redis.call('set', 'k')", "0"],
        ["EVALSHA", "ffffffffffffffffffffffffffffffffffffffff", "0"], ["WAIT", "0", "1"],
    ]

    static let scripts = [
        "return redis.call('nosuch','a')", "return redis.call('get')", "local x = redis.pcall('get') return x",
        "return redis.pcall('get').err", "foo = 1", "return foo", "return nil .. 'a'", "string.foo = 1",
        "return redis.error_reply('CURFEW x y')", "return redis.error_reply('x')", "return redis.error_reply('-A b')",
        "return {err='My Err'}", "error('boom')", "error({err='tab'})", "return redis.status_reply('FINE')",
        "return {1,2.9,'a',nil,3}", "return {1,true,false,{2,{3}}}", "return 3.99", "return -3.99", "return true",
        "return false", "return", "return {}", "syntax error here", "return redis.call({})", "return redis.call()",
        "return redis.call('set','a',1.5)", "return redis.call('set','b',12345678901234567890)",
        "return redis.call('set','c',1800000000000001)", "return redis.sha1hex(1)", "return redis.sha1hex('x')",
        "return redis.sha1hex()", "return os.clock()", "return tostring(io)", "return redis.call('ping')",
        "return redis.call('hgetall','none')", "return redis.call('hget','none','x')",
        "return type(redis.call('hget','none','x'))", "return redis.call('ping').ok",
        "return redis.call('hget','a','f')",
        "return redis.call('config','get','x')", "return redis.call('eval','return 1',0)",
        "return redis.call('xadd','st','1-0','a')", "\n\nlocal function f()\n  redis.call('hget','a','f')\nend\nf()",
        "return {KEYS[1], ARGV[1], #KEYS, #ARGV}", "return redis.call('time')", "KEYS = 1",
        "local ok, e = pcall(redis.call, 'hget', 'a', 'f') return {tostring(ok), e}",
        "return {pcall(error, 'plain')}", "redis.call('set','half','done') redis.call('hget','half','f')",
        "return tostring(redis.call('publish','a','b'))", "return string.format('%.0f', 2^53)", "return #'a\\0b'",
        "return {ok='x', err='y'}", "return {string.match('12:34:ab:', '^(%d+):(%d+):(%x+):')}",
        "local t = {} for w in string.gmatch('a\\tb\\tc', '[^\\t]+') do t[#t + 1] = w end return t",
    ]
}
