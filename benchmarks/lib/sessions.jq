# What was weighed and counted to figures. A ratio is taken within each round, then the median of those and their spread.

def median: sort | if length % 2 == 1 then .[(length - 1) / 2] else (.[length / 2 - 1] + .[length / 2]) / 2 end;
def places($n): . * pow(10; $n) | round | . / pow(10; $n);
def by_contender: group_by(.contender) | map({key: .[0].contender, value: .}) | from_entries;
# The contender's field by its peer's, round by round.
def ratio($contender; $peer; field): [.[$contender], .[$peer]] | transpose | map((.[0] | field) / (.[1] | field))
    | {median: (median | places(3)), least: (min | places(3)), most: (max | places(3))};

# `own`: without the node's polls, as many as there are when nobody calls.
($issues | map(. + {each: (.redis / .calls),
    own: ((.redis - (if .contender == "bare" or .contender == "paced" then 0 else $idle * .seconds end)) / .calls)})) as $issues
| ($uses | map(. + {each: (.server / .requests), perSecond: (.requests / .seconds)})) as $uses
| ($issues | by_contender) as $issue | ($uses | by_contender) as $use
| {benchmark: "sessions"} + $about + {
    memory: ($memory | map({key: .name, value: (del(.name, .bytes) + {
        bytesPerSession: (.bytes / .sessions | places(1)), recordBytes: .record, indexBytes: .index,
        dueBytes: (.due | if . then places(1) else . end),
        otherBytes: (.bytes / .sessions - .record - (.index // 0) - (.due // 0) | places(1))
    } | del(.record, .index, .due))}) | from_entries),
    issue: {
        rounds: ($issue.curfew | length), callsPerRun: $issues[0].calls,
        redisCPUToBare: ($issue | ratio("curfew"; "bare"; .each)),
        redisCPUToPaced: ($issue | ratio("curfew"; "paced"; .each)),
        redisCPUToPacedWithoutPolls: ($issue | ratio("curfew"; "paced"; .own)),
        redisCPUToBareWithoutPolls: ($issue | ratio("curfew"; "bare"; .own)),
        replayedRedisCPUToBare: ($issue | ratio("replayed"; "bare"; .own)),
        pollsRedisMicrosecondsPerSecond: $idle,
        contenders: ($issue | map_values({
            redisMicrosecondsPerCall: (map(.each) | median | places(2)),
            microsecondsPerScript: (map(.scriptMicroseconds / .scripts) | median | places(2)),
            readsPerCall: (map(.reads / .calls) | median | places(2)),
            callsPerSecond: (map(.calls / .seconds) | median | round)
        }))
    },
    activity: {
        rounds: ($use.noted | length), secondsPerRun: $seconds, connections: $connections,
        requestsPerSecondToUnnoted: ($use | ratio("noted"; "unnoted"; .perSecond)),
        serverCPUToUnnoted: ($use | ratio("noted"; "unnoted"; .each)),
        contenders: ($use | map_values({
            serverMicrosecondsPerRequest: (map(.each) | median | places(2)),
            requestsPerSecond: (map(.perSecond) | median | round),
            notOK: (map(.refused + .broken) | add)
        }))
    },
    runs: {
        issue: ($issues | map({contender, round, calls, seconds: (.seconds | places(3)), redisCPUMicroseconds: .redis, reads,
            scripts, scriptMicroseconds})),
        activity: ($uses | map({contender, round, requests, seconds, serverCPUMicroseconds: .server, refused, broken}))
    }
}
