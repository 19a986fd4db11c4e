# The results as text: ratios first, then what they are made of. Reads the result files, in any order.

def places($n): . * pow(10; $n) | round | . / pow(10; $n) | tostring;
def pad($n): tostring | . + (" " * ([$n - length, 1] | max));
def row($name; $cells): "  " + ($name | pad(44)) + ($cells | map(pad(13)) | join(""));
def spread: "\(.median | places(3)) (\(.least | places(3))–\(.most | places(3)))";
def of($name): map(select(.benchmark == $name)) | first;

of("validate") as $validate | of("verdict") as $verdict | of("propagation") as $propagation
| of("sessions") as $sessions
| "Ratios",
  ($verdict | values |
    row("verdict : bare HMAC"; ["\(.verdictPerBareHMAC | places(2))", "goal ≤ 3"]),
    row("verdict : HMAC, context re-initialised"; ["\(.verdictPerReinitialisedHMAC | places(2))"])),
  ($validate | values | .ratios |
    row("validate : nginx return 200, CPU a request"; ["\(.serverCPUToNginxConstant | places(2))"]),
    row("validate : nginx + Redis GET, CPU a request"; [
        "\(.serverCPUToNginxRedisGet | places(2))", "\(.serverAndRedisCPUToNginxRedisGet | places(2)) with Redis' own"]),
    row("validate : nginx return 200, requests/s"; ["\(.requestsPerSecondToNginxConstant | places(2))"]),
    row("validate : nginx + Redis GET, requests/s"; ["\(.requestsPerSecondToNginxRedisGet | places(2))"])),
  ($propagation | values |
    row("revoke to refused : PUBLISH to delivery"; [
        "\(.revokeToRefused.p50 / .publishToDelivery.p50 | places(2)) p50",
        "\(.revokeToRefused.p99 / .publishToDelivery.p99 | places(2)) p99"]),
    row("fenced revoke : PUBLISH to delivery"; [
        "\(.fencedRevoke.p50 / .publishToDelivery.p50 | places(2)) p50",
        "\(.fencedRevoke.p99 / .publishToDelivery.p99 | places(2)) p99"])),
  ($sessions | values |
    row("memory a session : one key with the answer"; [
        "\(.memory.withUserAgent.bytesPerSession / .memory.plain.bytesPerSession | places(2))",
        "\(.memory.withoutUserAgent.bytesPerSession / .memory.plain.bytesPerSession | places(2)) without user agent"]),
    row("issue : the bare writes at its pace, Redis' CPU"; ["\(.issue.redisCPUToPaced | spread)", "goal ≤ 2,",
        "\(.issue.redisCPUToPacedWithoutPolls.median | places(2)) without polls"]),
    row("issue : the bare writes, Redis' CPU"; ["\(.issue.redisCPUToBare | spread)", "goal ≤ 2,",
        "\(.issue.redisCPUToBareWithoutPolls.median | places(2)) without polls"]),
    row("issue's script alone : the bare writes"; ["\(.issue.replayedRedisCPUToBare | spread)"]),
    row("validate, noted : not noted, requests/s"; ["\(.activity.requestsPerSecondToUnnoted | spread)", "goal ≥ 0.97"]),
    row("validate, noted : not noted, CPU a request"; ["\(.activity.serverCPUToUnnoted | spread)"])),
  ($verdict | values | "", "One verdict, in process, a token of \(.tokenBytes) bytes",
    row("verdict"; ["\(.verdictNanoseconds) ns", "\(.allocationsPerVerdict) allocations"]),
    row("bare HMAC"; ["\(.bareHMACNanoseconds) ns"]),
    row("HMAC, context re-initialised"; ["\(.reinitialisedHMACNanoseconds) ns"])),
  ($validate | values | "",
    "Validate over HTTP, \(.connections) connections, \(.sessions) sessions, \(.tombstones) tombstones, \(.rounds) rounds of \(.secondsPerRun) s",
    row(""; ["µs CPU", "µs Redis CPU", "requests/s", "p50 µs", "p99 µs", "not 200"]),
    (.contenders | {curfew, nginxConstant, nginxRedisGet} | to_entries[] | row(
        {curfew: "curfew, signed token", nginxConstant: "nginx return 200", nginxRedisGet: "nginx + Lua, Redis GET"}[.key];
        .value | [.serverMicrosecondsPerRequest, .redisMicrosecondsPerRequest, .requestsPerSecond,
            .p50Microseconds, .p99Microseconds, .notOK]))),
  ($propagation | values | "", "Propagation, three nodes, \(.revokeToRefused.count) rounds, µs",
    row(""; ["p50", "p90", "p99", "max"]),
    ({publishToDelivery: "Redis: PUBLISH to 3 subscribers", revokeToRefused: "revoke to refused on both others",
        revokeAnswered: "revoke, answered (wait none)", fencedRevoke: "fenced revoke (goal p50 ≤ 3000)",
        fencedRevokeOneStopped: "fenced revoke, one node stopped"} as $names
    | $names | keys_unsorted[] as $key | $propagation[$key] | row($names[$key]; [.p50, .p90, .p99, .max])),
    row("one node stopped: answered `fenced`"; ["\(.stoppedAnsweredFenced) of \(.fencedRevokeOneStopped.count)"]),
    row("healthy, but not `acknowledged`"; [.healthyNotAcknowledged]),
    row("active after a refusal, after a fence"; [.activeAfterRefusal, .activeAfterFence])),
  ($sessions | values | "", "Redis' memory, \(.memory.withUserAgent.sessions) sessions, bytes a session (goal ≤ 450)",
    row(""; ["all", "record", "index", "due", "the rest"]),
    (.memory | {withoutUserAgent, withUserAgent, plain} | to_entries[] | row(
        {withoutUserAgent: "without user agent", withUserAgent: "with a user agent of \(.value.userAgentBytes) bytes",
            plain: "one key, the answer's \(.value.valueBytes) bytes"}[.key];
        .value | [.bytesPerSession, "\(.recordBytes) \(.recordEncoding // "")", .indexBytes // "–", .dueBytes // "–", .otherBytes])),
    "", "Redis' CPU an issue, \(.issue.rounds) rounds of \(.issue.callsPerRun)",
    row(""; ["µs CPU", "µs a script", "reads a call", "calls/s"]),
    (.issue.contenders | {curfew, paced, replayed, bare} | to_entries[] | row(
        {curfew: "curfew, issue", paced: "the same writes, nothing else, at its pace", replayed: "its script, called without a pause", bare: "the same writes, nothing else"}[.key];
        .value | [.redisMicrosecondsPerCall, .microsecondsPerScript, .readsPerCall, .callsPerSecond])),
    row("the node's polls meanwhile, µs CPU a second"; [.issue.pollsRedisMicrosecondsPerSecond]),
    "", "Validate and the note of a use, \(.activity.rounds) rounds of \(.activity.secondsPerRun) s",
    row(""; ["µs CPU", "requests/s", "not 200"]),
    (.activity.contenders | {noted, unnoted} | to_entries[] | row(
        {noted: "noted", unnoted: "Curfew-Activity: none"}[.key];
        .value | [.serverMicrosecondsPerRequest, .requestsPerSecond, .notOK])))
