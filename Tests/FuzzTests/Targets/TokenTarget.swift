// Tokens: whole ones, bent ones, and ones that the real key signed around a payload or header that nobody would write.
// What verify takes must be signed (checked with the tests' own SHA-256), say the same to every reader, and be writable
// again.

import Foundation
import TestSupport

@testable import CurfewCore
@testable import CurfewNode

struct TokenTarget: FuzzTarget {
    private static let secrets = [
        "k1": "a secret of at least 32 bytes, newer", "k0": "a secret of at least 32 bytes, older",
    ]
    private static let payload = Mutation([
        "\"", "\\", "\\u0041", "\\ud83d\\ude00", "\\ud800", "\\u0000", "{", "}", "[", "]", ",", ":", " ", "\n", "\u{0}",
        "\"sub\":\"x\",", ",\"sid\":\"ses_\"", "\"nbf\":1,", "\"x\":[[[[[[[[1]]]]]]]],", "\"x\":{\"y\":null},", "null",
        "true",
        "-0", "1e5", "\"iss\":\"curfew\"", "\"aud\":\"curfew\",", "\"prm\":[\"a\",\"b\"]",
        ",\"fpr\":\"AAAAAAAAAAAAAAAAAAAAAA\"", "[\"a\\/b\" , \"c\"]", "é",
    ])
    private static let header = Mutation([
        "\"", "\\u004b", "{", "}", ",", " ", "\"alg\":\"none\"", "\"crit\":[]", "\"jku\":\"x\",", "\"kid\":\"k0\"",
        "k0", "none",
        "\"b64\":false,", "\"x\":1,",
    ])
    private static let text = Mutation([".", "..", "=", "+", "/", "-", "_", "A", "\n", "eyJ"])

    private let keys: [SigningKey]
    private let ring: KeyRing
    private let table: PartitionTable
    private let scratch: GuardedMemory
    private let room: GuardedMemory

    init() throws {
        keys = try Self.secrets.sorted { $0.key > $1.key }.map {
            try SigningKey(id: $0.key, secret: Array($0.value.utf8))
        }
        guard let ring = KeyRing([keys[1], keys[0]], issuer: "curfew", audience: "curfew"),
            let count = PartitionCount(4)
        else { throw Finding("no key ring") }
        self.ring = ring
        table = PartitionTable(count: count, bounds: FeedBounds(staleness: .seconds(3600)))
        scratch = try GuardedMemory(byteCount: KeyRing.scratchBytes)
        room = try GuardedMemory(byteCount: 64 * 1024)
    }

    // MARK: Inputs

    func input(_ random: inout Randomness) -> [UInt8] {
        switch random.below(8) {
        case 0: return random.bytes(upTo: 200)
        case 1: return Self.text.applied(to: sign(header(&random), claims(&random), &random), &random)
        case 2: return sign(Self.header.applied(to: header(&random), &random), claims(&random), &random)
        case 3:
            let claims = claims(&random)
            return Array(sign(header(&random), claims, &random).prefix(5000))
        default: return sign(header(&random), Self.payload.applied(to: claims(&random), &random), &random)
        }
    }

