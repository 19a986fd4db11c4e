// Rotate: a login's next id and token, so that whoever knew the one before (a planted cookie, a token from before a privilege was
// gained) has nothing (OWASP Session Management Cheat Sheet, "Renew the Session ID After Any Privilege Level Change"). All ids of a
// login are one family: what ends one ends all (docs/adr/0012-one-family-of-ids-a-login.md).

import CurfewCore
import CurfewRedis

extension SessionService {
    /// The session under its next id. Throws `notFound` where nothing is known of it, and `conflict` where it has ended or has a newer id.
    /// Idempotent where it is `drawn`.
    package func rotate(_ id: SessionID, _ request: RotateRequest) async throws(ServiceError) -> IssuedSession {
        guard id.partition.index < count.value else { throw Self.noSuchSession }
        guard !isClockOff(for: id.partition) else { throw .stale(detail: ClockSkew.detail) }
        guard let view = try await followedRecord(of: id) else { throw try await whyThereIsNone(id) }
        if let reason = knownRefusal(of: view) { throw Self.conflict(reason) }
        if let permissions = request.permissions {
            var draft = IssueRequest(user: view.user)
            (draft.device, draft.tenant, draft.kind) = (view.device, view.tenant, view.kind)
            draft.fingerprintCode = view.fingerprint
            draft.permissions = permissions
            try checkTokenSize(draft)
        }
        let fields =
            request.authMethods.map { methods in
                SessionRecord.fields(
                    "m", methods.joined(separator: ","), insteadOf: view.details.authMethods.joined(separator: ","))
            } ?? []
        let grace = request.grace ?? configuration.rotationGrace
        let wallBefore = clock.wall()
        let reply = try await send(to: id.partition) { followed throws(RedisError) in
            let call = driver.calls.rotate(
                view.living(as: id), lifetime: configuration.lifetime(of: view.kind),
                graceMilliseconds: grace.wholeMilliseconds,
                reauthenticatedAt: request.authenticatedAt, drawn: request.drawn, permissions: request.permissions,
                fields: fields, driver.known(id.partition))
            return try RotateReply(
                try await WriteProbe.run(
                    call, then: WriteProbe.command(keys, id.partition), on: followed.link, for: "rotate"))
        }
        switch reply {
        case .refused(let reason): throw Self.conflict(reason)
        case .rotated(let rotated, let number, let events):
            for event in events { driver.hear(event, in: id.partition) }
            if !events.isEmpty { record(.sessionRotated, view) }
            var view = view
            view.session = id.rotated(to: number)
            // A Redis that was demoted and promoted again on the same connection may have lost what this node knows.
            if let reason = knownRefusal(of: view) { throw Self.conflict(reason) }
            // (The answer to a call that is repeated is as old as its first attempt.)
            guard !isTooOld(rotated, wallBefore, request.drawn == nil ? .zero : IdempotentCall.lifetime) else {
                throw .stale(detail: ClockSkew.detail)
            }
            return try issued(view, rotated, hasRefreshToken: view.kind == .api)
        }
    }

    private static func conflict(_ reason: RefusalReason) -> ServiceError {
        switch reason {
        case .sessionNotFound: noSuchSession
        case .sessionSuperseded: .conflict(detail: "the session has a newer id")
        default: .conflict(detail: "the session has ended")
        }
    }

    /// Its tombstone outlives its record.
    private func whyThereIsNone(_ id: SessionID) async throws(ServiceError) -> ServiceError {
        let hasEnded = try await send(to: id.partition) { followed throws(RedisError) in
            let tombstones = ["s:\(id.family)", "x:\(id.family)"].map { member in
                RedisCommand("ZSCORE", [RedisArgument(keys.revoked(id.partition)), RedisArgument(member)])
            }
            let scores = try await followed.link.pipeline(tombstones, timeout: nil)
            for score in scores where try score.checked(for: "ZSCORE") != .null { return true }
            return false
        }
        return Self.conflict(hasEnded ? .sessionRevoked : .sessionNotFound)
    }
}
