// Secrets out of files: whole, without the newline, and only where nobody else reads them.

import Foundation
import TestSupport
import Testing

@testable import CurfewNode

@Suite struct SecretFileTests {
    private static let secret = "0123456789abcdef0123456789abcdef"

    /// A file with this content and mode, for as long as `body` runs.
    private func withFile(_ content: String, mode: Int = 0o600, _ body: (String) throws -> Void) throws {
        let directory = try makePrivateDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let path = directory + "/secret"
        try content.write(toFile: path, atomically: false, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        try body(path)
    }

    private func configuration(_ texts: [String: String]) throws -> NodeConfiguration {
        try NodeConfiguration { texts[$0.name] }
    }

    private func refusal(_ texts: [String: String]) -> SettingError? {
        do throws(SettingError) {
            _ = try NodeConfiguration { setting throws(SettingError) in texts[setting.name] }
            return nil
        } catch { return error }
    }

    @Test("a secret and a key may come from files", arguments: ["", "\n", "\r\n"])
    func files(end: String) throws {
        try withFile(Self.secret + end) { path in
            let configuration = try configuration(["signing-secret-file": path, "api-key-file": path])
            #expect(configuration.signingSecret == Self.secret)
            #expect(configuration.apiKeys.map(\.name) == [APIKey.commandLineName])
            #expect(configuration.apiKeys[0].roles == Set(APIKey.Role.allCases))
        }
    }

    @Test(
        "modes that let others read it, or the group write it, are refused",
        arguments: [0o604, 0o644, 0o620, 0o666, 0o602])
    func modes(mode: Int) throws {
        try withFile(Self.secret, mode: mode) { path in
            let error = refusal(["signing-secret-file": path])
            #expect(error?.setting == "signing-secret-file")
            #expect(error?.expected.hasSuffix("not of mode 0\(String(mode, radix: 8))") == true)
        }
        for mode in [0o400, 0o440, 0o600, 0o640] {
            try withFile(Self.secret, mode: mode) { path in
                let configuration = try configuration(["signing-secret-file": path])
                #expect(configuration.signingSecret == Self.secret)
            }
        }
    }

    @Test("what is no such file is refused, and nothing of it is shown")
    func others() throws {
        for path in ["/nowhere/secret", "/"] {
            #expect(refusal(["signing-secret-file": path]) != nil)
        }
        try withFile(String(repeating: "hunter2", count: 600)) { path in
            let error = refusal(["signing-secret-file": path])
            #expect(error?.expected == "at most 4096 bytes of UTF-8")
            #expect("\(String(describing: error))".contains("hunter2") == false)
        }
        try withFile(Self.secret) { path in
            let error = refusal(["signing-secret": Self.secret, "signing-secret-file": path])
            #expect(error?.expected == "no signing-secret beside it")
            #expect(refusal(["api-key": "k", "api-key-file": path]) != nil)
        }
    }
}
