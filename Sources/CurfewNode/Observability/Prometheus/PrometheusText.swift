// The text format of Prometheus, version 0.0.4: HELP and TYPE once a family, then its series. Names are ours and valid; helps and
// label values are escaped as the format says.

/// Writes one exposition.
struct PrometheusText {
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"
    typealias Label = (name: String, value: String)

    private(set) var text = ""

    mutating func family(_ name: String, _ type: String, help: String) {
        text += "# HELP \(name) \(Self.escaped(help, quotes: false))\n# TYPE \(name) \(type)\n"
    }

    mutating func sample(_ name: String, _ labels: [Label] = [], _ value: Double) {
        text += name
        if !labels.isEmpty {
            let pairs = labels.map { "\($0.name)=\"\(Self.escaped($0.value, quotes: true))\"" }
            text += "{\(pairs.joined(separator: ","))}"
        }
        text += " \(Self.number(value))\n"
    }

    /// Buckets with +Inf, the sum, the count.
    mutating func histogram(_ name: String, _ labels: [Label], _ histogram: PrometheusHistogram) {
        let counts = histogram.cumulative
        for (bound, count) in zip(histogram.bounds.map(Self.number) + ["+Inf"], counts) {
            sample(name + "_bucket", labels + [("le", bound)], Double(count))
        }
        sample(name + "_sum", labels, histogram.sum)
        sample(name + "_count", labels, Double(counts.last ?? 0))
    }

    /// Whole numbers without a fraction; `+Inf`, `-Inf`, `NaN` in Prometheus' letters.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        if let whole = Int64(exactly: value) { return String(whole) }
        return String(value)
    }

    static func escaped(_ text: String, quotes: Bool) -> String {
        text.unicodeScalars.reduce(into: "") { clean, scalar in
            switch scalar {
            case "\\": clean += "\\\\"
            case "\n": clean += "\\n"
            case "\"" where quotes: clean += "\\\""
            case _: clean.unicodeScalars.append(scalar)
            }
        }
    }
}
