// Whoever meets a partition that is not where it was thought to be says so here, from any thread; the one router looks.

import Synchronization

/// "Ask the cluster who has what", coalesced.
final class RouteRequests: Sendable {
    let wakeups: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation
    private let isRequested = Mutex(false)

    init() { (wakeups, wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1)) }

    func request() {
        isRequested.withLock { $0 = true }
        wake.yield()
    }

    /// Time to look whether anything is missing.
    func tick() { wake.yield() }

    /// Whether somebody has asked since the last time.
    func take() -> Bool {
        isRequested.withLock { isRequested in
            defer { isRequested = false }
            return isRequested
        }
    }

    func stop() { wake.finish() }
}
