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

    /// From the first thing lost to a primary that answers.
    func strike(_ stage: Stage, using random: inout SeededGenerator) async throws {
        let redis = stage.redis
        let outage = random.milliseconds(50...1_200)
        let isCrash = random.happens(perMille: 500)
        switch self {
        case .flushed: try redis.primary.call(["FLUSHALL"])
        case .restartedEmpty:
            redis.primary.crash()
            await pace(outage)
            try await redis.primary.restart(.empty)
        case .restartedOld:
            // Whatever an earlier fault has saved; the next time, what there is just now.
            redis.primary.crash()
            await pace(outage)
            try await redis.primary.restart(.asLastSaved)
            try redis.primary.call(["SAVE"])
        case .restartedWithData:
            try redis.primary.call(["SAVE"])
            redis.primary.crash()
            await pace(outage)
            try await redis.primary.restart(.asLastSaved)
        case .loading:
            let keys = max(1, Int(try redis.primary.call(["DBSIZE"])) ?? 1)
            try await redis.primary.restart(.kept, configuration: ["key-load-delay \(1_000_000 / keys)"])
            try redis.primary.call(["CONFIG", "SET", "key-load-delay", "0"])
        case .failedOver:
            try await redis.waitUntilReplicated()
            try await redis.failOver(stage.cluster, isCrash: isCrash, downFor: outage)
        case .failedOverLosing:
            try await redis.waitUntilReplicated()
            try await redis.replicationLine.set(.blackhole)
            await pace(random.milliseconds(200...1_500))
            try await redis.failOver(stage.cluster, isCrash: isCrash, downFor: outage)
        }
    }
}
