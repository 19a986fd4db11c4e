// Which primary of a Redis Cluster each partition is followed at: keeps the slot map, and makes and forgets primaries by it.
//
// The members are asked at start, when one answers that a slot has moved or that the cluster is down, while a partition has no
// primary or a primary no connection, and now and then. Several are asked at once and the best informed is believed: one that
// was cut off goes on telling what it last knew.

import CurfewCore
import CurfewRedis
import Logging

package final class ClusterRouter: Sendable {
    /// Members asked in one refresh, drawn at random: those that are dead must not stand in the way of the others.
    static let maximumAsked = 6
    /// How long the others are waited for once a member has answered.
    static let grace = Duration.milliseconds(50)
    static let refreshInterval = Duration.seconds(10)

    private let seeds: [ClusterMember]
    private let transport: @Sendable (ClusterMember) -> any RedisTransport
    private let limits: RedisLimits
    private let driver: FeedDriver
    private let slots: [Int]

    package init(
        seeds: [ClusterMember], limits: RedisLimits, driver: FeedDriver,
        transport: @escaping @Sendable (ClusterMember) -> any RedisTransport
    ) {
        self.seeds = seeds
        self.limits = limits
        self.driver = driver
        self.transport = transport
        slots = driver.partitions.map { KeySlot.of(driver.calls.keys.head($0)) }
    }

    /// What is known, and what was made of it.
    private struct Routes {
        var plan: RoutePlan
        var members: Set<ClusterMember>
        var primaries: [ClusterMember: Primary] = [:]
        var primariesMade = 0
        var refreshedAt: Duration?
        /// Refreshes in a row that changed nothing although something was wrong.
        var futile = 0
        var lastProblem: String?
    }

    /// Keeps the map until cancelled or stopped.
    package func run() async {
        var routes = Routes(plan: RoutePlan(partitions: slots.count), members: Set(seeds))
        let backoff = Backoff(minimum: limits.minimumBackoff, maximum: limits.maximumBackoff)
        await withDiscardingTaskGroup { group in
            group.addTask { [self] in
                while !Task.isCancelled {
                    driver.routeRequests.tick()
                    try? await driver.surroundings.sleep(for: limits.maximumBackoff)
                }
            }
            for await _ in driver.routeRequests.wakeups {
                let isWrong = driver.routeRequests.take() || isSomethingMissing(in: routes)
                guard isWrong || isRefreshDue(routes) else { continue }
                let isChanged = await refresh(&routes)
                routes.futile = isChanged || !isWrong ? 0 : routes.futile + 1
                guard routes.futile > 0 else { continue }
                var chance = Chance(driver.surroundings)
                let pause = backoff.pause(attempt: routes.futile - 1, random: .random(in: 0...1, using: &chance))
                try? await driver.surroundings.sleep(for: pause)
            }
            group.cancelAll()
        }
    }

    /// No primary is made or moved any more.
    package func stop() { driver.routeRequests.stop() }

    private func isSomethingMissing(in routes: Routes) -> Bool {
        routes.plan.owners.contains(nil) || routes.primaries.values.contains { !$0.isConnected }
    }

    private func isRefreshDue(_ routes: Routes) -> Bool {
        routes.refreshedAt.map { driver.surroundings.uptime - $0 >= Self.refreshInterval } ?? true
    }

    /// Whether any partition has another primary now.
    private func refresh(_ routes: inout Routes) async -> Bool {
        var chance = Chance(driver.surroundings)
        let asked = routes.members.union(seeds).sorted().shuffled(using: &chance).prefix(Self.maximumAsked)
        let (sighting, problem) = await ask(Array(asked))
        routes.refreshedAt = driver.surroundings.uptime
        guard let sighting else {
            if problem != routes.lastProblem {
                driver.logger.warning(
                    "no member of the Redis Cluster tells its slots", metadata: ["reason": "\(problem)"])
            }
            routes.lastProblem = problem
            return false
        }
        routes.lastProblem = nil
        routes.members = sighting.map.members
        let next = RoutePlan(sighting.map, slots: slots)
        let changes = routes.plan.changes(to: next)
        guard !changes.isEmpty else { return false }
        apply(changes, to: &routes)
        routes.plan = next
        return true
    }

    private func apply(_ changes: RoutePlan.Changes, to routes: inout Routes) {
        for member in changes.opened {
            routes.primariesMade += 1
            routes.primaries[member] = Primary(
                number: routes.primariesMade, transport: transport(member), limits: limits, isClusterMember: true,
                driver: driver)
        }
        for move in changes.moved { driver.assign(move.partition, to: move.owner.flatMap { routes.primaries[$0] }) }
        for member in changes.opened { if let primary = routes.primaries[member] { driver.open(primary) } }
        for member in changes.closed {
            guard let primary = routes.primaries.removeValue(forKey: member) else { continue }
            // What was sent to it last may still be answered.
            driver.surroundings.schedule(in: driver.redisTimeout) { primary.stop() }
        }
        driver.logger.info(
            "partitions have moved",
            metadata: [
                "partitions": "\(changes.moved.count)", "primaries": "\(routes.primaries.count)",
                "unserved": "\(changes.moved.count { $0.owner == nil })",
            ])
    }

    private enum Answer: Sendable {
        case sighting(ClusterSighting)
        case failure(String)
        case graceIsOver
    }

    /// The best of what these say; else why the last of them said nothing.
    private func ask(_ members: [ClusterMember]) async -> (ClusterSighting?, problem: String) {
        await withTaskGroup(of: Answer.self) { group in
            for member in members { group.addTask { [self] in await ask(member) } }
            var best: ClusterSighting?
            var problem = "none is known"
            collecting: for await answer in group {
                switch answer {
                case .graceIsOver: break collecting
                case .failure(let reason): problem = reason
                case .sighting(let sighting):
                    if best == nil {
                        group.addTask { [surroundings = driver.surroundings] in
                            try? await surroundings.sleep(for: Self.grace)
                            return .graceIsOver
                        }
                    }
                    best = best.map { max($0, sighting) } ?? sighting
                }
            }
            group.cancelAll()
            return (best, problem)
        }
    }

    private func ask(_ member: ClusterMember) async -> Answer {
        do throws(RedisError) {
            let link = try await transport(member).connect(generation: 1)
            defer { link.close(reason: "asked") }
            let replies = await withTaskCancellationHandler {
                await Result { () async throws(RedisError) in
                    try await link.pipeline(ClusterSighting.questions, timeout: limits.connectTimeout)
                }
            } onCancel: {
                link.close(reason: "another member has answered")
            }
            return .sighting(try ClusterSighting(try replies.get(), asked: member))
        } catch {
            return .failure("\(member): \(error)")
        }
    }
}

extension Result where Failure == RedisError {
    fileprivate init(_ body: () async throws(RedisError) -> Success) async {
        do throws(RedisError) { self = .success(try await body()) } catch { self = .failure(error) }
    }
}
