// One node: the real feed, driver, client and verbs, run on a simulated process with a simulated way to Redis. Nothing of it is
// written anew here.

import CurfewCore
import CurfewNode
import CurfewRedis
import Logging

// `@unchecked Sendable`: one thread runs the whole simulation.
final class SimulatedNode: @unchecked Sendable {
    let process: SimulatedProcess
    let parts: NodeParts
    private let primary: Primary
    private var tasks: [Task<Void, Never>] = []

    var name: String { process.name }
    var table: PartitionTable { parts.service.table }
    var keyRing: KeyRing { parts.service.keyRing }

    init(
        process: SimulatedProcess, number: Int, scenario: Scenario, deployment: Deployment, keyRing: KeyRing,
        log: Trace?
    ) {
        self.process = process
        let configuration = Self.configuration(scenario, number: number)
        guard let count = PartitionCount(scenario.partitions) else { preconditionFailure("1 to 1024 partitions") }
        parts = NodeParts(
            configuration: configuration, nodeID: NodeID(random: process.random()), count: count, keyRing: keyRing,
            surroundings: process, clock: NodeClock(process),
            logger: Logger(label: process.name) { _ in
                guard let log else { return SwiftLogNoOpLogHandler() }
                return TraceLog(trace: log, name: process.name)
            })
        let limits = configuration.redisLimits
        let transport = SimulatedTransport(process: process, deployment: deployment, limits: limits)
        primary = Primary(number: 0, transport: transport, limits: limits, durableLines: 1, driver: parts.driver)
        parts.driver.follow(primary)
        let (driver, primary) = (parts.driver, primary)
        run { await primary.run() }
        run { await driver.keepHouse() }
        run { await driver.tellActivity() }
    }

    /// Runs something in the node's process, as a request that arrived there.
    func run(_ body: @escaping @Sendable () async -> Void) {
        tasks.append(Task(executorPreference: process) { await body() })
    }

    /// The node begins to stop in good order: it tells what it saw, and leaves the membership, if its process lives for so long.
    func leave() {
        let (driver, primary) = (parts.driver, primary)
        run {
            await driver.tellAllActivity()
            await primary.leave()
        }
    }

    /// Ends every task, so that a run leaves nothing behind.
    func cancel() {
        for task in tasks { task.cancel() }
        for partition in table.count.all { parts.driver.assign(partition, to: nil) }
    }

    static let secret = Array("a secret of the simulation, 32 bytes and more".utf8)

    static func makeKeyRing() -> KeyRing {
        guard let key = try? SigningKey.derived(fromSecret: secret),
            let ring = KeyRing([key], issuer: "curfew", audience: "curfew")
        else { preconditionFailure("the secret is long enough") }
        return ring
    }

    private static func configuration(_ scenario: Scenario, number: Int) -> NodeConfiguration {
        var configuration = NodeConfiguration()
        configuration.partitions = scenario.partitions
        configuration.stalenessBound = .milliseconds(scenario.stalenessBounds[number % scenario.stalenessBounds.count])
        configuration.pollInterval = .milliseconds(scenario.pollMilliseconds)
        configuration.redisTimeout = .milliseconds(scenario.redisTimeoutMilliseconds)
        configuration.logWindow = scenario.logWindow
        let life = Duration.seconds(scenario.tokenLifetimes[number % scenario.tokenLifetimes.count])
        configuration.web = KindSettings(
            lifetime: life * scenario.tokensOfSession, absoluteLifetime: life * scenario.tokensOfSession * 2,
            tokenLifetime: life, idleTimeout: scenario.idleTimeout.map { .seconds($0) })
        configuration.remember = configuration.web
        configuration.api = configuration.web
        // Few users who log in more often than people do.
        configuration.rateLimitIssue = nil
        configuration.rateLimitRefresh = nil
        configuration.failureLimitOfUser = nil
        configuration.failureLimitFromAddress = nil
        configuration.refreshGrace = .seconds(scenario.pace)
        return configuration
    }
}
