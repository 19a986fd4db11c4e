// What is sealed opens again under the same name and key, and in no other way.

import Testing

@testable import CurfewCore

@Suite("What only the nodes may read") struct SealedBoxTests {
    private static let now = WallTime(seconds: 1_790_000_000)

    private func ring(_ secrets: [UInt8]...) throws -> KeyRing {
        let keys = try secrets.map { try SigningKey.derived(fromSecret: $0) }
        return try #require(KeyRing(keys, issuer: "curfew", audience: "curfew"))
    }

    @Test("opens under its name, with an older key too, and is never the same twice", arguments: [0, 1, 16, 5000])
    func opens(count: Int) throws {
        let (old, new) = ([UInt8](1...32), [UInt8](2...40))
        let text = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 7) }
        let sealed = try ring(old).sealed(text, name: "a", at: Self.now)
        #expect(try ring(old).opened(sealed, name: "a") == text)
        #expect(try ring(new, old).opened(sealed, name: "a") == text)
        #expect(try ring(new).opened(sealed, name: "a") == nil)
        #expect(try ring(old).opened(sealed, name: "b") == nil)
        #expect(try ring(old).sealed(text, name: "a", at: Self.now) != sealed)
        #expect(sealed.count == count + 28)
    }

    @Test("is refused with any bit changed, or cut anywhere")
    func tampered() throws {
        let ring = try ring([UInt8](1...32))
        let sealed = ring.sealed(Array("a token, for example".utf8), name: "a", at: Self.now)
        for bit in 0..<(sealed.count * 8) {
            var changed = sealed
            changed[bit / 8] ^= 1 << (bit % 8)
            #expect(ring.opened(changed, name: "a") == nil)
        }
        for end in 0..<sealed.count { #expect(ring.opened(Array(sealed[..<end]), name: "a") == nil) }
    }

    @Test("the code of a body is the same each time, and another with another key")
    func bodies() throws {
        let (one, other) = (try ring([UInt8](1...32)), try ring([UInt8](2...40)))
        func code(_ ring: KeyRing, _ body: String) -> String { ring.code(ofBody: body, at: Self.now) }
        #expect(code(one, "a") == code(one, "a"))
        #expect(code(one, "a") != code(one, "b"))
        #expect(code(one, "a") != code(other, "a"))
        #expect(one.isCode(code(one, "a"), ofBody: "a") && !one.isCode(code(one, "a"), ofBody: "b"))
        let both = try ring([UInt8](2...40), [UInt8](1...32))
        #expect(both.isCode(code(one, "a"), ofBody: "a") && !other.isCode(code(one, "a"), ofBody: "a"))
    }
}
