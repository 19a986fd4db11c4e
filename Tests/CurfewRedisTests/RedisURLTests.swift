// Addresses: what is accepted, what is refused, and that no text made from one holds the password.

import Foundation
import TestSupport
import Testing

@testable import CurfewRedis

@Suite struct RedisURLTests {
    struct Accepted: Sendable, CustomTestStringConvertible {
        var url: String
        var endpoint: RedisAddress.Endpoint
        var user: String?
        var password: String?
        var database = 0
        var description: String
        var testDescription: String { url }
    }

    static let accepted: [Accepted] = [
        Accepted(
            url: "redis://localhost", endpoint: .tcp(host: "localhost", port: 6379),
            description: "redis://localhost:6379/0"),
        Accepted(
            url: "REDIS://h:1/", endpoint: .tcp(host: "h", port: 1), description: "redis://h:1/0"),
        Accepted(
            url: "redis://10.0.0.1:7000/15", endpoint: .tcp(host: "10.0.0.1", port: 7000), database: 15,
            description: "redis://10.0.0.1:7000/15"),
        Accepted(
            url: "redis://[::1]:7000/2", endpoint: .tcp(host: "::1", port: 7000), database: 2,
            description: "redis://[::1]:7000/2"),
        Accepted(
            url: "redis://[fe80::1]", endpoint: .tcp(host: "fe80::1", port: 6379),
            description: "redis://[fe80::1]:6379/0"),
        Accepted(
            url: "redis://:s3cret@h", endpoint: .tcp(host: "h", port: 6379), password: "s3cret",
            description: "redis://:***@h:6379/0"),
        Accepted(
            url: "redis://ann:s3cret@h:1/1", endpoint: .tcp(host: "h", port: 1), user: "ann", password: "s3cret",
            database: 1,
            description: "redis://ann:***@h:1/1"),
        Accepted(
            url: "redis://a%40b:p%2F%3a%25@h", endpoint: .tcp(host: "h", port: 6379), user: "a@b", password: "p/:%",
            description: "redis://a@b:***@h:6379/0"),
        Accepted(
            url: "redis://ann:@h", endpoint: .tcp(host: "h", port: 6379), user: "ann", password: "",
            description: "redis://ann:***@h:6379/0"),
        Accepted(
            url: "redis://ann:p@ss@h", endpoint: .tcp(host: "h", port: 6379), user: "ann", password: "p@ss",
            description: "redis://ann:***@h:6379/0"),
        Accepted(
            url: "redis+unix:///run/redis.sock", endpoint: .unix(path: "/run/redis.sock"),
            description: "redis+unix:///run/redis.sock?db=0"),
        Accepted(
            url: "redis+unix:///run/a%20b.sock?db=3", endpoint: .unix(path: "/run/a b.sock"), database: 3,
            description: "redis+unix:///run/a b.sock?db=3"),
        Accepted(
            url: "redis+unix://ann:s3cret@/r.sock", endpoint: .unix(path: "/r.sock"), user: "ann", password: "s3cret",
            description: "redis+unix://ann:***@/r.sock?db=0"),
    ]

    @Test("an address says the same as its URL, without the password", arguments: accepted)
    func accepts(_ expected: Accepted) throws {
        let address = try RedisAddress(url: expected.url)
        #expect(address.endpoint == expected.endpoint)
        #expect(address.user == expected.user)
        #expect(address.password == expected.password)
        #expect(address.database == expected.database)
        #expect(address.description == expected.description)
        #expect(address.tls == nil)
    }

    static let refused = [
        "", "s3cret", "localhost:6379", "http://:s3cret@h", "redis://", "redis:///0", "redis://:s3cret@", "redis://h:0",
        "redis://h:65536", "redis://h:", "redis://h:s3cret", "redis://h:+1", "redis://h/s3cret", "redis://h/-1",
        "redis://h/65536", "redis://h/0/s3cret", "redis://h?db=0", "redis://h/0?db=s3cret", "redis://h#s3cret",
        "redis://s3cret@h", "redis://:@h", "redis://:s3cret%@h", "redis://:s3cret%zz@h", "redis://:s3cret%ff@h",
        "redis://:s3cret%00@h", "redis://ann:s3/cret@h", "redis://ann:s3cret @h", "redis://ann:s3cret\u{e9}@h",
        "redis://[::1", "redis://[::1]7000", "redis://[h]:1", "redis://::1", "redis://h,s3cret", "redis+unix://",
        "redis+unix:///", "redis+unix://s3cret/path", "redis+unix:///p?db=", "redis+unix:///p?db=s3cret",
        "redis+unix:///p?password=s3cret", "redis+unix:///p%0", "rediss+unix:///p", "unix:///p",
    ]

    @Test("what is not a Redis URL is refused with the expected forms and none of its text", arguments: refused)
    func refuses(_ url: String) throws {
        let error = try #require(throws: RedisAddressError.self) { try RedisAddress(url: url) }
        #expect(error.description.contains("redis+unix://"))
        #expect(!error.description.contains("s3"))
        #expect(!error.description.contains("cret"))
    }

    @Test("a URL in any state can be shown with its secret masked")
    func masks() {
        #expect(RedisAddress.masked("redis://h:1/2") == "redis://h:1/2")
        #expect(RedisAddress.masked("redis://ann:s3/cr@et@h:x") == "redis://***@h:x")
        #expect(RedisAddress.masked("s3cret@h") == "***@h")
        // A mark that joins the sign before it: found by hostile input.
        for mark in ["\u{6E1}", "\u{301}", "\u{200D}", "\u{FE0F}"] {
            #expect(!RedisAddress.masked("http://:s3cret@\(mark)a").contains("s3cret"))
            #expect(!RedisAddress.masked("redis://h:1/2?\(mark)s3cret").contains("s3cret"))
            let url = "redis://ann:s3cret@\(mark)h:1"
            #expect((try? RedisAddress(url: url)).map { $0.password == "s3cret" } ?? true)
        }
        #expect(RedisAddress.masked("redis://ann:s3cr?et@h:1") == "redis://***")
        #expect(RedisAddress.masked("redis:s3cret://x@h:1") == "***@h:1")
        #expect(RedisAddress.masked("redis+unix:///r.sock?db=1&password=s3cret") == "redis+unix:///r.sock?***")
        #expect(RedisAddress.masked("redis+unix:///r.sock?db=1") == "redis+unix:///r.sock?db=1")
    }

    @Test("authorities are checked when the address is made")
    func authorities() throws {
        let directory = try makePrivateDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let certificates = try TestCertificates(in: directory)
        #expect(try RedisAddress(url: "rediss://h", certificateAuthorities: certificates.authority).tls != nil)
        #expect(try RedisAddress(url: "rediss://h").tls != nil)
        #expect(throws: RedisAddressError.self) {
            try RedisAddress(url: "redis://h", certificateAuthorities: certificates.authority)
        }
        for path in [directory + "/missing.pem", certificates.key, directory] {
            let error = try #require(throws: RedisAddressError.self) {
                try RedisAddress(url: "rediss://:s3cret@h", certificateAuthorities: path)
            }
            #expect(error.description.contains(path))
            #expect(!error.description.contains("s3cret"))
        }
    }
}
