// Partitions: which part of the cluster's state a user belongs to. A user's partition follows from the bytes of
// the id alone, so every node and every script agrees without asking.

/// Index of a partition, 0..<1024.
public struct Partition: Hashable, Comparable, Sendable {
    /// 0..<1024.
    public let index: UInt16

    /// The partition at `index`, which must be below 1024.
    public init(_ index: UInt16) {
        precondition(index < PartitionCount.maximum)
        self.index = index
    }

    /// Whether `left` comes first.
    public static func < (left: Partition, right: Partition) -> Bool { left.index < right.index }
}

/// How many partitions a cluster has: 1...1024, fixed when it is created.
public struct PartitionCount: Hashable, Sendable {
    /// The most partitions that a cluster can have; ten bits of a session id.
    static let maximum: UInt16 = 1024

    /// 1...1024.
    public let value: UInt16

    /// `nil` outside 1...1024.
    public init?(_ value: Int) {
        guard (1...Int(Self.maximum)).contains(value) else { return nil }
        self.value = UInt16(value)
    }

    /// The partition of the user with this id: CRC16 of its UTF-8 bytes, modulo the count.
    public func partition(ofUser utf8: some Sequence<UInt8>) -> Partition {
        Partition(crc16(utf8) % value)
    }

    /// Every partition, in order.
    public var all: [Partition] { (0..<value).map(Partition.init) }
}

/// CRC16/XMODEM, the one that Redis Cluster's key slots use.
package func crc16(_ bytes: some Sequence<UInt8>) -> UInt16 {
    var crc: UInt16 = 0
    for byte in bytes {
        // The polynomial 0x1021 applied to a whole byte at once.
        var step = (crc >> 8) ^ UInt16(byte)
        step ^= step >> 4
        crc = (crc << 8) ^ (step << 12) ^ (step << 5) ^ step
    }
    return crc
}
