// The Redis servers behind the cluster: which is the primary, what the replica has of its data, whom each node believes to be
// the primary, and the terms: every change after which acknowledged writes may be gone.

import CurfewCore
import CurfewNode
import CurfewRedis

/// One primary's unbroken reign over its data, in true time.
struct TermRecord {
    let index: Int
    let server: Int
    let began: Int64
    let why: String
    /// What it began with.
    let data: SimulatedDatabase
}

final class Deployment {
    let agenda: Agenda
    let servers: [SimulatedServer]
    private(set) var primary = 0
    private(set) var terms: [TermRecord] = []
    /// By server: its reign; `nil` for a replica or a server that is down.
    private(set) var termOfServer: [Int?]
    /// Called when a term begins, before anybody can use it.
    var onTerm: (TermRecord) -> Void = { _ in }
    private var addresses: [String: Int] = [:]
    private var routes: [String: [Route]] = [:]
    private var chance: SeededRandom
    let scenario: Scenario
    private let trace: Trace
    private var isReplicating = true
    /// By server: whether its process was a replica before.
    private var isPromoted = [false, true]
    private var isCopyUnderWay = false

    init(scenario: Scenario, agenda: Agenda, lua: LuaMachine, trace: Trace, chance: SeededRandom) {
        self.scenario = scenario
        self.agenda = agenda
        self.trace = trace
        self.chance = chance
        var chance = chance
        servers = (0..<2).map { index in
            let redis = SimulatedRedisServer(runID: chance.hexDigits(40), replicationID: chance.hexDigits(40))
            return SimulatedServer(index: index, redis: redis, agenda: agenda, lua: lua)
        }
        termOfServer = [nil, nil]
        self.chance = chance
        for server in servers {
            server.redis.minimumReplicasToWrite = scenario.needsReplicas ? 1 : 0
            server.redis.letsScriptsWrite = scenario.letsScriptsWrite
            if scenario.letsScriptsWrite { server.redis.version = "6.2.14" }
            server.redis.maximumReplicaLagSeconds = 1
        }
        follow(1, 0)
        beginTerm(on: 0, "the start")
    }

    // MARK: the network

    func newConnection(from process: SimulatedProcess) -> SimulatedConnection {
        let server = servers[addresses[process.name] ?? primary]
        let route = route(process.name, server.index)
        return SimulatedConnection(
            process: process, server: server, route: route,
            delay: { [self] range in .milliseconds(Double.random(in: range, using: &chance)) },
            isMessageLost: { [self] in chance.chance(route.messageLoss) })
    }

    func route(_ node: String, _ server: Int) -> Route {
        if routes[node] == nil { routes[node] = servers.map { _ in Route(delay: scenario.delay) } }
        guard let route = routes[node]?[server] else { preconditionFailure("every node has a route to every server") }
        return route
    }

    var allRoutes: [(node: String, server: Int, route: Route)] {
        routes.sorted { $0.key < $1.key }.flatMap { node, routes in
            routes.enumerated().map { (node, $0.offset, $0.element) }
        }
    }

    /// Nodes learn of a new primary one after the other.
    private func announce(_ server: Int, to nodes: [String]) {
        primary = server
        for node in nodes {
            if addresses[node] == nil { addresses[node] = terms.last?.server ?? server }
            agenda.after(.milliseconds(Double.random(in: scenario.announcement, using: &chance))) { [self] in
                addresses[node] = primary
            }
        }
    }

    /// A process is gone: its machine resets its connections.
    func hangUp(on process: SimulatedProcess) {
        for server in servers {
            for connection in server.connections where connection.process === process { connection.closeAtServer() }
        }
    }

    // MARK: replication

    /// `replica` takes over the primary's history and, from now on, its data.
    private func follow(_ replica: Int, _ primary: Int) {
        let server = servers[replica]
        server.redis.role = .replica(isLinked: true)
        server.redis.replicationID = servers[primary].redis.replicationID
        server.redis.previousReplicationID = servers[primary].redis.previousReplicationID
        server.redis.database = servers[primary].redis.database
        servers[primary].redis.connectedReplicas = 1
        servers[primary].redis.goodReplicas = 1
        termOfServer[replica] = nil
    }

