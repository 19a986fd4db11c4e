// Times of one kind, and how they are reported: nearest-rank percentiles in microseconds.

/// Collects durations.
public struct Times {
    private var microseconds: [Double] = []

    public init() {}

    public var count: Int { microseconds.count }

    public mutating func add(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        microseconds.append(Double(seconds) * 1e6 + Double(attoseconds) / 1e12)
    }

    /// The least time that at least this share of all is not above; 0 where there is none.
    public func percentile(_ share: Double) -> Double {
        guard !microseconds.isEmpty else { return 0 }
        let rank = Int((share * Double(microseconds.count)).rounded(.up))
        return microseconds.sorted()[min(max(rank, 1), microseconds.count) - 1]
    }

    /// `{"count":…,"p50":…,"p99":…,"max":…}`, to a tenth of a microsecond.
    public var json: String {
        func rounded(_ share: Double) -> Double { (percentile(share) * 10).rounded() / 10 }
        return "{\"count\":\(count),\"p50\":\(rounded(0.5)),\"p90\":\(rounded(0.9)),\"p99\":\(rounded(0.99)),"
            + "\"max\":\(rounded(1))}"
    }
}
