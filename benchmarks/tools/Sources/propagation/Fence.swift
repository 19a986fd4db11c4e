// The fenced revoke's own duration (`wait: cluster`): on a healthy cluster, and with one node stopped. After it has
// returned no node may answer `active`: the stopped one is asked while it stands still, so that this request is the
// first thing it sees when it wakes.

import Glibc
import Wire

struct Fence {
    private(set) var healthy = Times()
    private(set) var stopped = Times()
    /// How often each state was answered with a node stopped.
    private(set) var fencedCount = 0
    /// Healthy revokes that ended in another state than `acknowledged`.
    private(set) var unacknowledged = 0
    /// Answers `active` after a fenced revoke: must stay 0.
    private(set) var activeAfterFence = 0

    mutating func measureHealthy(_ session: Session, on cluster: Cluster, asker: Int) throws {
        let (state, time) = try revoke(session, by: cluster.nodes[asker])
        healthy.add(time)
        if state != "acknowledged" { unacknowledged += 1 }
        activeAfterFence += try cluster.countActive(session)
    }

    mutating func measureStopped(_ session: Session, addresses: [NodeAddress], apiKey: String, victim: Int) throws {
        let cluster = try Cluster(addresses, apiKey: apiKey)
        try cluster.waitUntilReady()
        usleep(1_200_000)  // until the asker may trust what it knows of its peers
        let sleeper = cluster.nodes[victim].open
        try sleeper.call(session.validate).expecting(200)

        kill(addresses[victim].pid, SIGSTOP)
        defer { kill(addresses[victim].pid, SIGCONT) }
        let (state, time) = try revoke(session, by: cluster.nodes[(victim + 1) % addresses.count])
        stopped.add(time)
        if state == "fenced" { fencedCount += 1 }
        try sleeper.send(session.validate)
        kill(addresses[victim].pid, SIGCONT)
        if try sleeper.receive().status == 200 { activeAfterFence += 1 }
        activeAfterFence += try cluster.countActive(session)
    }

    private func revoke(_ session: Session, by node: NodeConnections) throws -> (state: String, time: Duration) {
        let start = ContinuousClock.now
        let answer = try node.admin.call(session.fencedRevoke)
        let time = ContinuousClock.now - start
        return (try answer.expecting(200).text("state"), time)
    }
}
