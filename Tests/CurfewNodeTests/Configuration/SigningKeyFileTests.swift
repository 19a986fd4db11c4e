// The file of signing keys: what is taken, what is refused and how that is said, what a rotation takes out, and that a running node
// takes over what it has.

import CurfewCore
import Foundation
import Logging
import TestSupport
import Testing

@testable import CurfewNode

@Suite("The file of signing keys")
struct SigningKeyFileTests {
    private static let secret = "0123456789abcdef0123456789abcdef"

    private static func entry(_ id: String, activeFrom: Int64 = 0) -> SigningKeyFile.Entry {
        .init(id: id, algorithm: .hs256, activeFrom: WallTime(seconds: activeFrom), secret: secret)
    }

    private static func file(_ entries: [SigningKeyFile.Entry]) -> SigningKeyFile {
        var file = SigningKeyFile(entry: entries[0])
        file.entries = entries
        return file
    }

    @Test("what is written is read again, for every algorithm")
    func roundTrip() throws {
        let file = Self.file(
            SigningAlgorithm.allCases.enumerated().map { index, algorithm in
                SigningKeyFile.Entry(
                    id: "k\(index)", algorithm: algorithm, activeFrom: WallTime(seconds: 1_790_000_000 + Int64(index)),
                    secret: Self.secret)
            })
        let again = try SigningKeyFile(json: file.text)
        #expect(again == file)
        #expect(try again.keys().map(\.algorithm) == SigningAlgorithm.allCases)
        #expect(try again.keys().map(\.activeFrom.seconds) == [1_790_000_000, 1_790_000_001, 1_790_000_002])
        let seconds = #"{"keys":[{"kid":"a","alg":"HS256","activeFrom":17,"secret":"\#(Self.secret)"}]}"#
        #expect(try SigningKeyFile(json: seconds).entries[0].activeFrom == WallTime(seconds: 17))
    }

