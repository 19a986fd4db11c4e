// Who has each partition, as a value, and what is to be done to get from one such value to the next.

import CurfewCore
import CurfewRedis

/// The primary of each partition of a node, in a Redis Cluster.
struct RoutePlan: Sendable, Equatable {
    /// By partition; `nil` where nobody has its slot.
    let owners: [ClusterMember?]

    /// Nobody is known yet.
    init(partitions: Int) { owners = Array(repeating: nil, count: partitions) }

    /// - Parameter slots: of the partitions, in their order.
    init(_ map: SlotMap, slots: [Int]) { owners = slots.map { map.primary(of: $0) } }

    /// Primaries that have at least one partition.
    var members: Set<ClusterMember> { Set(owners.compactMap(\.self)) }

    /// From one plan to the next.
    struct Changes: Sendable, Equatable {
        struct Move: Sendable, Equatable {
            let partition: Partition
            let owner: ClusterMember?
        }
        /// To be followed from now on, in order.
        var opened: [ClusterMember]
        var moved: [Move]
        /// Have no partition any more, in order.
        var closed: [ClusterMember]

        var isEmpty: Bool { moved.isEmpty }
    }

    func changes(to next: RoutePlan) -> Changes {
        precondition(owners.count == next.owners.count, "the number of partitions never changes")
        let (before, after) = (members, next.members)
        return Changes(
            opened: after.subtracting(before).sorted(),
            moved: zip(owners, next.owners).enumerated().compactMap { index, pair in
                pair.0 == pair.1 ? nil : Changes.Move(partition: Partition(UInt16(index)), owner: pair.1)
            },
            closed: before.subtracting(after).sorted())
    }
}
