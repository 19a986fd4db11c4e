// What is refused must have been ended by somebody: a validate, a renewal and a rotation alike.

import CurfewCore
import CurfewNode

extension Checker {
    /// A renewal, or a rotation from this id, failed; it began at `began`.
    func notRenewed(
        _ session: TrackedSession, _ id: SessionID?, on node: SimulatedNode, began: Int64, _ error: any Error
    ) {
        counts.failedWrites += 1
        guard let error = error as? ServiceError, case .tokenRefused(let reason) = error else { return }
        counts.renewalsRefused[reason.rawValue, default: 0] += 1
        if reason == .sessionExpired {
            session.isIdle = true
            // What is renewed may also be past its own end, by whichever clock, or idle before the sweeper finds it.
            // A renewal may be lost with a term.
            let isLost = deployment.terms.count - 1 > termOfRenewal[session.id] ?? session.term
            let end = isLost ? session.firstEndsAt : session.endsAt
            if max(latestClockSeconds, node.process.wallSeconds) >= end.seconds || isIdle(session) { return }
        }
        checkRefusal(session, id, expiresAt: session.claims.expiresAt, node, began, reason)
    }

    /// I6: nothing is refused without a reason that the clients or the clocks gave. `id`: of the token; a refresh token may be of any.
    func checkRefusal(
        _ session: TrackedSession, _ id: SessionID?, expiresAt: WallTime, _ node: SimulatedNode, _ began: Int64,
        _ reason: RefusalReason
    ) {
        switch reason {
        case .sessionRevoked:
            if !isEnded(session) { report("I6", "\(node.name) refuses s\(session.number), which nothing revoked") }
        case .tokenExpired:
            // By its own clock, and no sooner.
            let isOver = node.process.wallSeconds - KeyRing.leewaySeconds >= expiresAt.seconds
            if !isOver, node.process.clockSteppedAt < began {
                report("I6", "\(node.name) says that s\(session.number) has expired")
            }
        case .sessionNotFound:
            // The record went with Redis' data, with the session, or by a clock that was past its end.
            let isGone =
                deployment.terms.count - 1 > session.term || isEnded(session) || isExpired(session)
                || latestClockSeconds >= session.endsAt.seconds
            if !isGone { report("I6", "\(node.name) does not find s\(session.number), and nothing took it away") }
        case .sessionExpired:
            session.isIdle = true
            if !isExpired(session) {
                report("I6", "\(node.name) says that s\(session.number) was idle, and no log does")
            }
        case .sessionSuperseded:
            if session.rotations.isEmpty || id.map({ session.rotations[$0] == nil }) ?? false {
                report("I6", "\(node.name) says that s\(session.number) has a newer id, and nobody asked for one")
            }
        case .refreshTokenReused:
            if !mayBeReused(session) {
                report("I6", "\(node.name) takes who holds s\(session.number) for a thief")
            }
        case .tokenMissing, .tokenMalformed, .tokenSignatureInvalid, .deviceMismatch:
            report("I6", "\(node.name) refuses s\(session.number) as \(reason.rawValue)")
        }
    }

    private func isEnded(_ session: TrackedSession) -> Bool {
        changes.contains { $0.hasEnded(session, known: truths[session.term].endedSince(session)) }
            || (mayBeReused(session) && truths.contains { $0.endedSince(session) != nil })
    }

    /// Nobody used it for its time, as far as Redis can know: uses that it was told may be lost with a term.
    private func isIdle(_ session: TrackedSession) -> Bool {
        guard let timeout = deployment.scenario.idleTimeout else { return false }
        return deployment.hasSteppedClock || deployment.terms.count - 1 > session.term
            || max(session.longestPause, agenda.now - session.usedAt) >= timeout * 1_000_000_000
    }

    private func isExpired(_ session: TrackedSession) -> Bool { truths.contains { $0.isExpired(session) } }

    private func mayBeReused(_ session: TrackedSession) -> Bool {
        session.mayBeReused(
            at: agenda.now, grace: 900_000_000,
            clockSteppedAt: max(clockChangedAt, deployment.servers.map(\.clockSteppedAt).max() ?? .min))
    }
}
