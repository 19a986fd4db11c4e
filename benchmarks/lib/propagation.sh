# shellcheck shell=bash disable=SC2034,SC2154
# Revoke to refused and the fenced revoke on three nodes, beside Redis' own delivery. Sourced by run.sh.

measure_propagation() {
    local node nodes=''
    echo "Propagation: starting three nodes" >&2
    start_redis redis-cluster
    for node in node1 node2 node3; do
        start_node "$node" redis-cluster
        nodes+=${nodes:+,}$public_port:$admin_port:$launched
    done
    "$tools/propagation" --nodes "$nodes" --redis-socket "$work/redis-cluster.sock" --rounds "$revokes" \
        --stops "$stops" | jq --argjson about "$about" '. + $about' >"$results/propagation.json"
    end_processes
}
