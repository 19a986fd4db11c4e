// The tags of the last events that were applied, so that a number can be told to be on the chain or on a fork.
// A ring of fixed size; sequence numbers in it are consecutive by construction.

/// The newest `capacity` positions of a chain.
struct TagHistory: Hashable, Sendable {
    static let capacity = 1024

    private(set) var newest: LogPosition
    private var tags: [EventTag]
    /// Where the newest tag is.
    private var end = 0

    init(startingAt position: LogPosition) {
        newest = position
        tags = [position.tag]
    }

    /// Adds the entry that follows `newest`.
    mutating func append(_ position: LogPosition) {
        precondition(position.seq == newest.seq + 1, "a history has no gaps")
        if tags.count < Self.capacity {
            tags.append(position.tag)
            end = tags.count - 1
        } else {
            end = (end + 1) % Self.capacity
            tags[end] = position.tag
        }
        newest = position
    }

    /// The tag at this number, `nil` where it is ahead or no longer kept.
    func tag(at seq: UInt64) -> EventTag? {
        guard seq <= newest.seq, newest.seq - seq < UInt64(tags.count) else { return nil }
        let back = Int(newest.seq - seq)
        return tags[(end - back + tags.count) % tags.count]
    }

    /// The oldest number whose tag is kept.
    var oldestSeq: UInt64 { newest.seq - UInt64(tags.count - 1) }

    func contains(_ position: LogPosition) -> Bool { tag(at: position.seq) == position.tag }
}
