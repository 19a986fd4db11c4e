// One run: nodes, servers, network, clients, faults and the checker, all of it drawn from one number. The same number gives the same run,
// bit for bit (where the process was started with SWIFT_DETERMINISTIC_HASHING=1: the order of Swift's sets is part of a run).

import CurfewCore
import CurfewNode
import CurfewRedis

/// What a run came to.
package struct RunResult: Sendable {
    package let seed: UInt64
    /// Of everything that happened.
    package let hash: UInt64
    package let counts: Counts
    /// What was broken, and the last lines before it; `nil` where nothing was.
    package let failure: (violation: String, trace: [String])?
}

// `@unchecked Sendable`: one thread runs the whole simulation.
final class World: @unchecked Sendable {
    let scenario: Scenario
    let agenda: Agenda
    let trace: Trace
    let deployment: Deployment
    let checker: Checker
    private(set) var nodes: [SimulatedNode] = []
    /// Of nodes that were killed: their tasks are ended with the run.
    private var deadNodes: [SimulatedNode] = []
    private var nodesMade = 0
    private let hasLogs: Bool
    /// Its clients take each `session_revoked` for `active`: what the checker finds then is no fault of the nodes.
    let isMisheard: Bool
    private var chance: SeededRandom
    private let keyRing = SimulatedNode.makeKeyRing()
    private(set) var isHealing = false
    /// Told of nodes that something was done to.
    var onTrouble: (SimulatedNode) -> Void = { _ in }
    /// Told of changes that returned.
    var onChanged: (TrackedChange) -> Void = { _ in }

    /// Longer than any way back: reconnects, a new term's wait, a late fence.
    private static let recovery: Int64 = .seconds(12)
    private static let settling: Int64 = .seconds(3)
    /// Jobs in one run; far above what any run needs.
    private static let maximumSteps = 20_000_000

    init(seed: UInt64, traceLines: Int, hasLogs: Bool, isMisheard: Bool, lua: LuaMachine) {
        self.hasLogs = hasLogs
        self.isMisheard = isMisheard
        scenario = Scenario(seed: seed)
        agenda = Agenda(pace: scenario.pace)
        trace = Trace(agenda: agenda, capacity: traceLines)
        var chance = SeededRandom(seed: seed)
        deployment = Deployment(scenario: scenario, agenda: agenda, lua: lua, trace: trace, chance: chance.fork())
        checker = Checker(agenda: agenda, deployment: deployment, trace: trace)
        self.chance = chance
        deployment.onTerm = { [unowned self] in checker.termBegan($0) }
        checker.termBegan(deployment.terms[0])
        for server in deployment.servers {
            server.onExecuted = { [unowned self] server, connection, command, execution in
                if execution.hasWritten, server.index == deployment.primary { deployment.noteWrite() }
                func isItsNode(_ node: SimulatedNode) -> Bool { node.process === connection.process }
                guard let node = nodes.first(where: isItsNode) ?? deadNodes.first(where: isItsNode) else { return }
                checker.executed(server, node, command, execution)
            }
        }
        for _ in 0..<scenario.nodes { startNode() }
    }

    func startNode() {
        guard nodes.count < scenario.nodes else { return }
        nodesMade += 1
        let process = SimulatedProcess(
            name: "n\(nodesMade)", agenda: agenda, chance: chance.fork(), drift: scenario.drift)
        process.wallOffsetSeconds = Int64.random(
            in: -scenario.wallErrorSeconds...scenario.wallErrorSeconds, using: &chance)
        nodes.append(
            SimulatedNode(
                process: process, number: nodesMade, scenario: scenario, deployment: deployment, keyRing: keyRing,
                log: hasLogs ? trace : nil))
        trace.note(process.name, "starts")
    }

    func kill(_ node: SimulatedNode) {
        trace.note(node.name, "is killed")
        node.process.kill()
        nodes.removeAll { $0 === node }
        deadNodes.append(node)
        deployment.hangUp(on: node.process)
    }

