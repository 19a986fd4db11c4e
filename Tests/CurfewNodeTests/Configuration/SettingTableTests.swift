// The table of settings keeps its promises to `--help`, the environment and the documentation.

import CurfewNode
import Testing

@Suite("The table of settings")
struct SettingTableTests {
    @Test("every setting has a sentence and a default", arguments: Setting.all.map(\.name))
    func everySettingHasASentenceAndADefault(name: String) throws {
        let setting = try #require(Setting.all.first { $0.name == name })
        #expect(setting.sentence.hasSuffix("."))
        #expect(setting.sentence.first?.isUppercase == true)
        #expect(setting.sentence.count > 20)
        #expect(!setting.defaultText.isEmpty)
        #expect(setting.form?.isEmpty != true)
    }

    @Test("a name is lower case with dashes, and used once")
    func namesAreUniqueAndPlain() {
        let names = Setting.all.map(\.name)
        #expect(Set(names).count == names.count)
        for name in names {
            #expect(name.allSatisfy { $0.isLowercase || $0 == "-" })
        }
    }

    @Test("the environment has the same names")
    func environmentNames() throws {
        let setting = try #require(Setting.all.first { $0.name == "staleness-bound" })
        #expect(setting.environmentName == "CURFEW_STALENESS_BOUND")
    }

    @Test("the default that the table prints is the default that a node has")
    func printedDefaultsAreTheDefaults() throws {
        let words: Set = ["none", "none, must be given", "the system's authorities", "one a core"]
        let untouched = NodeConfiguration()
        let spelledOut = try NodeConfiguration { setting in
            words.contains(setting.defaultText) ? nil : setting.defaultText
        }
        #expect(String(describing: spelledOut) == String(describing: untouched))
    }

    @Test("a secret never shows, a URL shows without its password")
    func secretsAreMasked() throws {
        let secret = try #require(Setting.all.first { $0.name == "signing-secret" })
        #expect(!secret.shown("hunter2-hunter2").contains("hunter2"))
        let redis = try #require(Setting.all.first { $0.name == "redis" })
        #expect(!redis.shown("redis://user:hunter2@host").contains("hunter2"))
    }
}
