// Who has which slots, as one member of a Redis Cluster says: CLUSTER SLOTS, which 6.2 and 7 answer alike, as a value.
// Read strictly: half a map would leave partitions without a primary that have one.

/// The slots of a cluster and their primaries.
package struct SlotMap: Sendable, Equatable {
    package static let slotCount = 16_384

    private struct Range: Sendable, Equatable {
        let slots: ClosedRange<Int>
        let primary: ClusterMember
    }

    /// In order, none twice.
    private let ranges: [Range]
    /// Everybody who is named, replicas too.
    package let members: Set<ClusterMember>

    /// - Parameters:
    ///   - reply: to CLUSTER SLOTS.
    ///   - asked: who gave it. A member that doesn't know its own address leaves it out.
    package init(_ reply: RedisValue, asked: ClusterMember) throws(RedisError) {
        var ranges: [Range] = []
        var members: Set<ClusterMember> = []
        for entry in try reply.array(for: Self.operation) {
            let fields = try entry.array(for: Self.operation)
            guard fields.count >= 3 else { throw Self.unreadable("a range with its primary") }
            let first = try fields[0].integer(for: Self.operation)
            let last = try fields[1].integer(for: Self.operation)
            guard first <= last, first >= 0, last < Self.slotCount else { throw Self.unreadable("a range of slots") }
            var holders: [ClusterMember] = []
            for field in fields[2...] { holders.append(try Self.member(field, asked: asked)) }
            ranges.append(Range(slots: Int(first)...Int(last), primary: holders[0]))
            members.formUnion(holders)
        }
        ranges.sort { $0.slots.lowerBound < $1.slots.lowerBound }
        for (one, next) in zip(ranges, ranges.dropFirst()) where one.slots.upperBound >= next.slots.lowerBound {
            throw Self.unreadable("each slot once")
        }
        self.ranges = ranges
        self.members = members
    }

    /// Who has this slot; `nil` where nobody does.
    package func primary(of slot: Int) -> ClusterMember? { ranges.first { $0.slots.contains(slot) }?.primary }

    /// How many slots somebody has.
    package var coveredSlots: Int { ranges.reduce(0) { $0 + $1.slots.count } }

    private static let operation = "CLUSTER SLOTS"

    private static func unreadable(_ expected: String) -> RedisError {
        .unexpectedReply(operation: operation, expected: expected)
    }

    private static func member(_ value: RedisValue, asked: ClusterMember) throws(RedisError) -> ClusterMember {
        let fields = try value.array(for: operation)
        guard fields.count >= 2 else { throw unreadable("host and port") }
        let host = fields[0] == .null ? "" : try fields[0].text(for: operation)
        let port = try fields[1].integer(for: operation)
        // `?`: announced by a host name that this member has not heard yet.
        guard host != "?", (1...65_535).contains(port) else { throw unreadable("host and port") }
        return ClusterMember(host: host.isEmpty ? asked.host : host, port: Int(port))
    }
}

/// What one member says of its cluster. Of several the greatest is believed.
package struct ClusterSighting: Sendable, Equatable {
    package let map: SlotMap
    /// This member reaches most primaries. One that was cut off goes on telling what it last knew, and may count up the
    /// epoch all by itself.
    package let isStateOK: Bool
    /// The highest configuration epoch it has heard of: every failover and every slot that moves makes a higher one.
    package let epoch: UInt64

    /// - Parameter replies: to `questions`.
    package init(_ replies: [RedisValue], asked: ClusterMember) throws(RedisError) {
        guard replies.count == Self.questions.count else {
            throw .unexpectedReply(operation: "CLUSTER", expected: "two replies")
        }
        var fields: [Substring: Substring] = [:]
        for line in try replies[0].text(for: "CLUSTER INFO").split(whereSeparator: \.isNewline) {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2 { fields[parts[0]] = parts[1] }
        }
        guard let epoch = fields["cluster_current_epoch"].flatMap({ UInt64($0) }), let state = fields["cluster_state"]
        else { throw .unexpectedReply(operation: "CLUSTER INFO", expected: "state and epoch") }
        self.epoch = epoch
        isStateOK = state == "ok"
        map = try SlotMap(replies[1], asked: asked)
    }

    package static let questions = [RedisCommand("CLUSTER", ["INFO"]), RedisCommand("CLUSTER", ["SLOTS"])]
}

extension ClusterSighting: Comparable {
    package static func < (one: ClusterSighting, other: ClusterSighting) -> Bool {
        if one.isStateOK != other.isStateOK { return other.isStateOK }
        if one.epoch != other.epoch { return one.epoch < other.epoch }
        return one.map.coveredSlots < other.map.coveredSlots
    }
}
