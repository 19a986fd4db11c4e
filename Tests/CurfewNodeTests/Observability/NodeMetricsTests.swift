// What a node counts, by a clock of the test's own, and what it tells of itself.

import CurfewCore
import CurfewRedis
import Foundation
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import CurfewNode

@Suite("Metrics of a node") struct NodeMetricsTests {
    private static let start: Int64 = 1_800_000_000

    private func lines(_ metrics: NodeMetrics) -> Set<Substring> {
        var text = PrometheusText()
        metrics.factory.write(to: &text)
        return Set(text.text.split(separator: "\n"))
    }

    private func parts() throws -> NodeParts {
        var configuration = NodeConfiguration()
        configuration.signingSecret = "a secret of this test, 32 bytes and more"
        let surroundings = SystemSurroundings(eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        return NodeParts(
            configuration: configuration, nodeID: NodeID(random: 1), count: try configuration.partitionCount(),
            keyRing: try configuration.keyRing(), surroundings: surroundings, clock: NodeClock(surroundings),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    }

    @Test("after a scripted hour renewals, failed logins, expirations and durations are right")
    func hour() throws {
        let parts = try parts()
        for minute: Int64 in 0..<60 {
            let now = WallTime(seconds: Self.start + minute * 60)
            func record(_ event: AuditEntry.Event, createdAgo: Int64? = nil) {
                var entry = AuditEntry(event, at: now)
                entry.createdAt = createdAgo.map { WallTime(seconds: now.seconds - $0) }
                parts.service.record(entry)
            }
            record(.sessionCreated)
            record(.sessionRenewed)
            if minute % 2 == 0 { record(.authenticationFailed) }
            if minute % 6 == 0 { record(.sessionExpired, createdAgo: 43_200) }
            if minute % 10 == 0 { record(.sessionTerminated, createdAgo: 60) }
            if minute == 30 { record(.sessionTerminated, createdAgo: -5) }
            record(.sessionRotated, createdAgo: 9)
            record(.sessionTerminated)
        }
        let lines = lines(parts.service.metrics)
        for line in [
            "curfew_session_renewals_total 60", "curfew_authentication_failures_total 30",
            "curfew_session_expirations_total 10", "curfew_session_duration_seconds_bucket{le=\"60\"} 7",
            "curfew_session_duration_seconds_bucket{le=\"14400\"} 7",
            "curfew_session_duration_seconds_bucket{le=\"43200\"} 17",
            "curfew_session_duration_seconds_bucket{le=\"+Inf\"} 17", "curfew_session_duration_seconds_count 17",
            "curfew_session_duration_seconds_sum \(10 * 43_200 + 6 * 60)",
        ] { #expect(lines.contains(line[...]), "\(line)") }
    }

    @Test("a reason that callers make up is other")
    func reasons() {
        let metrics = NodeMetrics()
        for reason in ["logout", "logout", "it was tuesday", "\"} 1\nevil 1", ""] {
            metrics.countRevocation(reason: reason)
        }
        let lines = lines(metrics)
        #expect(lines.contains("curfew_revocations_total{reason=\"logout\"} 2"))
        #expect(lines.contains("curfew_revocations_total{reason=\"other\"} 3"))
        #expect(lines.filter { $0.hasPrefix("curfew_revocations_total") }.count == NodeMetrics.reasons.count + 1)
    }

    @Test(
        "the fast path counts every verdict, times one of 64 good ones, and leaves what it does not answer to the slow path"
    )
    func fastPath() throws {
        let fixture = try FastPathFixture()
        let (alive, ended) = (try fixture.claims(user: "alive"), try fixture.claims(user: "ended"))
        fixture.revoke(ended.session)
        // The two share an id unless their users' partitions differ.
        let token = try fixture.ring.encode(try #require(ended.session == alive.session ? nil : alive))
        for _ in 0..<128 { _ = try fixture.answer(token: token) }
        for _ in 0..<3 { _ = try fixture.answer(token: try fixture.ring.encode(ended)) }
        _ = try fixture.answer(token: Array("x".utf8))
        _ = try fixture.answer("GET /v1/validate HTTP/1.1\r\nHost: a\r\n\r\n")
        let lines = lines(fixture.metrics)
        for (result, count) in [("active", 128), ("session_revoked", 3), ("token_malformed", 1), ("token_missing", 1)] {
            #expect(lines.contains("curfew_validations_total{result=\"\(result)\"} \(count)"), "\(result)")
        }
        let timed = try #require(lines.first { $0.hasPrefix("curfew_validation_seconds_count") })
        #expect(timed == "curfew_validation_seconds_count 2")

        let stale = try FastPathFixture(isFresh: false)
        #expect(try stale.answer(token: try stale.ring.encode(alive)) == nil)
        #expect(self.lines(stale.metrics).contains("curfew_validations_total{result=\"active\"} 0"))
    }

    @Test("a scrape has every metric of the table but the census, which was not made yet, and each help and type once")
    func complete() throws {
        let service = try parts().service
        let text = service.metricsText()
        for metric in Metric.allCases {
            let head = "# HELP \(metric.rawValue) \(metric.help)\n# TYPE \(metric.rawValue) \(metric.kind.rawValue)\n"
            let count = text.ranges(of: head).count
            #expect(count == (metric == .sessionsActive ? 0 : 1), "\(metric.rawValue)")
        }
        #expect(text.contains("curfew_partition_staleness_seconds{partition=\"0\"} +Inf\n"))
        #expect(text.contains("\ncurfew_ready 0\n"))
        service.metrics.census.withLock { $0 = (7, service.surroundings.uptime) }
        #expect(service.metricsText().contains("\ncurfew_sessions_active 7\n"))
        service.metrics.census.withLock { $0 = (7, service.surroundings.uptime - .seconds(61)) }
        #expect(!service.metricsText().contains("curfew_sessions_active"), "an old count is no count")
    }

    @Test("the operators' table is the registry's")
    func documented() throws {
        let path = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../docs/operations.md")
        let documentation = try String(contentsOf: path, encoding: .utf8)
        for metric in Metric.allCases {
            let name = metric.rawValue + (metric.label.map { "{\($0)}" } ?? "")
            #expect(documentation.contains("| `\(name)` | \(metric.kind.rawValue) |"), "\(name)")
        }
        let rows = documentation.split(separator: "\n").filter { $0.hasPrefix("| `curfew_") }
        #expect(rows.count == Metric.allCases.count)
    }

    /// Prints what a scrape takes; `CURFEW_TOMBSTONES=1000000` measures. A few are enough to see that they are counted.
    @Test("a scrape counts tombstones without visiting them")
    func tombstones() throws {
        let service = try parts().service
        let number = ProcessInfo.processInfo.environment["CURFEW_TOMBSTONES"].flatMap { Int($0) } ?? 1_000
        let partitions = service.count.all
        for index in 0..<number {
            let partition = partitions[index % partitions.count]
            let id = SessionID(
                partition: partition, high: UInt64(index) &* 0x9E37_79B9_7F4A_7C15, low: UInt64(index + 1))
            service.table.withPartition(partition) {
                _ = $0.state.apply(.sessions([id]), until: WallTime(seconds: 4_000_000_000), partition: partition)
            }
        }
        #expect(service.metricsText().contains("\ncurfew_revocation_entries \(number)\n"))
        guard number > 1_000 else { return }
        let times = (0..<50).map { _ in ContinuousClock().measure { _ = service.metricsText() } }.sorted()
        print("scrape with \(number) tombstones: median \(times[25]), worst \(times[49])")
    }
}
