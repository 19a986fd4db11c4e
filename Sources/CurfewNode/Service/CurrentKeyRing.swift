// The key ring that counts now. It is replaced as a whole when its file changes, under the calls that are under way: each of them ends
// with the ring that it began with.

import CurfewCore
import Synchronization

/// A ring that can be replaced. Safe from any thread.
package final class CurrentKeyRing: Sendable {
    private let ring: Mutex<KeyRing>
    private let version = Atomic<Int>(0)

    package init(_ ring: KeyRing) { self.ring = Mutex(ring) }

    package var value: KeyRing { ring.withLock { $0 } }

    package func replace(with ring: KeyRing) {
        self.ring.withLock { $0 = ring }
        version.add(1, ordering: .releasing)
    }

    /// One thread's copy: as long as nothing changes, reading it touches nothing that other threads write.
    final class Copy {
        let ring: KeyRing
        private let source: CurrentKeyRing
        private let version: Int

        init(of source: CurrentKeyRing) {
            // In this order: a ring that is newer than its number is only copied once more.
            version = source.version.load(ordering: .acquiring)
            ring = source.value
            self.source = source
        }

        /// Whether it is still what `source` has.
        func isCurrent(of source: CurrentKeyRing) -> Bool {
            self.source === source && version == source.version.load(ordering: .acquiring)
        }
    }
}
