# Everything there is to run. Each goal installs what it needs through apt where that is missing, and says so.

.DEFAULT_GOAL := help
.PHONY: run test soak simulate simulate-mutants model faults overload races fuzz test-sanitized test-redis-versions test-browser test-interoperability mutants build lint bench clean help build-needs

# Our own targets, not the dependencies. Read by Package.swift.
export WARNINGS_AS_ERRORS := 1

nodes ?= 3
port ?= 8080
only ?=
examples ?=
SEEDS ?= 300
seeds ?= $(SEEDS)
first ?= 1
seconds ?= 60
connections ?= 10000
seed ?=

run: build ## Start three nodes and a Redis, play a login and a revoke across them, stay up (nodes=3 port=8080)
	@.ci/install redis-server=redis-server
	@.build/debug/curfew dev --nodes $(nodes) --port $(port) --story

# One test at a time: nodes are held to their staleness bound and clients to their deadlines, on whatever cores there are.
test: build-needs ## Run every test; on real Redis servers and real node processes
	@.ci/install redis-server=redis-server openssl=openssl gcc=gcc
	@.ci/swift-test --no-parallel --skip '^(ClusterTests|FaultTests\.FaultRun)'
	@.ci/swift-test --no-parallel --skip-build --filter '^ClusterTests'

soak: times ?= 20
races: times ?= 1000

soak: build-needs ## Repeat the propagation and fault tests (times=20)
	@.ci/install redis-server=redis-server
	@CURFEW_REPEAT=$(times) .ci/swift-test --filter '^ClusterTests'

simulate: build-needs ## Run clusters from seeds on simulated Redis, network and clocks (seeds=300 first=1)
	@swift build -c release --product simulate --scratch-path .build-release
	@SWIFT_DETERMINISTIC_HASHING=1 .build-release/release/simulate --floors --seeds $(seeds) --first $(first)

simulate-mutants: build-needs ## Take the protocol's rules out one at a time and see the simulation notice (only=NAME)
	@.ci/install perl=perl
	@Tests/Mutations/run --simulate $(only)

model: ## Check the protocol's model exhaustively, and that each rule taken out is found
	@.ci/install spin=spin gcc=gcc
	@Tests/Model/run

faults: build-needs ## Three real nodes under faults that a nemesis draws, every answer checked (seconds=60 seed=N)
	@.ci/install redis-server=redis-server openssl=openssl gcc=gcc
	@CURFEW_FAULT_SECONDS=$(seconds) CURFEW_FAULT_SEED=$(seed) .ci/swift-test --no-parallel --filter '^FaultTests'

overload: build-needs ## More clients, calls and idle connections than a node takes (connections=10000; needs as many open files, twice)
	@.ci/install redis-server=redis-server
	@CURFEW_OVERLOAD_CONNECTIONS=$(connections) .ci/swift-test --no-parallel --filter '^ClusterTests\.ClusterTests/(Overload|SlowClients|ManyStreams)'

races: build-needs ## Renewals, rotations, uses and logins against revokes on other nodes (times=1000)
	@.ci/install redis-server=redis-server
	@CURFEW_RACES=$(times) .ci/swift-test --no-parallel --filter '^ClusterTests\.ClusterTests/(Refresh|Rotate|Races|LoginStates)'

fuzz: build-needs ## Hostile input against everything that reads it (seconds=60 for each target)
	@swift build --build-tests
	@Tests/FuzzTests/run --seconds $(seconds)

test-sanitized: build-needs ## The tests under the thread and the address sanitizer
	@.ci/install redis-server=redis-server openssl=openssl gcc=gcc
	@Tests/Sanitizers/run thread
	@Tests/Sanitizers/run address

test-redis-versions: build-needs ## The client's, store's, feed's and Sentinel's tests on Redis 6.2, 7.0 and 7.4
	@.ci/install redis-server=redis-server openssl=openssl python3=python3 python3-pip=pip3
	@Tests/redis-versions

test-browser: build-needs ## The page of curfew dev in a headless Chromium: a logout on one device, seen on the other
	@.ci/install redis-server=redis-server chromium=chromium chromium-driver=chromedriver python3=python3
	@swift build --product curfew
	@Tests/Browser/demo.py

test-interoperability: build-needs ## Other people's clients: PyJWT, joserfc, JWTKit, Authlib; and Schemathesis against /openapi.json (examples=60 seed=1)
	@.ci/install redis-server=redis-server python3=python3 python3-venv
	@swift build --product curfew
	@JWT_KIT=1 CURFEW_EXAMPLES=$(examples) CURFEW_SEED=$(seed) Tests/Interoperability/run

mutants: build-needs ## Take the protocol's rules out one at a time and see the tests notice (only=NAME)
	@.ci/install redis-server=redis-server perl=perl
	@Tests/Mutations/run $(only)

build: build-needs ## Build everything, tests included: .build/debug/curfew
	@echo 'Building; the first time, with all dependencies, takes some minutes'
	@swift build --build-tests

lint: ## Check format, scripts and the rules of the house
	@.ci/install shellcheck=shellcheck
	@swift format lint --strict --parallel --recursive Package.swift Sources Tests $(wildcard benchmarks/*/Package.swift benchmarks/*/Sources)
	@shellcheck -x .ci/* Tests/redis-versions Tests/*/run $(wildcard docker/*.sh benchmarks/*.sh benchmarks/*/*.sh)
	@.ci/tidy
	@Tests/Mutations/run --check
	@! command -v promtool >/dev/null || { promtool check rules docker/prometheus/alerts.yml && promtool test rules docker/prometheus/alerts-test.yml; }

bench: build-needs ## Measure, beside nginx, Redis and the bare HMAC (args=--quick for two minutes)
	@benchmarks/run.sh $(args)

clean: ## Remove everything that was built
	rm -rf .build .build-* .curfew benchmarks/*/.build benchmarks/results/raw

help: ## Show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-21s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build-needs:
	@.ci/install libhiredis-dev libssl-dev liblua5.1-0-dev pkg-config=pkg-config
