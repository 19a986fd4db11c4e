// The fences that this node waits for, and the acknowledgements that came before their fence was there: a node may
// acknowledge an event before the reply of the script that wrote it has been read.
//
// Under the lock only values change; continuations are resumed after it.

import CurfewCore
import CurfewRedis
import Synchronization

/// Fences by partition. Safe from any thread.
package final class FenceRegistry: Sendable {
    fileprivate struct Waiting: Sendable {
        var fence: Fence
        let continuation: CheckedContinuation<Fence, Never>
    }
    fileprivate struct Early: Sendable {
        let token: FenceToken
        let node: NodeID
    }
    fileprivate struct State: Sendable {
        var waiting: [Partition: [Waiting]] = [:]
        var early: [Early] = []
        var nextEarly = 0
    }

    /// Acknowledgements kept for a fence that is not there yet.
    private static let maximumEarly = 4096
    /// Fences that wait at once. A change that would be one more is refused before it is made.
    package static let maximumWaiting = 10_000
    private let state = Mutex(State())
    private let surroundings: any Surroundings
    private let clock: NodeClock

    package init(surroundings: any Surroundings, clock: NodeClock) {
        self.surroundings = surroundings
        self.clock = clock
    }

    /// Waits until the fence has an outcome. `registered` is called once it hears what is told: whatever happened just
    /// before that must be looked at again there. `isWatched` says whether the watch that the fence relies on has gone on: asked
    /// under the lock, so that its end is either seen there or told afterwards.
    package func wait(
        for fence: Fence, in partition: Partition, isWatched: () -> Bool, registered: () -> Void
    ) async -> Fence {
        await withCheckedContinuation { continuation in
            state.withLock { state in
                var fence = fence
                if !isWatched() { fence.handle(.watchLost) }
                for early in state.early
                where early.token.partition == partition && early.token.position == fence.position {
                    fence.handle(.acknowledged(by: early.node))
                }
                state.waiting[partition, default: []].append(Waiting(fence: fence, continuation: continuation))
            }
            for moment in [fence.fencedAt, fence.givesUpAt].compactMap({ $0 }) { scheduleTick(moment, in: partition) }
            registered()
            finish(partition)
        }
    }

    /// Another node applied the event that this token names.
    package func acknowledged(_ token: FenceToken, by node: NodeID) {
        state.withLock { state in
            guard let waiting = state.waiting[token.partition],
                let index = waiting.firstIndex(where: { $0.fence.position == token.position })
            else {
                state.keepEarly(Early(token: token, node: node), maximum: Self.maximumEarly)
                return
            }
            state.waiting[token.partition]?[index].fence.handle(.acknowledged(by: node))
        }
        finish(token.partition)
    }

    /// Tells all fences of a partition.
    package func tell(_ event: FenceEvent, to partition: Partition) {
        state.withLock { state in
            guard let count = state.waiting[partition]?.count else { return }
            for index in 0..<count { state.waiting[partition]?[index].fence.handle(event) }
        }
        finish(partition)
    }

    /// Tells those whose event the node's own chain now has.
    package func chainAdvanced(in partition: Partition, isApplied: (LogPosition) -> Bool) {
        state.withLock { state in
            guard let count = state.waiting[partition]?.count else { return }
            for index in 0..<count {
                guard let position = state.waiting[partition]?[index].fence.position, isApplied(position) else {
                    continue
                }
                state.waiting[partition]?[index].fence.handle(.chained)
            }
        }
        finish(partition)
    }

    package func isWaiting(in partition: Partition) -> Bool {
        state.withLock { !($0.waiting[partition]?.isEmpty ?? true) }
    }

    /// How many changes wait for the cluster now.
    package var count: Int { state.withLock { $0.waiting.values.reduce(0) { $0 + $1.count } } }

    private func finish(_ partition: Partition) {
        let finished = state.withLock { state -> [Waiting] in
            guard let waiting = state.waiting[partition] else { return [] }
            let done = waiting.filter { $0.fence.outcome != nil }
            guard !done.isEmpty else { return [] }
            let left = waiting.filter { $0.fence.outcome == nil }
            state.waiting[partition] = left.isEmpty ? nil : left
            return done
        }
        for waiting in finished { waiting.continuation.resume(returning: waiting.fence) }
    }

    private func scheduleTick(_ moment: BootTime, in partition: Partition) {
        let delay = max(.zero, moment - clock.boot()) + .milliseconds(1)
        surroundings.schedule(in: delay) { [self] in tell(.tick(clock.boot()), to: partition) }
    }
}

extension FenceRegistry.State {
    fileprivate mutating func keepEarly(_ one: FenceRegistry.Early, maximum: Int) {
        if early.count < maximum {
            early.append(one)
        } else {
            early[nextEarly] = one
            nextEarly = (nextEarly + 1) % maximum
        }
    }
}