    /// Copies the primary's data to the replica after the replication's delay. A copy is a prefix of the primary's writes.
    func noteWrite() {
        guard isReplicating, !isCopyUnderWay else { return }
        isCopyUnderWay = true
        let delay = Double.random(in: scenario.replicationDelay, using: &chance)
        agenda.after(.milliseconds(delay)) { [self] in
            isCopyUnderWay = false
            let replica = servers[1 - primary]
            guard isReplicating, replica.isAlive, servers[primary].isAlive else { return }
            replica.redis.database = servers[primary].redis.database
        }
    }

    /// Cuts or mends the link between primary and replica. Where the primary demands a replica, it stops writing soon after.
    func setReplicating(_ isOn: Bool) {
        isReplicating = isOn
        let server = servers[primary]
        if isOn {
            guard servers[1 - primary].isAlive else { return }
            follow(1 - primary, primary)
        } else {
            server.redis.connectedReplicas = 0
            agenda.after(.seconds(1)) { [self] in
                if !isReplicating || server.index != primary { server.redis.goodReplicas = 0 }
            }
        }
    }

    // MARK: names

    var partitions: [Partition] { PartitionCount(scenario.partitions)?.all ?? [] }

    /// `curfew:{p}:events`
    func partition(ofEvents channel: String) -> Partition? {
        partitions.first { keys.events($0) == channel }
    }

    /// Of a script's first key.
    func partition(of command: RedisCommand) -> Partition? {
        guard command.arguments.count > 2 else { return nil }
        let key = String(decoding: command.arguments[2].bytes, as: UTF8.self)
        return partitions.first { keys.head($0) == key }
    }

    /// Which term a node means.
    func index(of term: Term) -> Int? {
        termNames[
            TermName(runID: term.reign.runID, replicationID: term.reign.replicationID, incarnation: term.incarnation)]
    }

    private struct TermName: Hashable {
        let runID: String
        let replicationID: String
        let incarnation: String
    }

    /// A node names a term by what it saw of the server and of the partition's log: noted after every write.
    func noteName(of server: SimulatedServer) {
        guard let term = termOfServer[server.index] else { return }
        for partition in partitions {
            guard let incarnation = server.redis.database.hashField(keys.head(partition), "inc"),
                named[term][partition] != incarnation
            else { continue }
            named[term][partition] = incarnation
            for history in histories[term] {
                let name = TermName(runID: server.redis.runID, replicationID: history, incarnation: incarnation)
                termNames[name] = term
            }
        }
    }

    private var termNames: [TermName: Int] = [:]
    private var named: [[Partition: String]] = []
    /// By term: the history ids that it went by.
    private var histories: [[String]] = []
    let keys = StoreKeys(namespace: "curfew")
    private(set) var hasSteppedClock = false

    func noteClockStep() { hasSteppedClock = true }

    func killPrimary() {
        servers[primary].kill()
        termOfServer[primary] = nil
    }

    // MARK: what ends a term

    private func beginTerm(on index: Int, _ why: String) {
        let term = TermRecord(
            index: terms.count, server: index, began: agenda.now, why: why, data: servers[index].redis.database)
        terms.append(term)
        named.append([:])
        histories.append([servers[index].redis.replicationID])
        termOfServer[index] = term.index
        trace.note("redis", "term \(term.index) on server \(index): \(why)")
        onTerm(term)
    }

    /// The replica becomes the primary with what it has; what was not copied yet is lost.
    func promoteReplica(_ why: String, nodes: [String]) {
        let index = 1 - primary
        let server = servers[index]
        guard server.isAlive else { return }
        server.redis.role = .primary
        isPromoted[index] = true
        server.redis.previousReplicationID = server.redis.replicationID
        server.redis.replicationID = chance.hexDigits(40)
        server.redis.connectedReplicas = 0
        // Nobody follows it yet; an operator who demands replicas waits for one, or switches the demand off.
        server.redis.goodReplicas = scenario.needsReplicas ? 1 : 0
        isReplicating = false
        announce(index, to: nodes)
        beginTerm(on: index, why)
    }

