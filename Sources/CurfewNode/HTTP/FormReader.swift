// The body of a call that speaks OAuth (RFC 6749 appendix B).

struct FormReader {
    private let values: [String: String]

    /// Empty parameters count as left out, unknown ones are passed over, repeated ones are refused (RFC 6749 section 3.2).
    init(_ body: [UInt8]) throws(Problem) {
        var values: [String: String] = [:]
        try PercentCoding.forEachPair(in: body, of: "form") { name, value throws(Problem) in
            guard !value.isEmpty else { return }
            guard values.updateValue(value, forKey: name) == nil else {
                throw .malformed(name.isPlainName ? "\(name) appears twice" : "a parameter appears twice")
            }
        }
        self.values = values
    }

    /// A parameter that has to be there.
    func required(_ name: String) throws(Problem) -> String {
        guard let value = values[name] else {
            throw .malformed("\(name): expected a parameter of the form")
        }
        return value
    }
}
