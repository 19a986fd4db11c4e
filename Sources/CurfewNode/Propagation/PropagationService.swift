// The life of a node's propagation: connections, poll rounds, housekeeping; and its end in good order. The node stops
// polling before it removes itself from the membership: a poll would enter it again.

import CurfewRedis
import ServiceLifecycle

struct PropagationService: Service {
    let driver: FeedDriver
    let checks: StartChecks
    /// Of a Redis Cluster only.
    let router: ClusterRouter?

    /// Runs until graceful shutdown. Throws `StartError` where the first Redis that answers can't be used.
    func run() async throws {
        try await withThrowingTaskGroup(of: Bool.self) { loops in
            loops.addTask {
                await withDiscardingTaskGroup { group in
                    for await primary in driver.opened { group.addTask { await primary.run() } }
                }
                return false
            }
            loops.addTask {
                await router?.run()
                return false
            }
            loops.addTask {
                await driver.keepHouse()
                return false
            }
            loops.addTask {
                await driver.countSessions()
                return false
            }
            loops.addTask {
                await driver.tellActivity()
                return false
            }
            loops.addTask {
                while (try? await driver.surroundings.sleep(for: .seconds(1))) != nil {
                    driver.streams.tick(now: driver.clock.wall())
                }
                return false
            }
            loops.addTask {
                for await error in checks.fatal { throw error }
                return false
            }
            loops.addTask {
                try? await gracefulShutdown()
                await driver.tellAllActivity()
                router?.stop()
                await withTaskGroup { group in
                    for primary in driver.allPrimaries { group.addTask { await primary.leave() } }
                }
                return true
            }
            while let isOver = try await loops.next(), !isOver {}
            loops.cancelAll()
        }
    }
}
