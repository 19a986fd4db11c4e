# Runs, one object each, to medians and ratios. A ratio is taken within each round, then the median of those.

def median: sort | if length % 2 == 1 then .[(length - 1) / 2] else (.[length / 2 - 1] + .[length / 2]) / 2 end;
def places($n): . * pow(10; $n) | round | . / pow(10; $n);

map(. + {
    serverPerRequest: (.server / .requests), redisPerRequest: (.redis / .requests),
    allPerRequest: ((.server + .redis) / .requests), perSecond: (.requests / .seconds)
}) as $runs
| ($runs | group_by(.contender) | map({key: .[0].contender, value: .}) | from_entries) as $by
| def ratio($peer; field): [$by.curfew, $by[$peer]] | transpose | map((.[0] | field) / (.[1] | field)) | median | places(3);
{benchmark: "validate"} + $about + $sizes + {connections: $connections, secondsPerRun: $seconds,
    rounds: ($by.curfew | length),
    ratios: {
        serverCPUToNginxConstant: ratio("nginxConstant"; .serverPerRequest),
        serverCPUToNginxRedisGet: ratio("nginxRedisGet"; .serverPerRequest),
        serverAndRedisCPUToNginxRedisGet: ratio("nginxRedisGet"; .allPerRequest),
        requestsPerSecondToNginxConstant: ratio("nginxConstant"; .perSecond),
        requestsPerSecondToNginxRedisGet: ratio("nginxRedisGet"; .perSecond)
    },
    contenders: ($by | map_values({
        serverMicrosecondsPerRequest: (map(.serverPerRequest) | median | places(2)),
        redisMicrosecondsPerRequest: (map(.redisPerRequest) | median | places(2)),
        requestsPerSecond: (map(.perSecond) | median | round),
        p50Microseconds: (map(.p50) | median), p99Microseconds: (map(.p99) | median),
        notOK: (map(.refused + .broken) | add)
    })),
    runs: map({contender, round, requests, seconds, serverCPUMicroseconds: .server, redisCPUMicroseconds: .redis,
        p50, p99, refused, broken})
}
