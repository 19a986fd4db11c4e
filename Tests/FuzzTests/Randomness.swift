// Randomness from a seed, and the questions that generators of inputs put to it.

import TestSupport

struct Randomness: RandomNumberGenerator {
    private var generator: SeededGenerator

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    /// The one of an iteration: no need to walk through those before it.
    init(seed: UInt64, iteration: Int) {
        self.init(seed: seed &* 0x2545_f491_4f6c_dd1d ^ UInt64(iteration))
        generator = SeededGenerator(seed: next())
    }

    /// The one that belongs to an input, so that how it is cut up follows from its bytes (FNV-1a).
    init(of input: [UInt8]) {
        self.init(seed: input.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 })
    }

    mutating func next() -> UInt64 { generator.next() }

    /// 0..<bound.
    mutating func below(_ bound: Int) -> Int { Int(truncatingIfNeeded: next() % UInt64(bound)) }

    mutating func isOne(in count: Int) -> Bool { below(count) == 0 }

    mutating func pick<Element>(_ choices: [Element]) -> Element { choices[below(choices.count)] }

    mutating func byte() -> UInt8 { UInt8(truncatingIfNeeded: next()) }

    mutating func bytes(upTo count: Int) -> [UInt8] { (0..<below(count + 1)).map { _ in byte() } }
}

extension Randomness {
    /// Numbers at which something may overflow, wrap or change its length.
    mutating func number() -> String {
        pick([
            "0", "1", "-1", "7", "00", "01", "+1", " 1", "9", "10", "255", "256", "1023", "1024", "65535", "65536",
            "2147483647", "2147483648", "4294967295", "4294967296", "9007199254740993", "253402300800",
            "9223372036854775807", "9223372036854775808", "-9223372036854775808", "18446744073709551615",
            "18446744073709551616", "99999999999999999999999", "1e3", "1.5", "0x10", "1_000", "", "\u{661}",
            String(below(2_000_000_000)),
        ])
    }

    /// Words that need care somewhere: quotes, separators, other scripts, looks of one letter in two spellings.
    mutating func word() -> String {
        let plain = pick([
            "u_42", "a", "", "phone", "acme", "docs:read", "u\"1", "back\\slash", "a,b", "a\tb", "a\nb", "é",
            "e\u{301}", "\u{212A}", "\u{80}", "\u{9f}", "\u{0}", "\u{7f}", "\u{1F600}", "\u{FEFF}x", "\u{2028}",
            "{1}", "a:b", "a b", "%41", "%", "-", "*", "\u{301}x", "null", "true",
        ])
        return isOne(in: 20) ? String(repeating: plain, count: 1 + below(130)) : plain
    }

    /// A word that every rule for ids takes.
    mutating func identifier() -> String {
        pick(["u_42", "a", "phone", "u\"1", "back\\slash", "é", "e\u{301}", "\u{1F600}", "a b", "a/b"])
            + String(below(100))
    }
}
