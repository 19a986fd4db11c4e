// Faults by which Redis loses writes that it has answered: all of its data, the last minutes, or the last moments.

import TestSupport

enum LossFault: String, CaseIterable, Sendable {
    case flushed = "FLUSHALL"
    case restartedEmpty = "Redis killed, back empty"
    case restartedOld = "Redis killed, back with an old snapshot"
    case restartedWithData = "Redis saved and killed, back with its data"
    case loading = "Redis back, LOADING for a second"
    case failedOver = "failover to a replica in step"
    case failedOverLosing = "failover with lost writes"

    /// Returns as soon as a primary answers again. Gives what is left to do then.
    /// - Parameter whileDown: done while none answers (or before, where Redis is not down at all).
    func strike(
        _ stage: Stage, _ recorder: Recorder, using random: inout SeededGenerator, whileDown: () async throws -> Void
    ) async throws -> @Sendable () async throws -> Void {
        let redis = stage.redis
        let outage = random.milliseconds(50...1_200)
        let isCrash = random.happens(perMille: 500)
        switch self {
        case .flushed:
            try await whileDown()
            try redis.primary.call(["FLUSHALL"])
        case .restartedEmpty: try await restart(redis.primary, .empty, after: outage, whileDown)
        case .restartedOld:
            // Whatever an earlier fault has saved; the next time, what there is just now.
            try await restart(redis.primary, .asLastSaved, after: outage, whileDown)
            return { try await redis.primary.save() }
        case .restartedWithData:
            try await redis.primary.save()
            try await restart(redis.primary, .asLastSaved, after: outage, whileDown)
        case .loading:
            let keys = max(1, Int(try redis.primary.call(["DBSIZE"])) ?? 1)
            try await whileDown()
            try await redis.primary.restart(.kept, configuration: ["key-load-delay \(1_000_000 / keys)"])
            return { try redis.primary.call(["CONFIG", "SET", "key-load-delay", "0"]) }
        case .failedOver, .failedOverLosing:
            try await redis.waitUntilReplicated()
            if self == .failedOverLosing {
                try await redis.replicationLine.set(.blackhole)
                await pace(random.milliseconds(200...1_500))
                if try redis.isReplicaBehind() { recorder.addLosingFailover() }
            }
            let demoted = try await redis.endReign(isCrash: isCrash)
            await pace(outage)
            try await whileDown()
            try await redis.promoteReplica(stage.cluster)
            return { try await redis.welcome(demoted) }
        }
        return {}
    }

    private func restart(
        _ server: RedisServer, _ data: RedisServer.Data, after outage: Duration, _ whileDown: () async throws -> Void
    ) async throws {
        server.crash()
        await pace(outage)
        try await whileDown()
        try await server.restart(data)
    }
}
