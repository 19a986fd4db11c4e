// Validate where the fast path does not answer: with a fence to honour, strictly, or from a state that is not fresh.
// `active` is never answered from a state older than Δ; where that can't be proved, Redis is read; where Redis can't be
// read, the answer is 503, never 401. What is known to be revoked stays 401 throughout.

import CurfewCore
import CurfewRedis

extension SessionService {
    /// Answers for one token. Throws `stale` or `redisUnavailable` where nothing can be said.
    package func validate(token: [UInt8], options: ValidateOptions) async throws(ServiceError) -> ValidateResult {
        do throws(ServiceError) {
            let result = try await result(of: token, options)
            switch result {
            case .active: _ = metrics.countActive()
            case .refused(let reason): metrics.count(reason)
            }
            return result
        } catch {
            metrics.count(error)
            throw error
        }
    }

    private func result(of token: [UInt8], _ options: ValidateOptions) async throws(ServiceError) -> ValidateResult {
        let claims: Claims
        do {
            claims = try keyRing.decode(token)
        } catch {
            return .refused(RefusalReason(error))
        }
        let result = try await verdict(on: token, claims, options)
        guard case .active = result else { return result }
        guard !isOtherDevice(options.fingerprint, code: claims.fingerprint, of: claims.session) else {
            var entry = AuditEntry(.sessionSuspicious, at: clock.wall())
            (entry.user, entry.session, entry.device, entry.tenant) = (
                claims.user, claims.session, claims.device, claims.tenant
            )
            await suspect(options.fingerprint, entry)
            return .refused(.deviceMismatch)
        }
        if options.countsAsActivity { noteActivity(of: claims.session) }
        return result
    }

    private func verdict(
        on token: [UInt8], _ claims: Claims, _ options: ValidateOptions
    ) async throws(ServiceError) -> ValidateResult {
        // Redis is asked for nobody whose token says enough by itself.
        if case .refused(let reason) = memory(token) { return .refused(RefusalReason(reason)) }
        try await catchUp(with: options.atLeast)
        switch memory(token) {
        case .refused(let reason): return .refused(RefusalReason(reason))
        case .active(let change, let age) where !options.isStrict:
            return .active(answer(claims, change, age: age, isStale: false))
        case .active, .stale: return try await readThrough(token, claims, options)
        }
    }

    /// The session was used, now.
    func noteActivity(of session: SessionID) { driver.activity.note(session, at: clock.age()) }

    /// Why this token is no good, as far as memory says.
    func refusal(of token: [UInt8]) -> RefusalReason? {
        if case .refused(let reason) = memory(token) { RefusalReason(reason) } else { nil }
    }

    /// What memory says now, without the views into scratch memory.
    private enum MemoryVerdict {
        case active(PermissionsChange?, age: Duration)
        case refused(TokenRefusal)
        case stale(PermissionsChange?, age: Duration)
    }

    private func memory(_ token: [UInt8]) -> MemoryVerdict {
        withUnsafeTemporaryAllocation(byteCount: KeyRing.scratchBytes, alignment: 16) { scratch in
            token.withUnsafeBytes { bytes in
                switch keyRing.verdict(
                    on: bytes, table: table, boot: clock.boot(), wall: clock.wall(), scratch: scratch)
                {
                case .active(let active): .active(active.permissionsChange, age: active.age)
                case .refused(let reason): .refused(reason)
                case .stale(let stale): .stale(stale.permissionsChange, age: stale.age)
                }
            }
        }
    }

    private func readThrough(
        _ token: [UInt8], _ claims: Claims, _ options: ValidateOptions
    ) async throws(ServiceError) -> ValidateResult {
        let partition = claims.session.partition
        let now = clock.boot()
        let canRead = table.withPartition(partition) { $0.feed.canReadThrough(at: now) }
        guard canRead else {
            let failure = ServiceError.stale(detail: staleness(of: partition) ?? "not fresh")
            guard configuration.onStale != .refuse else { throw failure }
            // A Redis that may have forgotten can still know of a revoke that this node missed.
            if let reason = try? await reads.read(claims, joins: false).refusal(of: claims, at: clock.boot()) {
                return .refused(reason)
            }
            return try servedStale(token, claims, orElse: failure)
        }
        let read: StandInReads.Answer
        do {
            read = try await reads.read(claims, joins: !options.isStrict && options.atLeast.isEmpty)
        } catch {
            let failure = options.isStrict ? error : asStale(error, partition)
            return try servedStale(token, claims, orElse: failure)
        }
        // Memory again: what was revoked while Redis was read is revoked.
        let memory = memory(token)
        if case .refused(let reason) = memory { return .refused(RefusalReason(reason)) }
        if let reason = read.refusal(of: claims, at: clock.boot()) { return .refused(reason) }
        guard !ClockSkew.isTooLarge(redis: read.reply.time, before: read.wallBefore, after: clock.wall()) else {
            throw .stale(detail: ClockSkew.detail)
        }
        if options.isStrict, !read.reply.exists { return .refused(.sessionNotFound) }
        let age = clock.boot() - read.sentAt
        guard age <= driver.bounds.staleness else {
            return try servedStale(
                token, claims, orElse: .stale(detail: "Redis took longer than the staleness bound to answer"))
        }
        var change = read.reply.permissionsChange.flatMap {
            $0.stamp > max(claims.stamp, Stamp(claims.permissionsVersion)) ? $0 : nil
        }
        switch memory {
        case .active(let known?, _), .stale(let known?, _):
            if known.stamp > (change?.stamp ?? .zero) { change = known }
        case .active(nil, _), .stale(nil, _), .refused: break
        }
        return .active(answer(claims, change, age: age, isStale: false))
    }

