// The body of a call that speaks OAuth (RFC 6749 appendix B).

struct FormReader {
    private var values: [String: String] = [:]

    /// Empty parameters count as left out, unknown ones are passed over, repeated ones are refused (RFC 6749 section 3.2).
    init(_ body: [UInt8]) throws(Problem) {
        for pair in body.split(separator: UInt8(ascii: "&")) {
            let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = PercentCoding.decode(parts[0], plusIsSpace: true),
                let value = PercentCoding.decode(parts.count > 1 ? parts[1] : [], plusIsSpace: true)
            else { throw .malformed("the form holds a percent escape that is not UTF-8 text") }
            if value.isEmpty { continue }
            guard values.updateValue(value, forKey: name) == nil else {
                throw .malformed(name.isPlainName ? "\(name) appears twice" : "a parameter appears twice")
            }
        }
    }

    /// A parameter that has to be there.
    func required(_ name: String) throws(Problem) -> String {
        guard let value = values[name] else {
            throw .malformed("\(name): expected a parameter of the form")
        }
        return value
    }
}