    private func header(_ random: inout Randomness) -> [UInt8] {
        Array(#"{"alg":"HS256","typ":"session+jwt","kid":"\#(random.pick(["k1", "k1", "k1", "k0", "kx"]))"}"#.utf8)
    }

    /// A payload in the ring's own order or another one, with values that are mostly right.
    private func claims(_ random: inout Randomness) -> [UInt8] {
        let user = random.identifier()
        let partition = Partition(UInt16(random.below(4)))
        let session = SessionID(partition: partition, high: random.next(), low: random.next())
        func value(_ right: String, _ random: inout Randomness) -> String {
            random.isOne(in: 12) ? random.pick([Self.quoted(random.word()), random.number(), "[]", "null"]) : right
        }
        var members: [(String, String)] = [
            ("iss", "\"curfew\""), ("aud", "\"curfew\""), ("sub", Self.quoted(user)), ("sid", "\"\(session)\""),
            ("iat", "\(random.below(1 << 40))"), ("exp", "\(random.pick(["9223372036854775807", "1900000000", "1"]))"),
            ("knd", "\"\(random.pick(["web", "remember", "api"]))\""), ("stp", "\(random.below(1 << 50))"),
        ]
        if random.isOne(in: 2) { members.append(("did", Self.quoted(random.identifier()))) }
        if random.isOne(in: 2) { members.append(("ten", Self.quoted(random.identifier()))) }
        let names = (0..<random.pick([0, 1, 3, 100])).map { "\"docs:\($0)\"" }
        members += [("prm", "[\(names.joined(separator: ","))]"), ("prv", "\(random.below(9))")]
        if random.isOne(in: 4) { members.shuffle(using: &random) }
        let texts = members.map { "\"\($0.0)\":\(value($0.1, &random))" }
        return Array(("{" + texts.joined(separator: ",") + "}").utf8)
    }

    static func quoted(_ text: String) -> String {
        var bytes: [UInt8] = []
        JSONWriter.escape(text, into: &bytes)
        return "\"" + String(decoding: bytes, as: UTF8.self) + "\""
    }

    private func sign(_ header: [UInt8], _ payload: [UInt8], _ random: inout Randomness) -> [UInt8] {
        var token: [UInt8] = []
        CurfewCore.Base64URL.encode(header, to: &token)
        token.append(UInt8(ascii: "."))
        CurfewCore.Base64URL.encode(payload, to: &token)
        let code = random.pick([keys[0], keys[0], keys[0], keys[1]]).signer.signature(of: token)
        token.append(UInt8(ascii: "."))
        CurfewCore.Base64URL.encode(code, to: &token)
        return token
    }

    // MARK: What must hold

    func check(_ input: [UInt8]) throws {
        guard input.count <= room.memory.count else { return }
        let token = room.placing(input)
        let verdict = ring.verdict(
            on: token, table: table, boot: BootTime(nanoseconds: 0), wall: WallTime(seconds: 1_800_000_000),
            scratch: scratch.memory)
        switch (
            ring.verify(token, scratch: scratch.memory), Result { () throws(TokenRefusal) in try ring.decode(input) }
        ) {
        case (.failure(let first), .failure(let second)):
            try demand(first == second, "verify says \(first), decode \(second)")
            guard case .refused(first) = verdict else { throw Finding("verify says \(first), verdict \(verdict)") }
        case (.success, .success(let claims)):
            if case .refused(.signatureInvalid) = verdict { throw Finding("verify takes it, verdict does not") }
            try checkSignature(of: input)
            try checkPayload(of: input, says: claims)
            try checkRewriting(claims)
        case (.success, .failure(let refusal)): throw Finding("verify takes it, decode says \(refusal)")
        case (.failure(let refusal), .success): throw Finding("decode takes it, verify says \(refusal)")
        }
    }

    private func parts(of token: [UInt8]) throws -> [String] {
        let parts = String(decoding: token, as: UTF8.self).split(separator: ".", omittingEmptySubsequences: false)
        try demand(parts.count == 3, "a token of \(parts.count) parts was taken")
        return parts.map(String.init)
    }

    private func checkSignature(of token: [UInt8]) throws {
        let parts = try parts(of: token)
        let signatures = Self.secrets.values.compactMap { secret in
            TokenForge(token: "e30.e30.e30", secret: secret)?.signSegments(parts[0] + "." + parts[1])
        }
        try demand(signatures.contains(parts.joined(separator: ".")), "no key signed what was taken")
    }

    /// The other JSON reader must find the same.
    private func checkPayload(of token: [UInt8], says claims: Claims) throws {
        guard let payload = TestSupport.Base64URL.decode(try parts(of: token)[1]) else { throw Finding("no base64url") }
        let parsed: Result<JSONValue, JSONError> = payload.withUnsafeBytes { bytes in
            Result { () throws(JSONError) in try JSONParser.parse(bytes) }
        }
        // It counts the digits of a number, and takes two spellings of a name for one.
        let stricter = ["a number with too many digits", "a member appears twice"]
        guard case .success(.object(let members)) = parsed else {
            if case .failure(let error) = parsed, stricter.contains(error.reason) { return }
            throw Finding("taken, but to the other reader: \(parsed)")
        }
        func text(_ name: String) -> JSONValue? { members.first { $0.name == name }?.value }
        try demand(text("iss") == .string("curfew") && text("aud") == .string("curfew"), "a foreign token was taken")
        try demand(text("sub") == .string(claims.user.text), "sub is read in two ways")
        try demand(text("sid") == .string(claims.session.description), "sid is read in two ways")
        try demand(text("did") == claims.device.map { .string($0.text) }, "did is read in two ways")
        try demand(text("ten") == claims.tenant.map { .string($0.text) }, "ten is read in two ways")
        try demand(text("exp") == .number("\(claims.expiresAt.seconds)"), "exp is read in two ways")
        try demand(text("stp") == .number("\(claims.stamp.microseconds)"), "stp is read in two ways")
        try demand(text("prm") == .array(claims.permissions.names.map { .string($0) }), "prm is read in two ways")
    }

    private func checkRewriting(_ claims: Claims) throws {
        let token: [UInt8]
        do {
            token = try ring.encode(claims)
        } catch TokenEncodingError.tooLarge {
            // Escapes that are shorter than what they are written as again.
            return
        }
        try demand(try ring.decode(token) == claims, "encoded and decoded, the claims are others")
    }
}
