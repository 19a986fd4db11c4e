// Platforms told from what browsers really send.

import Testing

@testable import CurfewNode

@Suite("Platforms") struct PlatformTests {
    @Test(
        "are told from the user agent",
        arguments: [
            ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148", "ios"),
            ("Mozilla/5.0 (iPad; CPU OS 17_6 like Mac OS X) AppleWebKit/605.1.15", "ios"),
            ("Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/131.0.0.0 Mobile", "android"),
            ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0", "windows"),
            ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 Chrome/131.0.0.0", "macos"),
            ("Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 Chrome/131.0.0.0", "chromeos"),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0", "linux"),
            ("curl/8.5.0", nil), ("", nil),
        ] as [(String, String?)])
    func platforms(userAgent: String, platform: String?) { #expect(Platform.named(inUserAgent: userAgent) == platform) }

    @Test("what the request says counts, whatever the user agent says")
    func request() throws {
        func platform(_ json: String) throws -> String? {
            try IssueRequest(json: Array(json.utf8)).details.devicePlatform
        }
        let agent = "\"userAgent\":\"Mozilla/5.0 (Windows NT 10.0)\""
        #expect(try platform("{\"userId\":\"u\",\(agent)}") == "windows")
        #expect(try platform("{\"userId\":\"u\",\(agent),\"device\":{\"platform\":\"wine\"}}") == "wine")
        #expect(try platform("{\"userId\":\"u\",\(agent),\"device\":{\"name\":\"PC\"}}") == "windows")
        #expect(try platform("{\"userId\":\"u\"}") == nil)
    }
}
