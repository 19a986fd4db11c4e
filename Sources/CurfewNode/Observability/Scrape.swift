// What a scrape answers: the counts as they stand, and what is read from the node at that moment. One visit a partition, whatever is in
// it: a million tombstones cost no more than one.

import CurfewCore
import CurfewRedis
import Synchronization

extension SessionService {
    var metrics: NodeMetrics { driver.metrics }

    /// The text format of Prometheus, version 0.0.4.
    package func metricsText() -> String {
        var text = PrometheusText()
        writePartitions(to: &text)
        writeCensus(to: &text)
        text.gauge(.eventStreams, Double(driver.streams.count))
        text.gauge(.auditDropped, Double((driver.audit?.dropped ?? 0) + (driver.auditStream?.dropped ?? 0)))
        text.gauge(.ready, readiness().isReady ? 1 : 0)
        metrics.factory.write(to: &text)
        return text.text
    }

    private func writePartitions(to text: inout PrometheusText) {
        let now = clock.boot()
        var entries = 0
        text.head(of: .partitionStaleness)
        for partition in count.all {
            let (freshAsOf, held) = table.withPartition(partition) {
                ($0.feed.freshAsOf, $0.state.sessionCount + $0.state.subjectCount)
            }
            entries += held
            let age = freshAsOf == .distantPast ? Double.infinity : max(0, (now - freshAsOf) / .seconds(1))
            text.sample(Metric.partitionStaleness.rawValue, [("partition", "\(partition.index)")], age)
        }
        text.gauge(.revocationEntries, Double(entries))
    }

    private func writeCensus(to text: inout PrometheusText) {
        guard let census = metrics.census.withLock(\.self),
            surroundings.uptime - census.at <= FeedDriver.longestCensusAge
        else { return }
        text.gauge(.sessionsActive, Double(census.count))
    }
}

extension PrometheusText {
    mutating func head(of metric: Metric) { family(metric.rawValue, metric.kind.rawValue, help: metric.help) }

    mutating func gauge(_ metric: Metric, _ value: Double) {
        head(of: metric)
        sample(metric.rawValue, value)
    }

    mutating func sample(_ name: String, _ value: Double) { sample(name, [], value) }
}

extension FeedDriver {
    /// Between two counts of the live sessions.
    static let censusInterval = Duration.seconds(5)
    /// An older count is not told any more.
    static let longestCensusAge = Duration.seconds(60)

    /// Counts the live sessions of the cluster until cancelled.
    func countSessions() async {
        repeat {
            if let count = await liveSessions() { metrics.census.withLock { $0 = (count, surroundings.uptime) } }
        } while (try? await surroundings.sleep(for: Self.censusInterval)) != nil
    }

    /// Those in the queues of what is due, which every issue enters, and every end leaves; `nil` where one can't be read.
    private func liveSessions() async -> Int? {
        let now = RedisArgument("\(clock.wall().seconds)")
        var sum = 0
        for partition in partitions {
            guard let client = primary(of: partition)?.client,
                let reply = try? await client.send(
                    RedisCommand("ZCOUNT", [RedisArgument(calls.keys.due(partition)), now, "+inf"])),
                let count = try? reply.integer(for: "ZCOUNT")
            else { return nil }
            sum += Int(count)
        }
        return sum
    }
}
