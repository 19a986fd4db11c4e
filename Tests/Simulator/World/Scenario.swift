// What one seed draws before the run begins: how many nodes, how slow the network, which faults and how often. Every seed has
// another mix (a swarm), since faults that never come together hide what only both can show.

/// The kinds of faults that the nemesis can draw.
enum FaultKind: String, CaseIterable {
    case killNode, stopNode, stallNode, stepNodeClock
    case blockRequests, blockAnswers, blockBoth, resetConnections, slowRoute, slowAnswers, slowMessages, loseMessages
    case crashFailover, isolatedFailover, handOver, dip, flush, restart, stopRedis, trouble, flushScripts
    case expireBacklog, stepRedisClock, cutReplication
}

struct Scenario {
    var seed: UInt64
    var nodes: Int
    var partitions: Int
    /// One way, in ms.
    var delay: ClosedRange<Double>
    var replicationDelay: ClosedRange<Double>
    /// How long after a failover a node learns of it, in ms.
    var announcement: ClosedRange<Double>
    /// Largest error of a node's clock rate.
    var drift: Double
    var wallErrorSeconds: Int64
    /// `min-replicas-to-write 1`.
    var needsReplicas: Bool
    /// Redis before 7.0, of which scripts ask nothing about replicas.
    var letsScriptsWrite: Bool
    var pollMilliseconds: Int64
    var redisTimeoutMilliseconds: Int64
    /// Nodes with other settings: each takes one of these in turn.
    var tokenLifetimes: [Int64]
    /// How many tokens a session lasts without renewal; with renewals twice as long.
    var tokensOfSession: Int64
    /// Δ in ms; nodes differ where there are several, as while it is being changed.
    var stalenessBounds: [Int64]
    /// After how long (s) a session that nobody uses ends; at a pace of 1 only: nodes tell of uses by boot clocks.
    var idleTimeout: Int64?
    /// How many times as fast as boot clocks wall clocks run.
    var pace: Int64
    var logWindow: Int
    var faults: [FaultKind]
    /// Mean pause between faults, in ms.
    var faultPause: Double
    /// Mean pause between operations, in ms.
    var operationPause: Double
    /// How long faults go on; then everything is healed and must recover.
    var duration: Int64

    init(seed: UInt64) {
        var chance = SeededRandom(seed: seed &* 0x9E37_79B9_7F4A_7C15 &+ 0x1234_5678)
        self.seed = seed
        nodes = chance.pick([3, 3, 3, 3, 4, 4, 5, 6, 9])
        partitions = chance.pick([1, 1, 1, 2])
        delay = chance.pick([0.05...0.5, 0.05...0.5, 0.5...5, 1...60, 5...150])
        replicationDelay = chance.pick([0.1...1, 0.1...20, 5...300, 50...900])
        announcement = chance.pick([1...20, 1...300, 100...2500])
        // Two machines may differ by the margin, 1 % and 10 ms: each by less than half of it.
        drift = chance.pick([0, 0.0005, 0.004])
        wallErrorSeconds = chance.pick([0, 0, 2, 12])
        needsReplicas = chance.chance(0.25)
        pollMilliseconds = chance.pick([100, 200, 200, 300])
        redisTimeoutMilliseconds = chance.pick([400, 1000, 2000])
        pace = chance.pick([1, 1, 20, 60])
        tokenLifetimes = chance.pick(
            pace == 1 ? [[4], [60], [600], [4, 60]] : [[20], [60], [60, 240], [20, 600], [600]])
        logWindow = chance.pick([100_000, 100_000, 100])
        let all = FaultKind.allCases
        let share = chance.pick([0.15, 0.35, 0.6, 1])
        faults = all.filter { _ in chance.chance(share) }
        faultPause = chance.pick([150, 400, 900, 2000])
        operationPause = chance.pick([8, 20, 50])
        duration = .seconds(chance.next(in: 3...9))
        letsScriptsWrite = chance.chance(0.5)
        stalenessBounds = chance.pick([[1000], [1000], [1000], [1000, 1600]])
        tokensOfSession = chance.pick([2, 10])
        idleTimeout = pace == 1 ? chance.pick([nil, nil, 1, 2]) : nil
    }
}
