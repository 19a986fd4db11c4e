# shellcheck shell=bash disable=SC2034,SC2154
# What a session costs: Redis' memory while it lives, Redis' CPU when it is issued, and what a node pays to note that it was
# used. Each beside what it is compared with. Sourced by run.sh.

user_agent='Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Safari/605.1.15'

some_session=ses_7f3a91c2k0Xw__rand_int__

measure_sessions() {
    local memory=$work/memory.raw issues=$work/issues.raw uses=$work/uses.raw polls value_bytes
    : >"$memory"
    weigh withoutUserAgent ''
    weigh withUserAgent "$user_agent"
    weigh_plain
    : >"$issues"
    measure_issues
    : >"$uses"
    measure_uses
    jq -n --argjson about "$about" --argjson seconds "$seconds" --argjson connections "$connections" \
        --argjson idle "$polls" --slurpfile memory "$memory" --slurpfile issues "$issues" --slurpfile uses "$uses" \
        -f "$here/lib/sessions.jq" >"$results/sessions.json"
}

# ask REDIS COMMAND...
ask() { redis-cli -s "$work/$1.sock" "${@:2}"; }

used_memory() { ask "$1" info memory | sed -n 's/^used_memory:\([0-9]*\).*/\1/p'; }

# issue_sessions COUNT PREFIX USER_AGENT: through the node that was started last; what `issue` prints.
issue_sessions() {
    "$tools/issue" --public-port "$public_port" --admin-port "$admin_port" --sessions "$1" --prefix "$2" \
        --user-agent "$3" --tokens "$work/tokens"
}

# weigh NAME USER_AGENT: a Redis of its own before and after `weighed` sessions, everything in it counted; then what it says of
# one record, one index, and the sweeper's queue. Without what is no session's: the audit log's last lines, and the count of
# a user's logins, which goes a minute later. Appends to $memory, sets `value_bytes` to validate's answer's.
weigh() {
    local before after issued session user record index due=0 key
    echo "Memory a session: issuing $weighed, $1" >&2
    start_redis redis-weighed
    CURFEW_AUDIT_STREAM=off CURFEW_RATE_LIMIT_ISSUE=off start_node node redis-weighed
    issue_sessions 200 warm_ "$2" >/dev/null # connections, buffers, scripts
    before=$(used_memory redis-weighed)
    issued=$(issue_sessions "$weighed" u_ "$2")
    sleep 2 # until the last poll's answer has gone and tables have grown
    after=$(used_memory redis-weighed)
    session=$(jq -r .session <<<"$issued")
    user=$(jq -r .user <<<"$issued")
    record=$(ask redis-weighed --scan --pattern "*:s:$session")
    index=$(ask redis-weighed --scan --pattern "*:u:$user")
    while read -r key; do
        due=$((due + $(ask redis-weighed memory usage "$key" samples 0)))
    done < <(ask redis-weighed --scan --pattern 'curfew:*:due')
    jq -nc --arg name "$1" --argjson sessions "$weighed" --arg agent "$2" --argjson bytes $((after - before)) \
        --argjson record "$(ask redis-weighed memory usage "$record" samples 0)" \
        --arg encoding "$(ask redis-weighed object encoding "$record")" \
        --argjson index "$(ask redis-weighed memory usage "$index" samples 0)" \
        --argjson due "$due" --argjson members $((weighed + 200)) \
        '{name: $name, sessions: $sessions, userAgentBytes: ($agent | utf8bytelength), bytes: $bytes, record: $record,
            recordEncoding: $encoding, index: $index, due: ($due / $members)}' >>"$memory"
    value_bytes=$(jq .bodyBytes <<<"$issued")
    end_processes
}

# As many keys with a value as long as validate's answer and an expiry: what a lookup of one's own takes.
weigh_plain() {
    local before after value
    start_redis redis-plain
    before=$(used_memory redis-plain)
    value=$(printf "%${value_bytes}s" | tr ' ' x)
    awk -v count="$weighed" -v value="$value" \
        'BEGIN { for (i = 0; i < count; i++) printf "SET session:ses_%024d %s EX 86490\r\n", i, value }' |
        ask redis-plain --pipe >"$work/plain.log"
    sleep 2
    after=$(used_memory redis-plain)
    jq -nc --argjson sessions "$(ask redis-plain dbsize)" --argjson bytes $((after - before)) --argjson value "$value_bytes" \
        --argjson record "$(ask redis-plain memory usage "session:ses_$(printf %024d 1)")" \
        '{name: "plain", sessions: $sessions, bytes: $bytes, valueBytes: $value, record: $record}' >>"$memory"
    end_processes
}

