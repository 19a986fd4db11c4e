// Revoke: every target becomes one script call a partition. Revoking what is revoked or unknown succeeds, and still writes an
// event: the first revoke may be a millisecond old and unfenced.

import CurfewCore
import CurfewRedis

extension SessionService {
    /// Ends what the target names. Safe to repeat: a retry after `redisUnavailable` completes it.
    package func revoke(_ target: RevokeTarget, options: ChangeOptions) async throws(ServiceError) -> ChangeAnswer {
        let startedAt = clock.boot()
        let outcomes: [PartitionOutcome]
        var named: NamedSession?
        switch target {
        case .session(let session):
            let (located, createdAt) = try await located(session)
            var known = NamedSession(session: session, createdAt: createdAt)
            if case .session(_, let user, let device) = located { (known.user, known.device) = (user, device) }
            named = known
            outcomes = [try await revoke(located, in: session.partition, options, startedAt)]
        case .token(let token):
            let claims = try verified(token)
            // The stamp was given by Redis' clock, when the login was.
            named = NamedSession(
                session: claims.session, user: claims.user, device: claims.device,
                createdAt: WallTime(seconds: Int64(claims.stamp.microseconds / 1_000_000)))
            outcomes = [
                try await revoke(
                    .session(claims.session, user: claims.user, device: claims.device), in: claims.session.partition,
                    options, startedAt)
            ]
        case .user(let user): outcomes = [try await revoke(.user(user), of: user, options, startedAt)]
        case .userExcept(let user, let session):
            outcomes = [try await revoke(.except(user, session), of: user, options, startedAt)]
        case .device(let user, let device):
            outcomes = [try await revoke(.device(user, device), of: user, options, startedAt)]
        case .tenant(let tenant): outcomes = try await everywhere(.tenant(tenant), options, startedAt)
        case .everyone: outcomes = try await everywhere(.everyone, options, startedAt)
        }
        metrics.countRevocation(reason: options.reason)
        recordEnd(of: target, named, outcomes, reason: options.reason)
        return answer(outcomes, isCounted: target.isCounted, startedAt: startedAt)
    }

    private func revoke(
        _ target: PartitionTarget, in partition: Partition, _ options: ChangeOptions, _ startedAt: BootTime
    ) async throws(ServiceError) -> PartitionOutcome {
        try await change(
            in: partition, operation: "revoke", of: target.user, options: options, startedAt: startedAt
        ) { known in
            driver.calls.revoke(target, in: partition, options: options, known)
        }
    }

    private func revoke(
        _ target: PartitionTarget, of user: UserID, _ options: ChangeOptions, _ startedAt: BootTime
    ) async throws(ServiceError) -> PartitionOutcome {
        try await revoke(target, in: count.partition(ofUser: user.text.utf8), options, startedAt)
    }

    /// A session's place in its user's index, and when it was issued. Where the record is gone, its tombstone is written all the same: Redis may
    /// have lost the record while the token lives.
    private func located(_ session: SessionID) async throws(ServiceError) -> (PartitionTarget, createdAt: WallTime?) {
        let partition = try partition(of: session)
        return try await send(to: partition) { followed throws(RedisError) in
            let fields = try await followed.link.send(
                RedisCommand("HMGET", [RedisArgument(keys.record(session)), "u", "d", "c"]), timeout: nil
            ).array(of: 3, for: "HMGET session")
            let user = fields[0] == .null ? nil : UserID(try fields[0].text(for: "HMGET session"))
            let device = fields[1] == .null ? nil : DeviceID(try fields[1].text(for: "HMGET session"))
            let created = Int64((try? fields[2].text(for: "HMGET session")) ?? "")
            return (.session(session, user: user, device: device), created.map { WallTime(seconds: $0) })
        }
    }

    /// A token's claims; an expired one will do, since its session may have a younger one.
    private func verified(_ token: String) throws(ServiceError) -> Claims {
        let claims: Claims
        do {
            claims = try keyRing.decode(Array(token.utf8))
        } catch {
            throw .tokenRefused(RefusalReason(error))
        }
        _ = try partition(of: claims.session)
        return claims
    }

    private static let maximumParallelPartitions = 64

    /// Every partition, several at a time. Fails as a whole where one fails; a retry completes it.
    private func everywhere(
        _ target: PartitionTarget, _ options: ChangeOptions, _ startedAt: BootTime
    ) async throws(ServiceError) -> [PartitionOutcome] {
        let results = await withTaskGroup(of: Result<PartitionOutcome, ServiceError>.self) { group in
            var results: [Result<PartitionOutcome, ServiceError>] = []
            for (index, partition) in count.all.enumerated() {
                if index >= Self.maximumParallelPartitions, let result = await group.next() { results.append(result) }
                group.addTask { [self] in
                    do throws(ServiceError) {
                        return .success(try await revoke(target, in: partition, options, startedAt))
                    } catch {
                        return .failure(error)
                    }
                }
            }
            for await result in group { results.append(result) }
            return results
        }
        var outcomes: [PartitionOutcome] = []
        for result in results { outcomes.append(try result.get()) }
        return outcomes.sorted { $0.token.partition < $1.token.partition }
    }

    func answer(_ outcomes: [PartitionOutcome], isCounted: Bool, startedAt: BootTime) -> ChangeAnswer {
        let waitedFor = outcomes.reduce(into: Set<NodeID>()) { $0.formUnion($1.waitedFor) }
        let missing = outcomes.reduce(into: Set<NodeID>()) { $0.formUnion($1.waitedFor.subtracting($1.acknowledged)) }
        let elapsed = clock.boot() - startedAt
        let propagation = outcomes.dropFirst().reduce(outcomes[0].propagation) { $0.joined(with: $1.propagation) }
        switch propagation {
        case .acknowledged, .fenced: metrics.observePropagation(seconds: elapsed / .seconds(1))
        case .published, .pending: break
        }
        return ChangeAnswer(
            revoked: isCounted ? outcomes.reduce(0) { $0 + $1.revoked } : nil, fence: outcomes.map(\.token),
            propagation: propagation,
            nodes: waitedFor.count, acknowledged: waitedFor.subtracting(missing).count,
            elapsedMilliseconds: elapsed.fractionalMilliseconds,
            replicas: outcomes.compactMap(\.replicas).min(), permissionsVersion: nil)
    }
}

extension RevokeTarget {
    /// Tenants and everyone are one cutoff a partition: nobody counts what it ends.
    var isCounted: Bool {
        switch self {
        case .session, .token, .user, .userExcept, .device: true
        case .tenant, .everyone: false
        }
    }
}
