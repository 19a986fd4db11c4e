// What Prometheus scrapes from real nodes, while sessions come and go.

import TestSupport
import Testing

extension ClusterTests {
    @Suite(
        .serialized,
        .cluster(
            ClusterOptions(
                logLevel: "debug",
                arguments: [
                    "--remember-lifetime", "3s", "--remember-absolute-lifetime", "3s", "--remember-token-lifetime",
                    "3s",
                ])))
    struct Metrics {
        @Test("a revoke that waits, good and bad validations and Redis show in the node's metrics")
        func counted() async throws {
            let cluster = try await SharedCluster.ready()
            let node = cluster.nodes[0]
            let before = try await scrape(node)
            let session = try await node.api.issue(ClusterHarness.newUser())
            for _ in 0..<3 { #expect(try await node.api.validate(session.token).status == 200) }
            var options = RevokeOptions.cluster
            options.reason = "security"
            _ = try await node.api.revoke(["sessionId": .string(session.id)], options)
            #expect(try await node.api.validate(session.token).status == 401)
            let after = try await scrape(node)
            func rise(_ name: String) -> Double { (after[name] ?? -1) - (before[name] ?? -1) }
            #expect(rise("curfew_validations_total{result=\"active\"}") == 3)
            #expect(rise("curfew_validations_total{result=\"session_revoked\"}") == 1)
            #expect(rise("curfew_revocations_total{reason=\"security\"}") == 1)
            #expect(rise("curfew_propagation_seconds_count") == 1)
            #expect(rise("curfew_revocation_entries") >= 1)
            #expect(rise("curfew_redis_command_seconds_count") >= 2)
            #expect(after["curfew_ready"] == 1)
            let staleness = try #require(after["curfew_partition_staleness_seconds{partition=\"0\"}"])
            #expect(staleness < .infinity)
        }

        @Test(
            "a renewal, an end and an expiry are counted once, by the node that did it, with how long the session lived"
        )
        func lives() async throws {
            let cluster = try await SharedCluster.ready()
            let names = [
                "curfew_session_renewals_total", "curfew_session_expirations_total",
                "curfew_session_duration_seconds_count", "curfew_session_duration_seconds_sum",
            ]
            func totals() async throws -> [Double] {
                var sums = Array(repeating: 0.0, count: names.count)
                for node in cluster.nodes {
                    let values = try await scrape(node)
                    for (index, name) in names.enumerated() { sums[index] += values[name] ?? 0 }
                }
                return sums
            }
            func rise(since before: [Double]) async throws -> [Double] { zip(try await totals(), before).map(-) }
            let (first, second) = (cluster.nodes[0], cluster.nodes[1])
            var before = try await totals()
            let user = ClusterHarness.newUser()
            let login = try await first.api.call(
                "POST", "/v1/issue", body: ["userId": .string(user), "kind": "api"])
            let used: JSON = ["refreshToken": login.json["refreshToken"]]
            for node in cluster.nodes {
                let answer = try await node.api.call("POST", "/v1/refresh", on: .public, body: used)
                #expect(answer.status == 200, "\(answer.everything)")
            }
            #expect(try await rise(since: before)[...1] == [1, 0], "the same use again within the grace is no renewal")
            for _ in 0..<2 { _ = try await second.api.revoke(["sessionId": login.json["sessionId"]], .cluster) }
            #expect(try await rise(since: before)[...2] == [1, 0, 1], "what has ended does not end again")
            before = try await totals()
            _ = try await first.api.call("POST", "/v1/issue", body: ["userId": .string(user), "kind": "remember"])
            try await eventually(deadline: .seconds(30), "the session has expired", every: .milliseconds(200)) {
                try await rise(since: before)[1] >= 1
            }
            let rise = try await rise(since: before)
            #expect(rise[...2] == [0, 1, 1] && rise[3] >= 3, "\(rise)")
        }

        @Test("every node counts the cluster's live sessions alike, and a session that was ended no more")
        func census() async throws {
            let cluster = try await SharedCluster.ready()
            let user = ClusterHarness.newUser()
            func active(_ node: NodeProcess) async throws -> Double? {
                try await scrape(node)["curfew_sessions_active"]
            }
            for _ in 0..<5 { _ = try await cluster.nodes[0].api.issue(user) }
            try await eventually(deadline: .seconds(20), "all nodes count alike", every: .milliseconds(200)) {
                let counts = try await [active(cluster.nodes[0]), active(cluster.nodes[1]), active(cluster.nodes[2])]
                return counts.allSatisfy { $0 == counts[0] && ($0 ?? 0) >= 5 }
            }
            let full = try #require(try await active(cluster.nodes[1]))
            _ = try await cluster.nodes[2].api.revoke(["userId": .string(user)], .cluster)
            try await eventually(deadline: .seconds(20), "they are gone", every: .milliseconds(200)) {
                (try await active(cluster.nodes[1]) ?? full) <= full - 5
            }
        }

        @Test("a node that loses Redis says so in its metrics, and its log names the trace of who was turned away")
        func outage() async throws {
            let cluster = try await SharedCluster.ready()
            let node = cluster.nodes[2]
            let session = try await node.api.issue(ClusterHarness.newUser())
            let before = try await scrape(node)
            try await cluster.proxies[2].refuse()
            try await cluster.proxies[2].dropAll()
            let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
            try await eventually("validate is 503") {
                let headers = [
                    ("Authorization", "Bearer \(session.token)"), ("traceparent", "00-\(trace)-00f067aa0ba902b7-01"),
                ]
                return try await node.api.call("GET", "/v1/validate", on: .public, headers: headers).status == 503
            }
            let during = try await scrape(node)
            try await cluster.proxies[2].accept()
            func rise(_ name: String, _ later: [String: Double]) -> Double {
                (later[name] ?? -1) - (before[name] ?? -1)
            }
            #expect(during["curfew_ready"] == 0)
            #expect((during.filter { $0.key.hasPrefix("curfew_partition_staleness") }.values.max() ?? 0) > 1)
            #expect(rise("curfew_problems_total{code=\"revocation_state_stale\"}", during) >= 1)
            #expect(rise("curfew_validations_total{result=\"unavailable\"}", during) >= 1)
            #expect(rise("curfew_redis_errors_total{kind=\"unavailable\"}", during) >= 1)
            let line = try #require(node.log.split(separator: "\n").last { $0.contains("trace_id=\(trace)") })
            #expect(line.contains("span_id=00f067aa0ba902b7") && line.contains("code=revocation_state_stale"))
            #expect(!node.log.contains(session.token))
            try await eventually("it is connected again, and ready") {
                let after = try await scrape(node)
                return after["curfew_ready"] == 1 && rise("curfew_redis_reconnects_total", after) >= 1
            }
        }

        @Test("metrics are the admin listener's, and need a key")
        func access() async throws {
            let node = try await SharedCluster.ready().nodes[0]
            let head = "GET /metrics HTTP/1.1\r\nHost: curfew\r\nConnection: close\r\n\r\n"
            #expect(try await node.api.exchange(Array(head.utf8), on: .admin).status == 401)
            #expect(try await node.api.exchange(Array(head.utf8), on: .public).status == 404)
        }
    }
}
