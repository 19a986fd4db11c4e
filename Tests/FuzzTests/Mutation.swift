// What hostile bytes are made of: valid ones, bent in a few places. Bytes are flipped, taken out, put in, doubled and
// moved; `fragments` are pieces that mean something in the format.

struct Mutation {
    let fragments: [[UInt8]]

    init(_ fragments: [String]) { self.fragments = fragments.map { Array($0.utf8) } }

    /// `input` with 0 to 4 changes.
    func applied(to input: [UInt8], _ random: inout Randomness) -> [UInt8] {
        var bytes = input
        for _ in 0..<random.pick([0, 1, 1, 1, 2, 2, 3, 4]) { change(&bytes, &random) }
        return bytes
    }

    private func change(_ bytes: inout [UInt8], _ random: inout Randomness) {
        let at = random.below(bytes.count + 1)
        let length = min(bytes.count - at, 1 + random.below(random.isOne(in: 4) ? 64 : 4))
        switch random.below(9) {
        case 0 where at < bytes.count: bytes[at] ^= 1 << UInt8(random.below(8))
        case 1 where at < bytes.count: bytes[at] = random.byte()
        case 2: bytes.insert(random.byte(), at: at)
        case 3: bytes.removeSubrange(at..<(at + length))
        case 4: bytes.insert(contentsOf: bytes[at..<(at + length)], at: random.below(bytes.count + 1))
        case 5: bytes.removeSubrange(at...)
        case 6 where !fragments.isEmpty: bytes.insert(contentsOf: random.pick(fragments), at: at)
        case 7 where !fragments.isEmpty: bytes.replaceSubrange(at..<(at + length), with: random.pick(fragments))
        default: bytes.insert(contentsOf: Array(random.number().utf8), at: at)
        }
    }
}
