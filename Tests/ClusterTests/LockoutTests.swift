// Failed logins that the application reports: counted for all nodes together, and past a limit nobody logs in until the window has slid.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite(
        .cluster(
            ClusterOptions(arguments: [
                "--authentication-failure-limit-user", "3/4s", "--authentication-failure-limit-address", "4/4s",
            ])))
    struct Lockouts {
        private func report(_ body: [String: JSON], on node: NodeProcess) async throws -> HTTPAnswer {
            try await node.api.call("POST", "/v1/authentication-failures", body: .object(body))
        }

        private func login(_ user: String, on node: NodeProcess, _ more: [String: JSON] = [:]) async throws
            -> HTTPAnswer
        {
            try await node.api.call(
                "POST", "/v1/issue", body: .object(["userId": .string(user)].merging(more) { $1 }))
        }

        private func newAddress() -> String {
            "10.\(UInt8.random(in: .min ... .max)).\(UInt8.random(in: .min ... .max)).\(UInt8.random(in: .min ... .max))"
        }

        @Test(
            "the failures of a user count on all nodes together; the last one locks the user out, until the window slides"
        )
        func ofUser() async throws {
            let cluster = try await SharedCluster.ready()
            let user = ClusterHarness.newUser()
            for number in 1...3 {
                let answer = try await report(["userId": .string(user)], on: cluster.nodes[number % 3])
                #expect(answer.status == 200)
                #expect(answer.json["failures"].int == number)
                #expect(answer.json["locked"].bool == (number == 3))
                let wait = try #require(answer.json["retryAfterSeconds"].int)
                #expect(number == 3 ? (1...4).contains(wait) : wait == 0)
            }
            for node in cluster.nodes {
                let answer = try await login(user, on: node)
                #expect(answer.status == 429 && answer.code == "rate_limited", "\(answer.everything)")
                let seconds = try #require(answer.header("retry-after").flatMap { Int($0) })
                #expect((1...4).contains(seconds))
                #expect(answer.header("ratelimit-policy") == "\"authentication-failures-user\";q=3;w=4")
            }
            #expect(try await login(user, on: cluster.nodes[1], ["afterLockout": true]).status == 201)
            #expect(try await login(ClusterHarness.newUser(), on: cluster.nodes[0]).status == 201)
            // Who guesses on does not lock out for longer, and takes no memory.
            let further = try await report(["userId": .string(user)], on: cluster.nodes[0])
            #expect(further.json["failures"].int == 3 && further.json["locked"].bool == true)
            try await eventually("the user may log in again") {
                try await login(user, on: cluster.nodes[2]).status == 201
            }
            try await eventually("the counter is gone") {
                try cluster.redis.call(["KEYS", "*:fu:\(user)"]).isEmpty
            }
        }

        @Test("an address is locked out for every user, however it is written; a user without one is not")
        func fromAddress() async throws {
            let cluster = try await SharedCluster.ready()
            let address = newAddress()
            for number in 1...4 {
                let written = number.isMultiple(of: 2) ? address : "::ffff:\(address)"
                let answer = try await report(["ipAddress": .string(written)], on: cluster.nodes[number % 3])
                #expect(answer.json["failures"].int == number)
                #expect(answer.json["locked"].bool == (number == 4))
            }
            let user = ClusterHarness.newUser()
            let refused = try await login(user, on: cluster.nodes[0], ["ipAddress": .string(address)])
            #expect(refused.status == 429)
            #expect(refused.header("ratelimit-policy") == "\"authentication-failures-address\";q=4;w=4")
            #expect(try await login(user, on: cluster.nodes[0]).status == 201)
            #expect(try await login(user, on: cluster.nodes[0], ["ipAddress": .string(newAddress())]).status == 201)
            // Of both, the user's is told.
            let both = try await report(
                ["userId": .string(user), "ipAddress": .string(address)], on: cluster.nodes[1])
            #expect(both.json["failures"].int == 1 && both.json["locked"].bool == false)
        }

        @Test("addresses of one IPv6 network of 64 bits are one")
        func network() async throws {
            let cluster = try await SharedCluster.ready()
            let prefix =
                "2001:db8:\(String(UInt16.random(in: 1...0xFFFF), radix: 16)):\(String(UInt16.random(in: 1...0xFFFF), radix: 16))"
            for number in 1...4 {
                let answer = try await report(["ipAddress": .string("\(prefix)::\(number)")], on: cluster.nodes[0])
                #expect(answer.json["failures"].int == number)
            }
            let user = ClusterHarness.newUser()
            let same = try await login(user, on: cluster.nodes[1], ["ipAddress": .string("\(prefix):ffff::1")])
            #expect(same.status == 429)
        }

        @Test("a failure is audited and counted once, and the one that locks is a signal")
        func recorded() async throws {
            let cluster = try await SharedCluster.ready()
            let user = ClusterHarness.newUser()
            for _ in 0..<4 {
                _ = try await report(
                    ["userId": .string(user), "deviceId": "phone", "userAgent": "curl \"x\""], on: cluster.nodes[0])
            }
            func lines(_ event: String) -> [String] {
                cluster.nodes[0].log.split(separator: "\n").map(String.init)
                    .filter { $0.contains("\"\(event)\"") && $0.contains(user) }
            }
            try await eventually("four failures are audited") { lines("authentication.failed").count == 4 }
            #expect(lines("authentication.failed").allSatisfy { $0.contains(#""userAgent":"curl \"x\"""#) })
            try await eventually("one of them was the last of a burst") { lines("session.suspicious").count == 1 }
            #expect(lines("session.suspicious")[0].contains(#""signal":"authentication_burst""#))
            #expect(try await scrape(cluster.nodes[0])["curfew_authentication_failures_total"] ?? 0 >= 4)
        }

        @Test("what is no failed login is refused, and counts nothing")
        func badInput() async throws {
            let node = try await SharedCluster.ready().nodes[0]
            let rows: [([String: JSON], String)] = [
                ([:], "malformed_request"), (["deviceId": "phone"], "malformed_request"),
                (["userId": 5], "malformed_request"), (["userId": ""], "value_out_of_range"),
                (["ipAddress": .string(String(repeating: "1", count: 65))], "value_out_of_range"),
                (["ipAddress": ""], "value_out_of_range"), (["ipAddress": "198.51.100.7:40001"], "value_out_of_range"),
                (["ipAddress": "[2001:db8::1]"], "value_out_of_range"), (["ipAddress": "bogus"], "value_out_of_range"),
                (["userId": "u", "password": "x"], "unknown_field"),
                (["userId": "u", "userAgent": "a\nb"], "value_out_of_range"),
            ]
            for (body, code) in rows {
                let answer = try await report(body, on: node)
                #expect(answer.status == 400 && answer.code == code, "\(body): \(answer.everything)")
            }
            #expect(try await node.api.call("GET", "/v1/authentication-failures").status == 405)
            let off = try await login(ClusterHarness.newUser(), on: node, ["afterLockout": "yes"])
            #expect(off.code == "malformed_request")
        }
    }
}