    /// The primary hands over without losing anything, and lives on as a replica; its clients may keep their connections.
    func handOver(nodes: [String], dropsClients: Bool) {
        let old = primary
        servers[1 - old].redis.database = servers[old].redis.database
        promoteReplica("handed over", nodes: nodes)
        guard primary != old else { return }
        demote(old, dropsClients: dropsClients)
    }

    /// The old primary comes back as the new one's replica.
    func demote(_ index: Int, dropsClients: Bool) {
        guard index != primary else { return }
        if !servers[index].isAlive { servers[index].redis.runID = chance.hexDigits(40) }
        isPromoted[index] = true
        servers[index].start()
        servers[index].setStopped(false)
        follow(index, primary)
        isReplicating = true
        if dropsClients { servers[index].dropConnections() }
    }

    /// FLUSHALL: connections, run id and history stay as they were.
    func flush() {
        guard let before = termOfServer[primary] else { return }
        servers[primary].redis.database = SimulatedDatabase()
        noteWrite()
        beginTerm(on: primary, "FLUSHALL")
        histories[terms.count - 1] = histories[before]
    }

    /// The same process is demoted and promoted again while its connections stand: it comes back with older data.
    func dip() {
        guard servers[1 - primary].isAlive else { return }
        isPromoted[primary] = true
        let server = servers[primary]
        server.redis.database = servers[1 - primary].redis.database
        server.redis.previousReplicationID = server.redis.replicationID
        server.redis.replicationID = chance.hexDigits(40)
        beginTerm(on: primary, "demoted and promoted again")
    }

    /// The primary's process ends and comes back with all, some or none of its data.
    func restart(_ data: RestartData, after nanoseconds: Int64) {
        let server = servers[primary]
        let older = servers[1 - primary].redis.database
        server.kill()
        termOfServer[primary] = nil
        agenda.after(nanoseconds) { [self] in
            guard server.index == primary, !server.isAlive else { return }
            switch data {
            case .all: break
            case .older: server.redis.database = older
            case .none: server.redis.database = SimulatedDatabase()
            }
            server.redis.runID = chance.hexDigits(40)
            isPromoted[primary] = false
            server.redis.previousReplicationID = server.redis.replicationID
            server.redis.replicationID = chance.hexDigits(40)
            server.redis.scripts = [:]
            server.redis.trouble = .none
            server.start()
            beginTerm(on: primary, "restarted with \(data) data")
        }
    }

    /// A primary without replicas drops its backlog: a new history id without a predecessor, and no new term. Not soon after a
    /// promotion: `repl-backlog-ttl` is longer than a node believes such a thing for (docs/operations.md).
    func expireBacklog() {
        guard !isPromoted[primary] else { return }
        let server = servers[primary]
        guard let term = termOfServer[primary] else { return }
        server.redis.replicationID = chance.hexDigits(40)
        server.redis.previousReplicationID = String(repeating: "0", count: 40)
        histories[term].append(server.redis.replicationID)
        named[term] = [:]
    }

    /// Everything runs, is connected and in time again.
    func heal() {
        for (_, _, route) in allRoutes {
            route.messageLoss = 0
            route.delay = scenario.delay
            route.answerDelay = nil
            route.messageDelay = nil
            route.blocksRequests = false
            route.blocksAnswers = false
        }
        for server in servers {
            server.setStopped(false)
            server.redis.trouble = .none
            server.clockOffsetMicroseconds = 0
        }
        if !servers[primary].isAlive { restart(.all, after: 0) }
        if !servers[1 - primary].isAlive { demote(1 - primary, dropsClients: true) }
        setReplicating(true)
        for node in addresses.keys { addresses[node] = primary }
    }
}

enum RestartData: String { case all, older, none }

extension SeededRandom {
    mutating func hexDigits(_ count: Int) -> String {
        var text = ""
        while text.utf8.count < count {
            let digits = String(next(), radix: 16)
            text += String(repeating: "0", count: 16 - digits.utf8.count) + digits
        }
        return String(text.prefix(count))
    }
}
