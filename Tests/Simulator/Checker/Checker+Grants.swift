// What `active` says besides: that the token is not over, and which permissions its session has.

import CurfewCore
import CurfewNode

/// Permissions, and since which change.
struct Grant: Hashable {
    let version: UInt64
    let permissions: Permissions
}

extension Claims {
    var grant: Grant { Grant(version: permissionsVersion, permissions: permissions) }
}

extension Checker {
    /// By the node's own clock, as it was when the call began.
    func checkEnd(_ claims: Claims, of session: TrackedSession, _ node: SimulatedNode, _ began: Int64) {
        guard node.process.clockSteppedAt < began else { return }
        let passed = (agenda.now - began) / 1_000_000_000 * agenda.pace + 2 * agenda.pace
        if node.process.wallSeconds - passed - KeyRing.leewaySeconds > claims.expiresAt.seconds {
            report("I1", "\(node.name) answers active by a token of s\(session.number) that has run out")
        }
    }

    /// Whoever logs in has what was asked for.
    func checkLogin(_ session: TrackedSession) {
        if session.claims.permissions != Workload.permissions {
            report("I2 (permissions)", "s\(session.number) begins with other permissions than were asked for")
        }
    }

    /// What the token says, or a newer change that some Redis logged, of this very user.
    func checkGrant(_ active: ActiveSession, by claims: Claims, of session: TrackedSession, _ node: SimulatedNode) {
        let grant = Grant(version: active.permissionsVersion, permissions: active.permissions)
        guard grant != claims.grant else { return }
        counts.activeByChange += 1
        let isNewer = grant.version > max(claims.stamp.microseconds, claims.permissionsVersion)
        if !isNewer || granted[session.user]?.contains(grant) != true {
            report(
                "I2 (permissions)",
                "\(node.name) answers with version \(grant.version), \(grant.permissions.names), for s\(session.number): "
                    + "nobody gave its user that")
        }
    }

    /// A renewed token carries what one before it did, or what some Redis logged for its user.
    func checkRenewedGrant(_ claims: Claims, of session: TrackedSession, _ node: SimulatedNode) {
        if session.grants.contains(claims.grant) || granted[session.user]?.contains(claims.grant) == true { return }
        report(
            "I2 (permissions)",
            "\(node.name) renews s\(session.number) with version \(claims.permissionsVersion), \(claims.permissions.names): "
                + "nobody gave its user that")
    }

    func checkPermissions(
        _ change: TrackedChange, _ session: TrackedSession, _ node: SimulatedNode, _ term: Int?, _ began: Int64,
        _ active: ActiveSession, slack: Int64
    ) {
        guard case .permissions(let user, _) = change.kind, user == session.user, session.issuedAt < change.askedAt,
            change.reaches(session),
            let version = change.version
        else { return }
        if active.permissionsVersion == version, case .permissions(_, let permissions) = change.kind,
            active.permissions != permissions,
            !changes.contains(where: { $0.gives(active.permissions, for: change, in: session.partition) })
        {
            report("I2 (permissions)", "\(node.name) answers with other permissions than version \(version) has")
        }
        guard active.permissionsVersion < version else { return }
        let from = change.bindsFrom(bound: bound) ?? .max
        let binding = binding(
            change, term: term, in: session.partition, slack: slack,
            held: { $0.permissionsSince(user, version: version) }, known: { $0.versions[user] ?? 0 >= version })
        guard let binding, began > binding else { return }
        report(
            "I2 (permissions)",
            "\(node.name) answers with version \(active.permissionsVersion) for s\(session.number), \(version) is in force "
                + "since \(from / 1_000_000) ms")
    }
}
