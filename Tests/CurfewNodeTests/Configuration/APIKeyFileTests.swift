// The file of hashed API keys.

import CurfewNode
import Foundation
import Testing

@Suite("The file of API keys")
struct APIKeyFileTests {
    private static let hash = String(repeating: "ab", count: 32)

    private static func refusal(_ json: String) -> String? {
        do {
            _ = try APIKeyFile(json: Data(json.utf8))
            return nil
        } catch {
            return error.text
        }
    }

    @Test("what is written reads back")
    func roundTrips() throws {
        let file = APIKeyFile(keys: [
            try APIKey(name: "backend", key: "cfk_1", roles: [.issue, .read]),
            try APIKey(name: "ops", key: "cfk_2", roles: [.admin]),
        ])
        #expect(try APIKeyFile(json: Data(file.text.utf8)) == file)
        #expect(!file.text.contains("cfk_"))
    }

    @Test("the hash is the key's SHA-256")
    func hashIsSHA256() throws {
        // FIPS 180-2, B.1.
        let key = try APIKey(name: "a", key: "abc", roles: [.read])
        #expect(key.hash.prefix(4) == [0xBA, 0x78, 0x16, 0xBF])
        #expect(key.hash.count == 32)
    }

    @Test(
        "a wrong entry is named by its place",
        arguments: [
            #"{"name":"b","hash":"sha256:00","roles":["read"]}"#,
            #"{"name":"b","hash":"md5:HASH","roles":["read"]}"#,
            #"{"name":"b","hash":"sha256:HASG","roles":["read"]}"#,
            #"{"name":"b","hash":"sha256:HASH","roles":[]}"#,
            #"{"name":"b","hash":"sha256:HASH","roles":["root"]}"#,
            #"{"name":"b c","hash":"sha256:HASH","roles":["read"]}"#,
            #"{"name":"b","hash":"sha256:HASH","roles":["read"],"note":1}"#,
            #"{"name":"a","hash":"sha256:11SH","roles":["read"]}"#, #"{"hash":"sha256:HASH"}"#, "17",
        ])
    func aWrongEntryIsNamed(entry: String) throws {
        let good = #"{"name":"a","hash":"sha256:"# + String(repeating: "cd", count: 32) + #"","roles":["read"]}"#
        let json = #"{"keys":["# + good + "," + entry.replacingOccurrences(of: "HASH", with: Self.hash) + "]}"
        #expect(try #require(Self.refusal(json)).contains("entry 2"))
    }

    @Test(
        "what is not such a file is refused", arguments: ["", "[]", "{}", #"{"keys":{}}"#, #"{"keys":[],"x":1}"#, "{"])
    func otherFilesAreRefused(json: String) {
        #expect(Self.refusal(json) != nil)
    }

    @Test("no keys at all is a file")
    func emptyIsAFile() throws {
        #expect(try APIKeyFile(json: Data(#"{"keys":[]}"#.utf8)).keys.isEmpty)
    }
}
