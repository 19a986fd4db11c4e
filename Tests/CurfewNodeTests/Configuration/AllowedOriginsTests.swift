// Which texts are origins as browsers write them.

import Testing

@testable import CurfewNode

@Suite struct AllowedOriginsTests {
    @Test(
        "takes what a browser would send",
        arguments: [
            "none", "https://app.example.org", "https://a.example, https://b.example:8443", "http://localhost:3000",
            "http://127.0.0.1:8080", "http://[::1]:8080", "https://[2001:db8::1]", "http://app.localhost",
        ])
    func takes(text: String) { #expect(AllowedOrigins(text) != nil) }

    @Test(
        "refuses what no browser sends, and what anybody on the way could read",
        arguments: [
            "", "*", "null", "app.example.org", "https://", "https://App.example.org", "https://app.example.org/",
            "https://app.example.org/path", "https://app.example.org:443", "http://localhost:80",
            "https://a.example:0443",
            "https://a.example:99999", "https://a.example:", "http://app.example.org", "ftp://app.example.org",
            "https://user@app.example.org", "https://*.example.org", "https://a.example,", "https://a b.example",
            "https://[x]", "https://[::1", "HTTPS://a.example", "http://127.evil.example",
        ])
    func refuses(text: String) { #expect(AllowedOrigins(text) == nil) }

    @Test("has a bound")
    func bound() {
        func list(_ count: Int) -> String { (0..<count).map { "https://a\($0).example" }.joined(separator: ",") }
        #expect(AllowedOrigins(list(100)) != nil && AllowedOrigins(list(101)) == nil)
    }
}
