// One time series: a count, a value that is set, or a histogram. Updates are atomic and take no lock; a reader may see a histogram's
// sum a moment before its count, as Prometheus allows.

import CoreMetrics
import Synchronization

/// A number with a fraction that only atomics touch.
final class AtomicDouble: Sendable {
    private let bits = Atomic<UInt64>(0)

    var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }

    func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }

    func add(_ amount: Double) {
        var known = bits.load(ordering: .relaxed)
        while true {
            let sum = (Double(bitPattern: known) + amount).bitPattern
            let (isExchanged, found) = bits.weakCompareExchange(expected: known, desired: sum, ordering: .relaxed)
            if isExchanged { return }
            known = found
        }
    }
}

/// A counter of whole numbers.
final class PrometheusCounter: CounterHandler {
    let count = StripedCounter()

    /// A counter never falls: what is negative is passed over.
    func increment(by amount: Int64) { if amount > 0 { count.add(Int(amount)) } }
    /// Nothing: a counter starts anew with its process only.
    func reset() {}
}

/// A gauge.
final class PrometheusGauge: MeterHandler {
    private let number = AtomicDouble()
    var value: Double { number.value }

    func set(_ value: Int64) { number.set(Double(value)) }
    func set(_ value: Double) { number.set(value) }
    func increment(by amount: Double) { number.add(amount) }
    func decrement(by amount: Double) { number.add(-amount) }
}

/// A histogram. Whatever is no number is passed over.
final class PrometheusHistogram: RecorderHandler {
    /// Upper bounds, rising, without +Inf.
    let bounds: [Double]
    private let counts: [StripedCounter]
    private let total = AtomicDouble()

    init(bounds: [Double]) {
        self.bounds = bounds
        counts = (0...bounds.count).map { _ in StripedCounter() }
    }

    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        guard value.isFinite else { return }
        counts[bounds.firstIndex { value <= $0 } ?? bounds.count].add()
        total.add(value)
    }

    var sum: Double { total.value }

    /// How many were at most each bound; the last is all of them.
    var cumulative: [Int] {
        var sum = 0
        return counts.map { count in
            sum += count.value
            return sum
        }
    }
}