    func anyNode(_ chance: inout SeededRandom) -> SimulatedNode? { nodes.isEmpty ? nil : chance.pick(nodes) }

    // MARK: the run

    func run() -> RunResult {
        let workload = Workload(world: self, chance: chance.fork())
        onTrouble = { workload.look(at: $0, rounds: 60) }
        onChanged = { change in
            workload.readBack(change)
            if change.waitsForCluster { workload.verify(change) }
        }
        workload.begin()
        Nemesis(world: self, chance: chance.fork()).begin()
        pass(until: scenario.duration)
        if checker.violation == nil {
            heal()
            checkAfterwards(workload)
        }
        end()
        var counts = checker.counts
        counts.runs = 1
        counts.terms = deployment.terms.count
        return RunResult(
            seed: scenario.seed, hash: trace.hash, counts: counts,
            failure: checker.violation.map { ($0.description, trace.text) })
    }

    private func heal() {
        isHealing = true
        trace.note("nemesis", "all faults end")
        deployment.heal()
        for node in nodes {
            node.process.revive()
            node.process.wallOffsetSeconds = 0
        }
        while nodes.count < scenario.nodes { startNode() }
    }

    private func checkAfterwards(_ workload: Workload) {
        let limit = agenda.now + Self.recovery
        while agenda.now < limit, checker.violation == nil, !nodes.allSatisfy({ $0.parts.service.readiness().isReady })
        {
            pass(until: agenda.now + .milliseconds(100.0))
        }
        for node in nodes {
            let readiness = node.parts.service.readiness()
            if !readiness.isReady { checker.report("recovery", "\(node.name) does not get ready: \(readiness.detail)") }
        }
        pass(until: agenda.now + Self.settling)
        guard checker.violation == nil else { return }
        checker.checkAgreement(of: nodes)
        for node in nodes {
            checker.checkEverything(on: node)
            for session in checker.sessions { workload.validate(session, on: node) }
        }
        pass(until: agenda.now + .milliseconds(500.0))
    }

    /// Runs everything up to this moment.
    private func pass(until end: Int64) {
        var steps = 0
        while checker.violation == nil {
            steps += 1
            if steps > Self.maximumSteps { return checker.report("recovery", "the run does not end") }
            if runSomebody() { continue }
            guard let next = nextMoment(), next <= end else {
                agenda.pass(to: end)
                break
            }
            if agenda.next == next { _ = agenda.step() } else { agenda.pass(to: next) }
        }
    }

    private func nextMoment() -> Int64? {
        var next = agenda.next ?? .max
        // The dead never wake.
        for node in nodes {
            if let moment = node.process.wakesAt, moment > agenda.now { next = min(next, moment) }
        }
        return next == .max ? nil : next
    }

    private func runSomebody() -> Bool {
        var ready: SimulatedNode?
        var count = 0
        for node in nodes where node.process.canRun {
            count += 1
            // Each of those that could, with the same chance.
            if count == 1 || Int.random(in: 0..<count, using: &chance) == 0 { ready = node }
        }
        ready?.process.runOne()
        return ready != nil
    }

    /// Ends every task of every node, the dead ones' too.
    private func end() {
        checker.isClosed = true
        isHealing = true
        onTrouble = { _ in }
        onChanged = { _ in }
        let all = nodes + deadNodes
        for node in all {
            node.process.revive()
            node.cancel()
        }
        for server in deployment.servers { server.dropConnections() }
        deployment.heal()
        var isBusy = true
        while isBusy {
            isBusy = false
            for node in all {
                while node.process.canRun {
                    node.process.runOne()
                    isBusy = true
                }
            }
            if agenda.step() { isBusy = true }
        }
    }
}

/// Runs one seed.
package enum Simulation {
    package static func run(
        seed: UInt64, traceLines: Int = 0, hasLogs: Bool = false, isMisheard: Bool = false, lua: LuaMachine
    ) -> RunResult {
        World(seed: seed, traceLines: traceLines, hasLogs: hasLogs, isMisheard: isMisheard, lua: lua).run()
    }
}
