// What keeps a session going: its renewals, and the ids that it gets.

import CurfewCore
import CurfewNode
import CurfewRedis

extension Checker {
    private static let renewed: Set = [Array("renewed".utf8), Array("rotated".utf8)]

    /// I5: nothing is renewed that was ended before it was asked for. (In a term's first moments Redis may still lack what living nodes
    /// are about to write again; what is renewed then keeps id and stamp, so it ends with that.)
    func renewed(
        _ session: TrackedSession, on node: SimulatedNode, began: Int64, _ issued: IssuedSession, _ claims: Claims
    ) {
        session.isUsed(at: began)
        if session.claims.stamp != claims.stamp { report("I5", "s\(session.number) was renewed with another stamp") }
        checkRenewedGrant(claims, of: session, node)
        session.renewed(issued, claims)
        guard let term = termOfRenewal[session.id], began > deployment.terms[term].began + bound else { return }
        for change in changes where change.ends(session) {
            guard let from = change.answeredAt, began > from,
                began > binding(change, session, term: term, slack: 0) ?? .max
            else { continue }
            report("I5", "\(node.name) renews s\(session.number), which change #\(change.number) ended")
        }
    }

    func rotated(
        _ session: TrackedSession, from id: SessionID, grace: Int64, on node: SimulatedNode, began: Int64,
        _ issued: IssuedSession, _ claims: Claims
    ) {
        counts.rotated += 1
        if claims.session != id.rotated(to: id.rotation + 1) {
            report("I5", "s\(session.number) was rotated from number \(id.rotation) to \(claims.session.rotation)")
        }
        renewed(session, on: node, began: began, issued, claims)
        session.rotated(id, grace: grace, term: termOfRenewal[session.id], at: agenda.now)
    }

    /// What ends a session and what renews it run one after the other in Redis: no slack, and none for what was forgotten since.
    func checkRenewal(_ command: RedisCommand, _ execution: Execution, term: Int) {
        guard command.operation == "renew" || command.operation == "rotate", case .array(let answer) = execution.reply,
            case .bytes(let outcome)? = answer.first, Self.renewed.contains(outcome), let id = command.renewedSession
        else { return }
        termOfRenewal[id] = term
        counts.renewedInRedis += 1
        guard let session = sessionsByID[id], let since = truths[term].endedSince(session) else { return }
        report("I5", "Redis renews s\(session.number), which its own log ended at \(since / 1_000_000) ms")
    }

    /// I5: an id that was replaced is good for its grace, or until Δ has told every node of it, and then no more.
    func checkGrace(_ session: TrackedSession, _ claims: Claims, _ node: SimulatedNode, _ began: Int64) {
        guard let rotation = session.rotations[claims.session], let answeredAt = rotation.answeredAt,
            let term = rotation.term, self.term(of: node, session.partition) == term, !deployment.hasSteppedClock
        else { return }
        counts.activeInGrace += 1
        guard began > answeredAt + max(bound, rotation.grace * 201 / 200) else { return }
        report(
            "I5",
            "\(node.name) answers active for an id of s\(session.number) that was replaced at \(answeredAt / 1_000_000) ms"
        )
    }
}