    private func asStale(_ error: ServiceError, _ partition: Partition) -> ServiceError {
        switch error {
        case .redisUnavailable: .stale(detail: staleness(of: partition) ?? "Redis can't be read")
        case .stale, .overloaded, .notFound, .conflict, .sessionLimitReached, .rateLimited, .preconditionFailed,
            .tokenRefused,
            .outOfRange, .malformed:
            error
        }
    }

    /// Under `--on-stale grace` memory answers on for a while, marked; otherwise this throws.
    private func servedStale(
        _ token: [UInt8], _ claims: Claims, orElse error: ServiceError
    ) throws(ServiceError) -> ValidateResult {
        guard case .grace(let grace) = configuration.onStale else { throw error }
        let memory = memory(token)
        if case .refused(let reason) = memory { return .refused(RefusalReason(reason)) }
        guard case .stale(let change, let age) = memory, !isClockOff(for: claims.session.partition) else { throw error }
        guard age <= driver.bounds.staleness + grace else { throw error }
        return .active(answer(claims, change, age: age, isStale: true))
    }

    private func answer(
        _ claims: Claims, _ change: PermissionsChange?, age: Duration, isStale: Bool
    ) -> ActiveSession {
        ActiveSession(
            session: claims.session, user: claims.user, device: claims.device, kind: claims.kind,
            permissions: change?.permissions ?? claims.permissions,
            permissionsVersion: change?.stamp.microseconds ?? claims.permissionsVersion,
            issuedAt: claims.issuedAt, expiresAt: claims.expiresAt,
            shouldRefresh: configuration.settings(of: claims.kind).shouldRefresh(
                issuedAt: claims.issuedAt, expiresAt: claims.expiresAt, now: clock.wall()),
            ageMilliseconds: age.wholeMilliseconds, isStale: isStale)
    }

    /// `Curfew-At-Least`: returns once memory has everything up to these events. A number alone proves nothing, since a new
    /// primary may have overtaken it: either the very tag was applied, or a poll sent from now on was caught up with. Where
    /// Redis lost the event, what such a poll makes fresh is what was re-asserted.
    private func catchUp(with fences: [FenceToken]) async throws(ServiceError) {
        guard fences.allSatisfy({ $0.partition.index < count.value }) else {
            throw .malformed(detail: "Curfew-At-Least names a partition that this cluster does not have")
        }
        let start = clock.boot()
        func missing() -> [FenceToken] {
            fences.filter { fence in
                !table.withPartition(fence.partition) { slot in
                    slot.feed.reaches(fence.position, since: start)
                }
            }
        }
        let isReached = await surroundings.wait(upTo: driver.bounds.staleness, every: .milliseconds(2)) {
            let missing = missing()
            for fence in missing { driver.requestPoll(fence.partition) }
            return missing.isEmpty
        }
        guard !isReached else { return }
        throw .stale(detail: "the state that Curfew-At-Least asks for was not reached in time")
    }
}

extension StandInReads.Answer {
    /// What Redis knows of that ends this token by now: the grace of an id that was replaced may be over since Redis was asked.
    func refusal(of claims: Claims, at now: BootTime) -> RefusalReason? {
        if reply.tombstone == .revoked || claims.stamp < reply.cutoff { return .sessionRevoked }
        switch reply.tombstone {
        case .expired: return .sessionExpired
        case .superseded: return .sessionSuperseded
        case .revoked, nil: return reply.graceLeft.flatMap { now - sentAt < $0 ? nil : .sessionSuperseded }
        }
    }
}

extension KindSettings {
    /// Whether a token is past the fraction of its life at which it should be renewed.
    package func shouldRefresh(issuedAt: WallTime, expiresAt: WallTime, now: WallTime) -> Bool {
        Double(now.seconds - issuedAt.seconds) >= renewAfter * Double(expiresAt.seconds - issuedAt.seconds)
    }
}

extension RefusalReason {
    init(_ refusal: TokenRefusal) {
        switch refusal {
        case .malformed: self = .tokenMalformed
        case .signatureInvalid: self = .tokenSignatureInvalid
        case .expired: self = .tokenExpired
        case .revoked: self = .sessionRevoked
        case .idle: self = .sessionExpired
        case .superseded: self = .sessionSuperseded
        }
    }
}

extension Duration {
    package var fractionalMilliseconds: Double {
        Double(components.seconds) * 1000 + Double(components.attoseconds) / 1e15
    }
}
