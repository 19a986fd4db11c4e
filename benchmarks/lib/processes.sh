# shellcheck shell=bash disable=SC2034,SC2154
# Processes of our own, in a private folder, on free ports of 127.0.0.1: started, watched and ended by their ids.
# Sourced by run.sh, which sets `work` and `curfew`.

started=()

# launch NAME COMMAND...: in the background, output to NAME.log; sets `launched`.
launch() {
    local name=$1
    shift
    "$@" </dev/null >"$work/$name.log" 2>&1 &
    launched=$!
    started+=("$launched")
}

# end_processes [PID...]: these, or all that were started; even stopped ones. 10 s to leave, then SIGKILL.
end_processes() {
    local pid other left=() tries=0
    [ $# -gt 0 ] || set -- "${started[@]}"
    for pid; do
        kill -TERM "$pid" 2>/dev/null || true
        kill -CONT "$pid" 2>/dev/null || true
    done
    for pid; do
        while kill -0 "$pid" 2>/dev/null && [ "$tries" -lt 100 ]; do
            tries=$((tries + 1))
            sleep 0.1
        done
        kill -KILL "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    # An id that has ended may soon be somebody else's: forget it.
    for other in "${started[@]}"; do
        for pid; do [ "$other" != "$pid" ] || continue 2; done
        left+=("$other")
    done
    started=("${left[@]}")
}

# One that nothing listens on; not given out twice.
given_port=$((20000 + RANDOM % 5000))
free_port() {
    while :; do
        given_port=$((given_port + 1))
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$given_port") 2>/dev/null; then return; fi
    done
}

# wait_until NAME COMMAND...: tries for 20 s; then shows the end of NAME.log and gives up.
wait_until() {
    local name=$1 tries=0
    shift
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        if [ "$tries" -gt 200 ]; then
            echo "$name did not come up:" >&2
            tail -n 20 "$work/$name.log" >&2
            exit 70
        fi
        sleep 0.1
    done
}

# cpu_microseconds PID...: user and system time that these processes have used, from the kernel's accounting.
ticks_per_second=$(getconf CLK_TCK)
cpu_microseconds() {
    local pid stat fields ticks=0
    for pid; do
        stat=$(<"/proc/$pid/stat")
        read -ra fields <<<"${stat##*) }"
        ticks=$((ticks + fields[11] + fields[12]))
    done
    echo $((ticks * 1000000 / ticks_per_second))
}

# take_turns COMMAND...: each once a round, every other round in the opposite order, so that no one always comes first. `rounds` times,
# after round 0, which warms up; they read `round`.
take_turns() {
    local round index
    for ((round = 0; round <= rounds; round++)); do
        [ "$round" = 0 ] || echo "  round $round of $rounds" >&2
        for ((index = 1; index <= $#; index++)); do
            if ((round % 2)); then "${!index}"; else "${@:$# - index + 1:1}"; fi
        done
    done
}

# start_redis NAME: one that keeps nothing, on the Unix socket NAME.sock alone; sets `launched`.
start_redis() {
    launch "$1" redis-server --port 0 --unixsocket "$work/$1.sock" --unixsocketperm 700 --dir "$work" \
        --save '' --appendonly no --maxmemory-policy noeviction --daemonize no
    wait_until "$1" redis-cli -s "$work/$1.sock" ping
}

# start_node NAME REDIS: on two free ports; sets `launched`, `public_port` and `admin_port`. Ready when it returns.
start_node() {
    free_port
    public_port=$given_port
    free_port
    admin_port=$given_port
    CURFEW_REDIS="redis+unix://$work/$2.sock" launch "$1" "$curfew" serve --threads 1 --log-level warning \
        --listen "127.0.0.1:$public_port" --admin-listen "127.0.0.1:$admin_port"
    wait_until "$1" curl -sf "http://127.0.0.1:$public_port/health/ready"
}

# start_nginx NAME CONFIGURATION: one worker, nothing of the system's own nginx; sets `launched` and `nginx_worker`.
start_nginx() {
    launch "$1" nginx -p "$work/" -e "$work/$1.log" -c "$2"
    wait_until "$1" grep -q . "/proc/$launched/task/$launched/children"
    # The file has no line end, which `read` calls a failure.
    read -r nginx_worker _ <"/proc/$launched/task/$launched/children" || true
}
