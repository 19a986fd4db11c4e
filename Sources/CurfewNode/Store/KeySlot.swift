// Which slot of a Redis Cluster a key is in. All keys and channels of a partition carry its hash tag, so a partition is in one.

import CurfewCore

enum KeySlot {
    static let count: UInt16 = 16_384

    /// CRC16 of what stands between the first `{` and the next `}`, where that is not empty; else of the whole key.
    static func of(_ key: String) -> Int {
        let bytes = Array(key.utf8)
        var hashed = bytes[...]
        if let open = bytes.firstIndex(of: UInt8(ascii: "{")),
            let close = bytes[(open + 1)...].firstIndex(of: UInt8(ascii: "}")), close > open + 1
        {
            hashed = bytes[(open + 1)..<close]
        }
        return Int(crc16(hashed) % count)
    }
}
