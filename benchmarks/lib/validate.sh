# shellcheck shell=bash disable=SC2034,SC2154
# Validate over HTTP: the node, nginx with a constant answer of the same size, nginx and Lua with a Redis GET per
# request; the same load on each, in turn. Sourced by run.sh.

connections=64

measure_validate() {
    local node node_port nginx_constant constant_port nginx_get get_port redis_peer redis_node sizes
    echo "Validate over HTTP: starting a node, two nginx and their Redis" >&2
    start_redis redis-node
    redis_node=$launched
    start_redis redis-peer
    redis_peer=$launched
    start_node node redis-node
    node=$launched node_port=$public_port
    echo "  issuing $((sessions + tombstones)) sessions, revoking $tombstones" >&2
    sizes=$("$tools/seed" --public-port "$public_port" --admin-port "$admin_port" --sessions "$sessions" \
        --tombstones "$tombstones" --redis-socket "$work/redis-peer.sock" \
        --tokens "$work/tokens" --ids "$work/ids" --body "$work/body")
    start_peer nginx-constant "$here/nginx/constant.conf" "$work/tokens" "$(jq .answerBytes <<<"$sizes")"
    nginx_constant=$nginx_worker constant_port=$peer_port
    start_peer nginx-redis-get "$here/nginx/redis-get.conf" "$work/ids" "$(jq .answerBytes <<<"$sizes")"
    nginx_get=$nginx_worker get_port=$peer_port

    local raw=$work/validate.raw
    : >"$raw"
    take_turns load_curfew load_constant load_get
    jq -s --argjson about "$about" --argjson sizes "$sizes" --argjson connections "$connections" \
        --argjson seconds "$seconds" -f "$here/lib/validate.jq" "$raw" >"$results/validate.json"
    end_processes
}

load_curfew() { load curfew "$node_port" tokens "$node" "$redis_node"; }
load_constant() { load nginxConstant "$constant_port" tokens "$nginx_constant"; }
load_get() { load nginxRedisGet "$get_port" ids "$nginx_get" "$redis_peer"; }

# start_peer NAME TEMPLATE BEARERS BYTES: an nginx whose whole answer has exactly BYTES bytes; sets `peer_port` and
# `nginx_worker`. It is started once to see how long its own answer is, then again with a field that fills it up.
start_peer() {
    local name=$1 template=$2 bearers=$3 bytes=$4 bearer own pad
    read -r bearer <"$bearers"
    free_port
    peer_port=$given_port
    configure_peer "$name" "$template" ''
    own=$(answer_bytes "$bearer")
    end_processes "$launched"
    # `X-Pad: ` and the line's end are nine bytes.
    pad=$((bytes - own - 9))
    [ "$pad" -ge 0 ] || pad=0
    configure_peer "$name" "$template" "$(printf "%${pad}s" | tr ' ' p)"
    own=$(answer_bytes "$bearer")
    [ "$own" = "$bytes" ] || echo "  note: $name answers $own bytes, the node $bytes" >&2
}

configure_peer() {
    local conf=$work/$1.conf user='' pad=''
    [ "$(id -u)" != 0 ] || user='user root;'
    [ -z "$3" ] || pad="add_header X-Pad $3;"
    sed -e "s|@user@|$user|" -e "s|@work@|$work|g" -e "s|@name@|$1|g" -e "s|@port@|$peer_port|" \
        -e "s|@pad@|$pad|" -e "s|@modules@|$nginx_modules|g" -e "s|@here@|$here|g" \
        -e "s|@body@|$(<"$work/body")|" "$2" >"$conf"
    start_nginx "$1" "$conf"
    wait_until "$1" curl -s "http://127.0.0.1:$peer_port/"
}

answer_bytes() {
    curl -sf -o /dev/null -w '%{size_header} %{size_download}\n' -H "Authorization: Bearer $1" \
        "http://127.0.0.1:$peer_port/v1/validate" | awk '{ print $1 + $2 }'
}

# load CONTENDER PORT BEARERS PID [REDIS_PID]: one run, with the field `header` where that is set; appends a line to $raw, but not in the round that warms up.
load() {
    local contender=$1 port=$2 bearers=$3 server=$4 redis=${5:-} cpu_server cpu_redis=0 line duration=$seconds
    [ "$round" != 0 ] || duration=1
    cpu_server=$(cpu_microseconds "$server")
    [ -z "$redis" ] || cpu_redis=$(cpu_microseconds "$redis")
    BEARERS=$work/$bearers HEADER=${header:-} wrk -t1 -c"$connections" -d"${duration}s" -s "$here/validate.lua" \
        "http://127.0.0.1:$port/v1/validate" 2>"$work/wrk.json" >"$work/wrk.log"
    cpu_server=$(($(cpu_microseconds "$server") - cpu_server))
    [ -z "$redis" ] || cpu_redis=$(($(cpu_microseconds "$redis") - cpu_redis))
    line=$(jq -c --arg contender "$contender" --argjson round "$round" --argjson server "$cpu_server" \
        --argjson redis "$cpu_redis" '{contender: $contender, round: $round, server: $server, redis: $redis} + .' \
        "$work/wrk.json")
    [ "$round" = 0 ] || echo "$line" >>"$raw"
}
