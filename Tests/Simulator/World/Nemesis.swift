// Draws faults and undoes them after a while. Several may be under way at once.

import CurfewRedis

final class Nemesis {
    private let world: World
    private var chance: SeededRandom

    init(world: World, chance: SeededRandom) {
        self.world = world
        self.chance = chance
    }

    func begin() { world.agenda.after(pause) { [self] in next() } }

    private var pause: Int64 { .milliseconds(Double.random(in: 0...2, using: &chance) * world.scenario.faultPause) }

    private func next() {
        guard !world.isHealing else { return }
        if !world.scenario.faults.isEmpty {
            let fault = chance.pick(world.scenario.faults)
            world.trace.note("nemesis", fault.rawValue)
            world.checker.noteFault(fault)
            inject(fault)
        }
        world.agenda.after(pause) { [self] in next() }
    }

    /// Undone after this long, unless everything is healed before.
    private func later(_ range: ClosedRange<Double>, _ undo: @escaping () -> Void) {
        world.agenda.after(.milliseconds(Double.random(in: range, using: &chance))) { [world] in
            if !world.isHealing { undo() }
        }
    }

    private func inject(_ fault: FaultKind) {
        switch fault {
        case .killNode, .stopNode, .stallNode, .stepNodeClock: onNode(fault)
        case .blockRequests, .blockAnswers, .blockBoth, .resetConnections, .slowRoute, .slowAnswers, .slowMessages,
            .loseMessages:
            onRoute(fault)
        case .crashFailover, .isolatedFailover, .handOver, .dip, .flush, .restart, .cutReplication: onData(fault)
        case .stopRedis, .trouble, .flushScripts, .expireBacklog, .stepRedisClock: onServer(fault)
        }
    }

    private func onNode(_ fault: FaultKind) {
        guard let node = world.anyNode(&chance) else { return }
        switch fault {
        case .killNode:
            if chance.chance(0.2) { node.leave() }
            world.kill(node)
            later(50...2500) { [world] in world.startNode() }
        case .stopNode: node.process.stop(for: .milliseconds(Double.random(in: 200...4000, using: &chance)))
        case .stallNode: node.process.stop(for: .milliseconds(Double.random(in: 1...150, using: &chance)))
        default:
            let before = node.process.wallOffsetSeconds
            setClock(of: node, before + chance.pick([-400, -90, -60, -35, -20, 20, 35, 60, 90, 400]))
            later(100...3000) { [self] in setClock(of: node, before) }
        }
    }

    private func onRoute(_ fault: FaultKind) {
        guard let node = world.anyNode(&chance) else { return }
        let server = chance.chance(0.8) ? world.deployment.primary : 1 - world.deployment.primary
        let route = world.deployment.route(node.name, server)
        world.onTrouble(node)
        switch fault {
        case .blockRequests:
            route.blocksRequests = true
            later(20...3000) { route.blocksRequests = false }
        case .blockAnswers:
            route.blocksAnswers = true
            later(20...3000) { route.blocksAnswers = false }
        case .blockBoth:
            route.blocksRequests = true
            route.blocksAnswers = true
            later(20...3000) {
                route.blocksRequests = false
                route.blocksAnswers = false
            }
        case .resetConnections:
            for connection in route.connections where chance.chance(0.7) { connection.closeAtServer() }
        case .slowRoute:
            route.delay = 50...400
            later(100...2000) { [world] in route.delay = world.scenario.delay }
        case .slowAnswers:
            // Just in time for a poll, and nothing heard meanwhile: what is fresh is known only from what was sent when.
            route.answerDelay = 400...950
            route.messageLoss = chance.pick([0, 1])
            later(500...4000) {
                route.answerDelay = nil
                route.messageLoss = 0
            }
        case .slowMessages:
            // Late enough to come from a log that has been replaced meanwhile.
            route.messageDelay = chance.pick([50...300, 300...1200])
            later(300...4000) { route.messageDelay = nil }
        default:
            route.messageLoss = chance.pick([0.3, 1])
            later(100...2000) { route.messageLoss = 0 }
        }
    }

    private func onData(_ fault: FaultKind) {
        let deployment = world.deployment
        let names = world.nodes.map(\.name)
        switch fault {
        case .crashFailover:
            let old = deployment.primary
            guard deployment.servers[1 - old].isAlive, deployment.servers[old].isAlive else { return }
            deployment.killPrimary()
            later(10...1500) { [self] in
                // It may have come back meanwhile: then there is nothing to fail over from.
                guard deployment.primary == old, !deployment.servers[old].isAlive else { return }
                deployment.promoteReplica("failover", nodes: names)
                later(50...2000) { deployment.demote(old, dropsClients: true) }
            }
        case .isolatedFailover: isolate(names)
        case .handOver: deployment.handOver(nodes: names, dropsClients: chance.chance(0.5))
        case .dip: deployment.dip()
        case .flush: deployment.flush()
        case .restart:
            let data = chance.pick([RestartData.all, .all, .older, .none])
            deployment.restart(data, after: .milliseconds(Double.random(in: 5...1500, using: &chance)))
        default:
            deployment.setReplicating(false)
            later(50...2500) { deployment.setReplicating(true) }
        }
    }

    /// The old primary lives on, cut off from its replica but not from the nodes: it must demand a replica, and stop writing before
    /// another one is promoted.
    private func isolate(_ names: [String]) {
        let deployment = world.deployment
        let old = deployment.primary
        guard world.scenario.needsReplicas, deployment.servers[1 - old].isAlive, deployment.servers[old].isAlive else {
            return
        }
        deployment.setReplicating(false)
        later(1100...2500) { [self] in
            guard deployment.primary == old, deployment.servers[old].redis.goodReplicas == 0 else { return }
            deployment.promoteReplica("failover beside an isolated primary", nodes: names)
            later(100...3000) { [self] in deployment.demote(old, dropsClients: chance.chance(0.5)) }
        }
    }

    private func onServer(_ fault: FaultKind) {
        let deployment = world.deployment
        let server = deployment.servers[deployment.primary]
        switch fault {
        case .stopRedis:
            server.setStopped(true)
            later(20...2500) { server.setStopped(false) }
        case .trouble:
            server.redis.trouble = chance.pick([.loading, .busy, .outOfMemory, .snapshotFailed])
            later(20...2000) { server.redis.trouble = .none }
        case .flushScripts: server.redis.scripts = [:]
        case .expireBacklog: deployment.expireBacklog()
        default:
            deployment.noteClockStep()
            let before = server.clockOffsetMicroseconds / 1_000_000
            setClock(of: server, before + chance.pick([-400, -60, -20, -3, 3, 20, 60, 400]))
            later(100...4000) { [self] in setClock(of: server, before) }
        }
    }

    // MARK: clocks

    private func setClock(of node: SimulatedNode, _ seconds: Int64) {
        world.trace.note("nemesis", "\(node.name)'s clock is \(seconds) s off")
        node.process.wallOffsetSeconds = seconds
    }

    private func setClock(of server: SimulatedServer, _ seconds: Int64) {
        world.trace.note("nemesis", "server \(server.index)'s clock is \(seconds) s off")
        server.clockOffsetMicroseconds = seconds * 1_000_000
    }
}