# Redis' CPU for `issued` logins through a node, beside as many calls of a script that only writes, on a Redis of its own, once
# without a pause and once at the pace of the node; in turns. Its fields are those of a record that the node wrote, its line is the audit log's. Between the two, the node's own call, driven like the bare one:
# a Redis that is called without a pause has warm caches and does not have to be woken.
measure_issues() {
    local redis_node redis_bare redis_paced bare bare_call rate=2000 session record fields expires call line
    echo "Redis' CPU an issue: starting a node and two Redis" >&2
    start_redis redis-bare
    redis_bare=$launched
    start_redis redis-paced
    redis_paced=$launched
    start_redis redis-node
    redis_node=$launched
    start_node node redis-node
    launch monitor redis-cli -s "$work/redis-node.sock" monitor
    wait_until monitor grep -q OK "$work/monitor.log"
    session=$(issue_sessions 1 first_ "$user_agent" | jq -r .session)
    wait_until monitor grep -q "\"EVALSHA\" .*$session" "$work/monitor.log"
    end_processes "$launched"
    # Its words are in double quotes, which xargs takes off.
    mapfile -t call < <(grep -m 1 "\"EVALSHA\" .*$session" "$work/monitor.log" | sed 's/^[^"]*//' |
        sed "s/$session/$some_session/g; s/first_1000000/u___rand_int__/g" | xargs -n 1 printf '%s\n')
    record=$(ask redis-node --scan --pattern "*:s:$session")
    mapfile -t fields < <(ask redis-node hgetall "$record")
    expires=$(ask redis-node hget "$record" x)
    wait_until monitor audit_line
    line=$(audit_line)
    bare=$(ask redis-bare script load "$(<"$here/bare-issue.lua")")
    ask redis-paced script load "$(<"$here/bare-issue.lua")" >"$work/load.log"
    bare_call=(EVALSHA "$bare" 6 "curfew:{7}:s:$some_session"
        'curfew:{7}:u:u___rand_int__' 'curfew:{7}:due' 'curfew:{7}:head' 'curfew:{7}:li:u___rand_int__' 'curfew:{0}:audit'
        "$expires" $((expires + 90)) "$some_session dev_7f3a91c2" "$some_session" "${expires}000000" __rand_int__ 60000 "$line"
        "${fields[@]}")
    printf '%s\0' "${bare_call[@]}" >"$work/bare-call"
    take_turns issue_curfew issue_paced issue_replayed issue_bare
    # What the node asks of Redis anyway, meanwhile.
    polls=$(cpu_microseconds "$redis_node")
    sleep 5
    polls=$((($(cpu_microseconds "$redis_node") - polls) / 5))
    end_processes
}

issue_curfew() {
    local start=$EPOCHREALTIME
    count_redis curfew redis-node "$redis_node" issue_sessions "$issued" "r${round}_" "$user_agent"
    rate=$(jq -n --argjson from "$start" --argjson to "$EPOCHREALTIME" --argjson calls "$issued" '$calls / ($to - $from) | round')
}

# As many calls a second as the node's last time, two at once: so many it sends at a time.
issue_paced() {
    count_redis paced redis-paced "$redis_paced" "$tools/pace" --redis-socket "$work/redis-paced.sock" \
        --command "$work/bare-call" --calls "$issued" --rate "$rate" --together 2
}

issue_replayed() { count_redis replayed redis-node "$redis_node" call_redis redis-node "${call[@]}"; }

# The first login's, once the node has written it.
audit_line() { ask redis-node xrange 'curfew:{0}:audit' - + | grep -m 1 '"session.created"'; }

issue_bare() {
    count_redis bare redis-bare "$redis_bare" call_redis redis-bare "${bare_call[@]}"
}

# call_redis REDIS COMMAND...: on one connection, like the node's, and four calls a read; of the node's it is two to four. Each
# __rand_int__ becomes twelve digits.
call_redis() {
    redis-benchmark -s "$work/$1.sock" -c 1 -P 4 -n "$issued" -r 1000000000 "${@:2}"
}

# count_redis CONTENDER REDIS PID COMMAND...: appends a line to $issues, but not in the round that warms up.
count_redis() {
    local contender=$1 redis=$2 pid=$3 cpu start before after
    shift 3
    before=$(redis_counts "$redis")
    start=$EPOCHREALTIME
    cpu=$(cpu_microseconds "$pid")
    "$@" >"$work/count.log" 2>&1
    cpu=$(($(cpu_microseconds "$pid") - cpu))
    after=$(redis_counts "$redis")
    [ "$round" = 0 ] || jq -nc --arg contender "$contender" --argjson round "$round" --argjson calls "$issued" \
        --argjson redis "$cpu" --argjson from "$start" --argjson to "$EPOCHREALTIME" \
        --argjson before "$before" --argjson after "$after" \
        '{contender: $contender, round: $round, calls: $calls, redis: $redis, seconds: ($to - $from),
            reads: ($after.reads - $before.reads), scripts: ($after.scripts - $before.scripts),
            scriptMicroseconds: ($after.microseconds - $before.microseconds)}' >>"$issues"
}

# How often Redis read from a socket, how many scripts it ran, and for how long.
redis_counts() {
    ask "$1" info everything | tr -d '\r' | awk -F '[:=,]' '
        /^total_reads_processed:/ { reads = $2 }
        /^cmdstat_evalsha:/ { scripts = $3; microseconds = $5 }
        END { printf "{\"reads\":%d,\"scripts\":%d,\"microseconds\":%d}", reads, scripts, microseconds }'
}

# Validate with a note of the session's use, which is what it does, beside validate without one. The header that says so costs
# its parsing; so the other side sends one that is as long and that the node looks at as closely, and that changes nothing.
measure_uses() {
    local node raw=$uses
    echo "Validate with and without a note of the use: starting a node" >&2
    start_redis redis-node
    start_node node redis-node
    node=$launched
    issue_sessions "$sessions" u_ "$user_agent" >"$work/issue.log"
    take_turns use_noted use_unnoted
    end_processes
}

use_noted() { header='X-CSRF-Token: nothing' load noted "$public_port" tokens "$node"; }
use_unnoted() { header='Curfew-Activity: none' load unnoted "$public_port" tokens "$node"; }
