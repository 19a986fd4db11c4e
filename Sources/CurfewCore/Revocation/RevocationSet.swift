// The tombstones of one partition: a set of 128-bit session ids, each with the second when it may go.
//
// Two arrays side by side, 16 bytes for an id and 4 for the second, and Robin Hood open addressing over them: a slot
// never holds an id that is nearer to its home than one that was pushed past it, so a lookup that finds nothing ends
// after a few slots even at 7/8 full, and a removal closes its gap instead of leaving a mark. The capacity is no power
// of two and grows by a quarter: from 0.7 to 0.875 full, 22.9 to 28.6 bytes a tombstone.
//
// A clock hand goes round the slots and removes what is past: every insert and every `expire` examines a few.

/// Revoked sessions until their last token has expired. A value without a lock: `PartitionTable` has it.
public struct RevocationSet: Sendable {
    private struct ID: Equatable {
        let high: UInt64
        let low: UInt64

        /// In an empty slot, so that a lookup reads the ids alone.
        static let none = ID()
        var isNone: Bool { high | low == 0 }

        /// The id of zeros, which no generator ever draws, is kept as its neighbour.
        init(_ high: UInt64, _ low: UInt64) {
            self.high = high
            self.low = high | low == 0 ? 1 : low
        }

        private init() { (high, low) = (0, 0) }
    }

    private static let bytesPerSlot = MemoryLayout<ID>.stride + MemoryLayout<UInt32>.stride
    private static let smallestCapacity = 16
    /// How many slots an insert examines for what is past.
    private static let slotsPerInsert = 4

    private var ids: [ID] = []
    /// Means nothing in an empty slot.
    private var untils: [UInt32] = []
    private var hand = 0
    private var lastExpiry: UInt32 = 0

    /// How many tombstones there are, those included that are past and not yet removed.
    public private(set) var count = 0

    /// The empty set; it takes no memory.
    public init() {}

    /// What the slots take.
    public var memoryBytes: Int { ids.count * Self.bytesPerSlot }

    /// Whether the id was revoked. Allocates nothing.
    public func contains(high: UInt64, low: UInt64) -> Bool { slot(of: ID(high, low)) != nil }

    /// Adds an id, or keeps the later `until` of an id that is there. Returns whether it was not there. A moment after
    /// the year 2106 counts as then.
    @discardableResult
    public mutating func insert(high: UInt64, low: UInt64, until: WallTime) -> Bool {
        let id = ID(high, low)
        let second = Self.second(until)
        if let slot = slot(of: id) {
            untils[slot] = max(untils[slot], second)
            return false
        }
        removePast(examining: Self.slotsPerInsert)
        if (count + 1) * 8 > ids.count * 7 { rebuild(capacity: Self.capacity(for: count + 1)) }
        place(id, second)
        count += 1
        return true
    }

    /// Moves the hand over at most `budget` slots and removes what may go by `now`, which inserts go by too until the
    /// next call. Returns how many that were. Twice the capacity as budget, in one call or several, leaves nothing
    /// behind that was past when it began.
    @discardableResult
    public mutating func expire(now: WallTime, budget: Int) -> Int {
        lastExpiry = Self.second(now)
        let removed = removePast(examining: budget)
        if ids.count > Self.smallestCapacity && count * 5 < ids.count * 2 {
            rebuild(capacity: Self.capacity(for: count))
        }
        return removed
    }

    /// Calls `body` with every tombstone, in no order.
    public func forEach(_ body: (_ high: UInt64, _ low: UInt64, _ until: WallTime) -> Void) {
        for slot in ids.indices where !ids[slot].isNone {
            body(ids[slot].high, ids[slot].low, WallTime(seconds: Int64(untils[slot])))
        }
    }

    /// When the id may go; `nil` where it is not there.
    func until(high: UInt64, low: UInt64) -> WallTime? {
        slot(of: ID(high, low)).map { WallTime(seconds: Int64(untils[$0])) }
    }

    private static func second(_ time: WallTime) -> UInt32 { UInt32(clamping: max(time.seconds, 1)) }

    private static func capacity(for count: Int) -> Int { max(smallestCapacity, (count * 10 + 6) / 7) }
}

// MARK: - Slots

extension RevocationSet {
    /// Where the id would like to be. Both halves are random, one multiplication spreads what is not.
    private func home(_ id: ID) -> Int {
        let product = (id.high ^ 0x9e37_79b9_7f4a_7c15).multipliedFullWidth(by: id.low ^ 0xd1b5_4a32_d192_ed03)
        return Int((product.high ^ product.low).multipliedFullWidth(by: UInt64(ids.count)).high)
    }

    /// How far past its home the id in `slot` is.
    private func distance(_ slot: Int) -> Int {
        let difference = slot - home(ids[slot])
        return difference < 0 ? difference + ids.count : difference
    }

    private func after(_ slot: Int) -> Int { slot + 1 == ids.count ? 0 : slot + 1 }

    private func slot(of id: ID) -> Int? {
        guard count > 0 else { return nil }
        var slot = home(id)
        var distance = 0
        while !ids[slot].isNone {
            if ids[slot] == id { return slot }
            if self.distance(slot) < distance { return nil }
            slot = after(slot)
            distance += 1
        }
        return nil
    }

    /// Puts an id that is not there; there is an empty slot.
    private mutating func place(_ newID: ID, _ newUntil: UInt32) {
        assert(!newID.isNone && count < ids.count)
        var (id, until) = (newID, newUntil)
        var slot = home(id)
        var distance = 0
        while !ids[slot].isNone {
            let settled = self.distance(slot)
            if settled < distance {
                swap(&ids[slot], &id)
                swap(&untils[slot], &until)
                distance = settled
            }
            slot = after(slot)
            distance += 1
        }
        ids[slot] = id
        untils[slot] = until
    }

    /// Empties a slot and moves those behind it one nearer to their homes.
    private mutating func remove(at removed: Int) {
        var gap = removed
        var next = after(gap)
        while !ids[next].isNone && distance(next) > 0 {
            ids[gap] = ids[next]
            untils[gap] = untils[next]
            gap = next
            next = after(gap)
        }
        ids[gap] = .none
        count -= 1
    }

    /// The hand stays where it removed, because another id has moved there.
    @discardableResult
    private mutating func removePast(examining budget: Int) -> Int {
        guard count > 0 else { return 0 }
        let before = count
        for _ in 0..<min(budget, 2 * ids.count) {
            if untils[hand] <= lastExpiry && !ids[hand].isNone {
                remove(at: hand)
            } else {
                hand = after(hand)
            }
        }
        return before - count
    }

    private mutating func rebuild(capacity: Int) {
        assert(capacity > count)
        let (oldIDs, oldUntils) = (ids, untils)
        ids = [ID](repeating: ID.none, count: capacity)
        untils = [UInt32](repeating: 0, count: capacity)
        // Homes spread out in proportion, so the hand goes on where it was.
        hand = oldIDs.isEmpty ? 0 : hand * capacity / oldIDs.count
        for slot in oldIDs.indices where !oldIDs[slot].isNone { place(oldIDs[slot], oldUntils[slot]) }
    }
}
