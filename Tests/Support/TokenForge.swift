// Tokens that no node would make: signed correctly with the cluster's secret around anything at all, or spoilt in one place.
// Has its own SHA-256 (FIPS 180-4), so that what the node verifies is not checked against itself.

/// Makes tokens out of a real one.
package struct TokenForge: Sendable {
    /// The JOSE header and the claims of the real token, as text.
    package let header: String
    package let claims: String
    private let secret: [UInt8]

    /// `nil` when `token` is not three segments of base64url.
    package init?(token: String, secret: String) {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let header = Base64URL.decode(parts[0]), let claims = Base64URL.decode(parts[1]) else {
            return nil
        }
        self.header = String(decoding: header, as: UTF8.self)
        self.claims = String(decoding: claims, as: UTF8.self)
        self.secret = Array(secret.utf8)
    }

    /// A token with a correct HS256 signature over whatever is given; what is not given is the real token's.
    package func sign(header: String? = nil, claims: String? = nil) -> String {
        sign(header: Array((header ?? self.header).utf8), claims: Array((claims ?? self.claims).utf8))
    }

    package func sign(header: [UInt8], claims: [UInt8]) -> String {
        signSegments(Base64URL.encode(header) + "." + Base64URL.encode(claims))
    }

    /// A correct signature over segments that are given as they are.
    package func signSegments(_ segments: String) -> String {
        segments + "." + Base64URL.encode(SHA256.authenticate(Array(segments.utf8), key: secret))
    }

    /// The real claims with one piece of text replaced.
    package func replacing(_ text: String, with other: String) -> String {
        sign(claims: claims.replacing(text, with: other))
    }

    /// The real claims with one member's value replaced (by JSON text), or the member left out.
    package func changing(_ name: String, to value: String?) -> String {
        sign(claims: Self.changing(name, to: value, in: claims))
    }

    /// The real header with one member's value replaced, or the member left out.
    package func changingHeader(_ name: String, to value: String?) -> String {
        sign(header: Self.changing(name, to: value, in: header))
    }

    /// Adds a member in front of the real claims or header.
    package func addingClaim(_ member: String) -> String { sign(claims: "{" + member + "," + claims.dropFirst()) }
    package func addingHeader(_ member: String) -> String { sign(header: "{" + member + "," + header.dropFirst()) }

    /// The same token with one bit of its signature changed.
    package static func flippingSignature(of token: String) -> String {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, var signature = Base64URL.decode(parts[2]), !signature.isEmpty else { return token }
        signature[0] ^= 1
        return "\(parts[0]).\(parts[1]).\(Base64URL.encode(signature))"
    }

    private static func changing(_ name: String, to value: String?, in text: String) -> String {
        guard let object = JSON(Array(text.utf8)) else { return text }
        let members = object.members.filter { $0.key != name }.map { "\"\($0.key)\":\($0.value.text)" }
        let changed = members + (value.map { ["\"\(name)\":\($0)"] } ?? [])
        return "{" + changed.joined(separator: ",") + "}"
    }
}

/// RFC 4648 section 5, without padding.
package enum Base64URL {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    package static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            count += 8
            while count >= 6 {
                count -= 6
                text.append(alphabet[Int(bits >> UInt32(count) & 63)])
            }
            bits &= 0xff
        }
        if count > 0 { text.append(alphabet[Int(bits << UInt32(6 - count) & 63)]) }
        return String(decoding: text, as: UTF8.self)
    }

    package static func decode(_ text: some StringProtocol) -> [UInt8]? {
        var bytes: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for character in text.utf8 {
            guard let value = alphabet.firstIndex(of: character) else { return nil }
            bits = (bits << 6 | UInt32(value)) & 0xffff
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return bytes
    }
}

/// SHA-256 and HMAC over it (RFC 2104), plain and slow.
enum SHA256 {
    static func authenticate(_ message: [UInt8], key: [UInt8]) -> [UInt8] {
        var block = key.count > 64 ? hash(key) : key
        block += [UInt8](repeating: 0, count: 64 - block.count)
        return hash(block.map { $0 ^ 0x5c } + hash(block.map { $0 ^ 0x36 } + message))
    }

    static func hash(_ message: [UInt8]) -> [UInt8] {
        var padded = message + [0x80]
        while padded.count % 64 != 56 { padded.append(0) }
        padded += (0..<8).map { UInt8(truncatingIfNeeded: UInt64(message.count * 8) >> UInt64(56 - 8 * $0)) }
        var state = firstState
        for start in stride(from: 0, to: padded.count, by: 64) { compress(&state, padded[start..<start + 64]) }
        return state.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> UInt32(24 - 8 * $0)) } }
    }

    private static func compress(_ state: inout [UInt32], _ block: ArraySlice<UInt8>) {
        var words = (0..<16).map { index in
            (0..<4).reduce(UInt32(0)) { $0 << 8 | UInt32(block[block.startIndex + index * 4 + $1]) }
        }
        for index in 16..<64 {
            let (a, b) = (words[index - 15], words[index - 2])
            let low = turn(a, 7) ^ turn(a, 18) ^ a >> 3
            let high = turn(b, 17) ^ turn(b, 19) ^ b >> 10
            words.append(words[index - 16] &+ low &+ words[index - 7] &+ high)
        }
        var s = state
        for index in 0..<64 {
            let mixed = turn(s[4], 6) ^ turn(s[4], 11) ^ turn(s[4], 25)
            let choice = (s[4] & s[5]) ^ (~s[4] & s[6])
            let first = s[7] &+ mixed &+ choice &+ constants[index] &+ words[index]
            let majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2])
            let second = (turn(s[0], 2) ^ turn(s[0], 13) ^ turn(s[0], 22)) &+ majority
            s = [first &+ second, s[0], s[1], s[2], s[3] &+ first, s[4], s[5], s[6]]
        }
        for index in 0..<8 { state[index] = state[index] &+ s[index] }
    }

    private static func turn(_ word: UInt32, _ count: UInt32) -> UInt32 { word >> count | word << (32 - count) }

    /// The first 32 bits of the fractional parts of the square and cube roots of the first primes.
    private static let primes = (2...311).filter { number in !(2..<number).contains { number % $0 == 0 } }
    private static let firstState = primes.prefix(8).map { fraction(ofRoot: 2, of: $0) }
    private static let constants = primes.prefix(64).map { fraction(ofRoot: 3, of: $0) }

    /// floor(2^32 × root(n)) mod 2^32, by bisection in whole numbers.
    private static func fraction(ofRoot degree: Int, of number: Int) -> UInt32 {
        var low: UInt64 = 0
        var high: UInt64 = 1 << 38
        while high - low > 1 {
            let middle = (low + high) / 2
            if isPower(middle, degree: degree, atMost: number) { low = middle } else { high = middle }
        }
        return UInt32(truncatingIfNeeded: low)
    }

    /// Whether middle^degree ≤ number × 2^(32 × degree).
    private static func isPower(_ base: UInt64, degree: Int, atMost number: Int) -> Bool {
        let wide = UInt128(base)
        let power = degree == 2 ? wide * wide : wide * wide * wide
        return power <= UInt128(number) << UInt128(32 * degree)
    }
}
