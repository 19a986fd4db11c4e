// Revoke to refused: one node is told to revoke, while the others are asked without a pause whether the session is
// valid, one request in flight to each. The time ends when the first refusal of the slowest of them is here.

import Wire

struct Refusal {
    /// From sending the revoke to the last node's first refusal.
    private(set) var refused = Times()
    /// From sending the revoke to its own answer.
    private(set) var answered = Times()
    /// Answers `active` after a node had already refused once: must stay 0.
    private(set) var activeAfterRefusal = 0

    mutating func measure(_ session: Session, on cluster: Cluster, asker: Int) throws {
        let revoker = cluster.nodes[asker].admin
        let watched = cluster.nodes.indices.filter { $0 != asker }.map { cluster.nodes[$0].open }
        for node in watched { try node.call(session.validate).expecting(200) }
        for node in watched { try node.send(session.validate) }

        let start = ContinuousClock.now
        try revoker.send(session.revoke)
        let all = watched + [revoker]
        var pending = Set(all.indices)
        while !pending.isEmpty {
            let waiting = pending.sorted()
            let ready = try readable(waiting.map { all[$0].socket }, milliseconds: 5_000)
            guard !ready.isEmpty else { throw WireError("no answer within 5 s") }
            for index in ready.map({ waiting[$0] }) {
                guard let answer = try all[index].receiveIfWhole() else { continue }
                if index == watched.count {
                    try answer.expecting(200)
                    answered.add(.now - start)
                    pending.remove(index)
                } else if answer.status == 200 {
                    try all[index].send(session.validate)
                } else {
                    try answer.expecting(401)
                    pending.remove(index)
                    if !pending.contains(where: { $0 < watched.count }) { refused.add(.now - start) }
                }
            }
        }
        for _ in 0..<3 { activeAfterRefusal += try cluster.countActive(session) }
    }
}
