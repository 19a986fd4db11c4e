// A key that is taken out of its file is refused while the node runs; a file that can't be used changes nothing.

import Foundation
import Logging
import TestSupport
import Testing

@testable import CurfewNode

@Suite("Files that are read again")
struct FileReloaderTests {
    private func text(_ keys: [String]) -> String {
        let entries = keys.map { key in
            let hash = APIKey.hash(ofKey: key).map { byte in
                let digits = String(byte, radix: 16)
                return byte < 16 ? "0" + digits : digits
            }.joined()
            return "{\"name\":\"\(key)\",\"hash\":\"sha256:\(hash)\",\"roles\":[\"read\"]}"
        }
        return "{\"keys\":[\(entries.joined(separator: ","))]}"
    }

    @Test("is read again when it changes, and the key of the command line stays")
    func reload() async throws {
        let directory = try makePrivateDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let path = directory + "/keys.json"
        func write(_ text: String) throws { try text.write(toFile: path, atomically: true, encoding: .utf8) }
        try write(text(["one", "two"]))
        let fixed = APIKey(name: APIKey.commandLineName, hash: APIKey.hash(ofKey: "fixed"), roles: [.admin])
        let keys = APIKeys([fixed] + (try APIKeyFile.load(path: path).keys))
        func knows(_ key: String) -> Bool { keys.owner(of: Array(key.utf8)) != nil }
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let reloader = FileReloader([.apiKeys(path, fixed: [fixed], into: keys)], logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await reloader.run() }
            #expect(knows("one") && knows("two") && knows("fixed"))
            // Written until it is seen: the reloader may take its first look after the first change.
            try await eventually("the key that was taken out is refused") {
                try write(text(["two", "three-\(UInt8.random(in: 0 ... .max))"]))
                return !knows("one")
            }
            #expect(knows("two") && knows("fixed"))
            try write("{\"keys\":")
            try await eventually("a usable file is read again after one that was not") {
                #expect(knows("fixed"))
                try write(text(["four", "five-\(UInt8.random(in: 0 ... .max))"]))
                return knows("four") && !knows("two")
            }
            group.cancelAll()
        }
    }
}