    @Test(
        "what is wrong is said, with the entry, and without the secret",
        arguments: [
            ("", "a JSON object"), ("[]", "a JSON object"), (#"{"keys":[],"more":1}"#, "a JSON object"),
            (#"{"keys":[]}"#, "1 to 32 keys"), (#"{"keys":[17]}"#, "an object with kid"),
            (#"{"keys":[{"alg":"HS256","secret":"S"}]}"#, "a kid of 1 to 64"),
            (#"{"keys":[{"kid":"a b","alg":"HS256","secret":"S"}]}"#, "a kid of 1 to 64"),
            (#"{"keys":[{"kid":"a","alg":"none","secret":"S"}]}"#, "an alg of HS256, EdDSA, ES256 in entry 1 (a)"),
            (#"{"keys":[{"kid":"a","alg":"RS256","privateKey":"S"}]}"#, "an alg of HS256, EdDSA, ES256"),
            (#"{"keys":[{"kid":"a","alg":"HS256","privateKey":"S"}]}"#, "a secret for HS256"),
            (#"{"keys":[{"kid":"a","alg":"EdDSA","secret":"S"}]}"#, "a privateKey for EdDSA"),
            (#"{"keys":[{"kid":"a","alg":"HS256","secret":"S","extra":1}]}"#, "only kid, alg, activeFrom and secret"),
            (#"{"keys":[{"kid":"a","alg":"HS256","secret":"hunter2"}]}"#, "a secret of at least 32 bytes"),
            (#"{"keys":[{"kid":"a","alg":"ES256","privateKey":"hunter2"}]}"#, "PKCS #8 PEM"),
            (#"{"keys":[{"kid":"a","alg":"HS256","activeFrom":"soon","secret":"S"}]}"#, "an activeFrom such as"),
            (#"{"keys":[{"kid":"a","alg":"HS256","activeFrom":-1,"secret":"S"}]}"#, "an activeFrom such as"),
            (#"{"keys":[{"kid":"a","alg":"HS256","activeFrom":1.5,"secret":"S"}]}"#, "an activeFrom such as"),
            (
                #"{"keys":[{"kid":"a","alg":"HS256","secret":"S"},{"kid":"a","alg":"HS256","secret":"S"}]}"#,
                "a kid used once in entry 2 (a)"
            ),
        ])
    func refused(json: String, expected: String) throws {
        let error = #expect(throws: Setting.Expectation.self) {
            try SigningKeyFile(json: json.replacing("\"S\"", with: "\"\(Self.secret)\""))
        }
        let text = try #require(error).text
        #expect(text.contains(expected))
        #expect(!text.contains("hunter2") && !text.contains(Self.secret))
    }

    @Test("one key for another algorithm is refused")
    func otherAlgorithm() throws {
        let pem = try #require(NewPrivateKey.pem(.eddsa)).replacing("\n", with: "\\n")
        let json = #"{"keys":[{"kid":"a","alg":"ES256","privateKey":"\#(pem)"}]}"#
        let error = #expect(throws: Setting.Expectation.self) { try SigningKeyFile(json: json) }
        #expect(error?.text == "a privateKey of P-256 for ES256 in entry 1 (a)")
    }

    @Test("a file that others can read is refused", arguments: [0o604, 0o644, 0o620, 0o666])
    func permissions(mode: Int) throws {
        let directory = try makePrivateDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let path = directory + "/keys.json"
        try Self.file([Self.entry("a")]).text.write(toFile: path, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        let error = #expect(throws: Setting.Expectation.self) { try SigningKeyFile.load(path: path) }
        #expect(try #require(error).text.contains("others can't read"))
        for good in [0o600, 0o400, 0o440] {
            try FileManager.default.setAttributes([.posixPermissions: good], ofItemAtPath: path)
            #expect(try SigningKeyFile.load(path: path).entries.map(\.id) == ["a"])
        }
    }

    @Test("keys go once a younger one has been active for the longest session, and an hour; the signing one never")
    func pruning() {
        let day: Int64 = 86_400
        let now = WallTime(seconds: 1000 * day)
        func left(_ starts: [Int64]) -> [String] {
            var file = Self.file(starts.map { Self.entry("d\($0)", activeFrom: $0 * day) })
            let pruned = file.prune(at: now, longestSession: .seconds(30 * day))
            #expect(Set(pruned).isDisjoint(with: file.entries.map(\.id)))
            #expect(pruned.count + file.entries.count == starts.count)
            return file.entries.map(\.id)
        }
        #expect(left([0]) == ["d0"])
        #expect(left([0, 970]) == ["d0", "d970"])
        #expect(left([0, 969]) == ["d969"])
        #expect(left([0, 500, 969, 980, 1001]) == ["d969", "d980", "d1001"])
        #expect(left([1001, 0]) == ["d1001", "d0"])
    }

    @Test("a node takes over what the file has, a broken one changes nothing")
    func reload() async throws {
        let directory = try makePrivateDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let path = directory + "/keys.json"
        func write(_ text: String) throws {
            try text.write(toFile: path + ".new", atomically: false, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path + ".new")
            rename(path + ".new", path)
        }
        try write(Self.file([Self.entry("a")]).text)
        let current = CurrentKeyRing(
            try #require(KeyRing(try SigningKeyFile.load(path: path).keys(), issuer: "i", audience: "a")))
        let copy = CurrentKeyRing.Copy(of: current)
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let file = ReloadedFile.signingKeys(path, into: current, clock: NodeClock())
        let reloader = FileReloader([file], logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await reloader.run() }
            try write(Self.file([Self.entry("a"), Self.entry("b", activeFrom: 7)]).text)
            try await eventually("the new key is there") { current.value.keyIDs == ["b", "a"] }
            #expect(!copy.isCurrent(of: current) && copy.ring.keyIDs == ["a"])
            #expect(CurrentKeyRing.Copy(of: current).isCurrent(of: current))
            try write("{\"keys\":[]}")
            try await eventually("a usable file is read again after one that was not") {
                #expect(!current.value.keyIDs.isEmpty && current.value.keyIDs != ["a"])
                try write(Self.file([Self.entry("b"), Self.entry("c-\(UInt8.random(in: 0 ... .max))")]).text)
                return current.value.keyIDs.contains { $0.hasPrefix("c-") }
            }
            group.cancelAll()
        }
    }
}
