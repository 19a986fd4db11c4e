// Addresses to listen on.

import CurfewNode
import Testing

@Suite("Addresses to listen on")
struct ListenAddressTests {
    @Test(
        "host and port are read and printed",
        arguments: ["127.0.0.1:8080", "0.0.0.0:80", "[::1]:8080", "localhost:0", "node-1.internal:65535"])
    func roundTrips(text: String) throws {
        #expect(try #require(ListenAddress(setting: text)).description == text)
    }

    @Test(
        "anything else is refused",
        arguments: [
            "", "8080", ":8080", "host", "host:", "host:-1", "host:65536", "::1:80", "[::1]", "[host]:1", "a b:1",
            "http://h:1",
        ])
    func refusesAnythingElse(text: String) {
        #expect(ListenAddress(setting: text) == nil)
    }

    @Test(
        "loopback is what can't be reached from elsewhere",
        arguments: ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1"])
    func loopback(text: String) throws {
        #expect(try #require(ListenAddress(setting: text)).isLoopback)
    }

    @Test(
        "everything else is not loopback",
        arguments: ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "example.org:1", "127.example.org:1"])
    func notLoopback(text: String) throws {
        #expect(try !#require(ListenAddress(setting: text)).isLoopback)
    }
}
