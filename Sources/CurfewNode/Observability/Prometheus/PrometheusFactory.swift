// A metrics factory for swift-metrics that keeps what it makes and prints it for Prometheus. Handed to whoever measures, never the
// process's global one: tests and the simulation have several nodes in one process. Its lock is taken when a series is made or read,
// never when one is counted.

import CoreMetrics
import Synchronization

/// Families and their series. What is over a bound is counted under `other`, and a family over its bound is not kept.
final class PrometheusFactory: MetricsFactory {
    static let maximumFamilies = 128
    /// Series of one family, that of `other` included.
    static let maximumSeries = 64
    /// What a label says past the bound.
    static let other = "other"

    /// What is known of a family before it has a series.
    struct Definition: Sendable {
        let name: String
        let help: String
        /// Upper bounds of a histogram's buckets.
        var buckets: [Double] = []
    }

    private enum Series {
        case counter(PrometheusCounter)
        case gauge(PrometheusGauge)
        case histogram(PrometheusHistogram)

        var type: String {
            switch self {
            case .counter: "counter"
            case .gauge: "gauge"
            case .histogram: "histogram"
            }
        }
    }

    private struct Family {
        /// By their labels as text, which is the order that they are printed in.
        var series: [String: (labels: [PrometheusText.Label], series: Series)] = [:]
    }

    private let definitions: [String: Definition]
    private let families = Mutex<[String: Family]>([:])
    /// Of `Timer`s and recorders that nobody defined, in seconds.
    static let defaultBuckets = [0.001, 0.01, 0.1, 1, 10]

    init(_ definitions: [Definition]) {
        self.definitions = Dictionary(definitions.map { ($0.name, $0) }) { first, _ in first }
    }

    private func series(
        _ name: String, _ dimensions: [(String, String)], make: () -> Series
    ) -> Series {
        families.withLock { families in
            guard families[name] != nil || families.count < Self.maximumFamilies else { return make() }
            var family = families[name] ?? Family()
            var labels = dimensions.map { (name: $0.0, value: $0.1) }
            if let known = family.series[Self.key(labels)] { return known.series }
            if family.series.count >= Self.maximumSeries - 1, !labels.isEmpty {
                labels = labels.map { ($0.name, Self.other) }
                if let known = family.series[Self.key(labels)] { return known.series }
            }
            let made = make()
            family.series[Self.key(labels)] = (labels, made)
            families[name] = family
            return made
        }
    }

    private static func key(_ labels: [PrometheusText.Label]) -> String {
        labels.map { "\($0.name)\u{0}\($0.value)" }.joined(separator: "\u{1}")
    }

    func counter(_ name: String, _ dimensions: [(String, String)] = []) -> PrometheusCounter {
        if case .counter(let known) = series(name, dimensions, make: { .counter(PrometheusCounter()) }) { return known }
        // The name is another type's: counted, and not printed.
        return PrometheusCounter()
    }

    func gauge(_ name: String, _ dimensions: [(String, String)] = []) -> PrometheusGauge {
        if case .gauge(let known) = series(name, dimensions, make: { .gauge(PrometheusGauge()) }) { return known }
        return PrometheusGauge()
    }

    func histogram(_ name: String, _ dimensions: [(String, String)] = []) -> PrometheusHistogram {
        let buckets = definitions[name]?.buckets ?? []
        let bounds = buckets.isEmpty ? Self.defaultBuckets : buckets
        let found = series(name, dimensions) { .histogram(PrometheusHistogram(bounds: bounds)) }
        if case .histogram(let known) = found { return known }
        return PrometheusHistogram(bounds: bounds)
    }

    /// Every family in the order of names.
    func write(to text: inout PrometheusText) {
        let families = families.withLock(\.self)
        for (name, family) in families.sorted(by: { $0.key < $1.key }) {
            let all = family.series.sorted { $0.key < $1.key }.map(\.value)
            guard let first = all.first else { continue }
            text.family(name, first.series.type, help: definitions[name]?.help ?? "")
            for (labels, series) in all {
                switch series {
                case .counter(let counter): text.sample(name, labels, Double(counter.count.value))
                case .gauge(let gauge): text.sample(name, labels, gauge.value)
                case .histogram(let histogram): text.histogram(name, labels, histogram)
                }
            }
        }
    }
}

extension PrometheusFactory {
    func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler { counter(label, dimensions) }
    func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler { gauge(label, dimensions) }
    func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        PrometheusTimer(histogram: histogram(label, dimensions))
    }

    func makeFloatingPointCounter(label: String, dimensions: [(String, String)]) -> any FloatingPointCounterHandler {
        WholeCounter(counter: counter(label, dimensions))
    }

    func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        aggregate ? histogram(label, dimensions) : GaugeRecorder(gauge: gauge(label, dimensions))
    }

    // A series stays: Prometheus would take one that comes again for a restart.
    func destroyCounter(_ handler: any CounterHandler) {}
    func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
    func destroyMeter(_ handler: any MeterHandler) {}
    func destroyRecorder(_ handler: any RecorderHandler) {}
    func destroyTimer(_ handler: any TimerHandler) {}
}

/// Nanoseconds in, seconds kept.
private final class PrometheusTimer: TimerHandler {
    let histogram: PrometheusHistogram
    init(histogram: PrometheusHistogram) { self.histogram = histogram }
    func recordNanoseconds(_ duration: Int64) { histogram.record(Double(duration) / 1e9) }
}

/// The last value.
private final class GaugeRecorder: RecorderHandler {
    let gauge: PrometheusGauge
    init(gauge: PrometheusGauge) { self.gauge = gauge }
    func record(_ value: Int64) { gauge.set(value) }
    func record(_ value: Double) { gauge.set(value) }
}

/// Counts whole steps; nothing here counts in fractions.
private final class WholeCounter: FloatingPointCounterHandler {
    let counter: PrometheusCounter
    init(counter: PrometheusCounter) { self.counter = counter }
    func increment(by amount: Double) {
        if let whole = Int64(exactly: amount.rounded()) { counter.increment(by: whole) }
    }
    func reset() {}
}
