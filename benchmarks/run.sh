#!/usr/bin/env bash
# Measures Curfew beside what it is compared with, in the same run on the same machine, and prints ratios first, then
# what they are made of. Results go to benchmarks/results as JSON.
#
#     benchmarks/run.sh [--quick] [--only verdict|validate|propagation|sessions] [--binary PATH]
#
# --quick takes two minutes, is less exact, and writes to results/raw, which git ignores. --binary measures that curfew
# instead of building one.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
command_line="benchmarks/run.sh${*:+ $*}"
PATH=$PATH:/usr/sbin

quick=0 only='' given=''
while [ $# -gt 0 ]; do
    case $1 in
        --quick) quick=1 ;;
        --only) only=${2:-} && shift ;;
        --binary) given=$(realpath -e "${2:-}") && shift ;;
        *)
            sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
            exit 64
            ;;
    esac
    shift
done
case $only in
    '' | verdict | validate | propagation | sessions) ;;
    *)
        echo "--only: $only, expected verdict, validate, propagation or sessions" >&2
        exit 64
        ;;
esac
wants() { [ -z "$only" ] || [ "$only" = "$1" ]; }
wants_node() { [ "$only" != verdict ]; }

# How much of everything. Read by lib/*.sh.
export sessions=10000 tombstones=10000 rounds=7 seconds=5 revokes=600 stops=15 weighed=100000 issued=20000
results=$here/results
if [ "$quick" = 1 ]; then
    rounds=3 seconds=2 revokes=150 stops=3 weighed=10000 issued=10000
    results=$here/results/raw
fi
mkdir -p "$results"

# Installing nginx would start the system's own: this keeps services from being started.
RUNLEVEL=1 "$root/.ci/install" libhiredis-dev libssl-dev pkg-config=pkg-config redis-server=redis-server \
    nginx=nginx libnginx-mod-http-lua lua-nginx-redis wrk=wrk jq=jq curl=curl
nginx_modules=/usr/lib/nginx/modules

build() {
    local package=$1
    shift
    echo "Building ${package#"$root"/} (optimised)" >&2
    swift build -c release --package-path "$package" "$@" >&2
}
# What was built, if it was built here.
revision=$(git -C "$root" rev-parse --short HEAD 2>/dev/null || echo unknown)
[ -z "$(git -C "$root" status --porcelain -- Sources Package.swift 2>/dev/null)" ] || revision+=-dirty
[ -z "$given" ] || revision=unknown
curfew=$given
if [ -z "$given" ] && wants_node; then
    echo "The first optimised build, with all dependencies, takes several minutes" >&2
    build "$root" --scratch-path "$root/.build-release" --product curfew
    curfew=$root/.build-release/release/curfew
fi
if wants_node; then
    build "$here/tools"
fi
tools=$here/tools/.build/release
if wants verdict; then build "$here/verdict" --product verdict; fi

# shellcheck source=benchmarks/lib/processes.sh
. "$here/lib/processes.sh"
# shellcheck source=benchmarks/lib/validate.sh
. "$here/lib/validate.sh"
# shellcheck source=benchmarks/lib/propagation.sh
. "$here/lib/propagation.sh"
# shellcheck source=benchmarks/lib/sessions.sh
. "$here/lib/sessions.sh"

work=$(mktemp -d)
clean_up() {
    end_processes
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

random_hex() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
CURFEW_SIGNING_SECRET=$(random_hex) CURFEW_API_KEY=$(random_hex)
export CURFEW_SIGNING_SECRET CURFEW_API_KEY

about=$(jq -n --arg date "$(date -u +%FT%TZ)" --arg revision "$revision" --arg command "$command_line" \
    --arg cpu "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" --argjson cores "$(nproc)" \
    --arg load "$(cut -d' ' -f1 /proc/loadavg)" \
    '{date: $date, revision: $revision, command: $command, cores: $cores, cpu: $cpu, loadBefore: $load}')

files=()
if wants verdict; then
    echo "One verdict, in process" >&2
    "$here/verdict/.build/release/verdict" | head -n 1 | jq --argjson about "$about" '. + $about' >"$results/verdict.json"
    files+=("$results/verdict.json")
fi
if wants validate; then
    measure_validate
    files+=("$results/validate.json")
fi
if wants propagation; then
    measure_propagation
    files+=("$results/propagation.json")
fi
if wants sessions; then
    measure_sessions
    files+=("$results/sessions.json")
fi

jq -rs -f "$here/lib/report.jq" "${files[@]}"
echo
echo "Written to ${results#"$root"/}: $(jq -r '"\(.date), \(.cores) cores (\(.cpu)), load \(.loadBefore) before, revision \(.revision)"' "${files[0]}")"

# Fast but wrong is no result.
broken=$(jq -rs 'map(select(.benchmark == "propagation") | .activeAfterRefusal + .activeAfterFence) | add // 0' "${files[@]}")
if [ "$broken" != 0 ]; then
    echo "A revoked session was active $broken times: the figures above do not count" >&2
    exit 1
fi
