// A sorted set: members by score, those of one score by their bytes.

/// Members with scores.
package struct SortedSet: Sendable {
    package struct Element: Sendable {
        package let score: Double
        package let member: Bytes

        static func < (left: Element, right: Element) -> Bool {
            left.score == right.score ? left.member < right.member : left.score < right.score
        }
    }

    /// By score, then by member.
    package private(set) var elements: [Element] = []
    private var scores = SortedMap<Double>()

    package init() {}

    func score(of member: Bytes) -> Double? { scores[member] }

    private func index(of element: Element) -> Int {
        firstIndex { !($0 < element) }
    }

    /// The first place from which on `isPast` holds.
    func firstIndex(where isPast: (Element) -> Bool) -> Int {
        var low = 0
        var high = elements.count
        while low < high {
            let middle = (low + high) / 2
            if isPast(elements[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }

    mutating func set(_ member: Bytes, to score: Double) {
        if let old = scores.set(member, to: score) {
            if old == score { return }
            elements.remove(at: index(of: Element(score: old, member: member)))
        }
        let element = Element(score: score, member: member)
        elements.insert(element, at: index(of: element))
    }

    mutating func remove(_ member: Bytes) -> Bool {
        guard let score = scores.remove(member) else { return false }
        elements.remove(at: index(of: Element(score: score, member: member)))
        return true
    }

    mutating func remove(_ range: Range<Int>) {
        for element in elements[range] { scores.remove(element.member) }
        elements.removeSubrange(range)
    }

    /// Where the scores between two bounds are.
    func indices(from lower: ScoreBound, to upper: ScoreBound) -> Range<Int> {
        let start = firstIndex { lower.isExclusive ? $0.score > lower.score : $0.score >= lower.score }
        let end = firstIndex { upper.isExclusive ? $0.score >= upper.score : $0.score > upper.score }
        return start..<max(start, end)
    }
}

/// One end of a range of scores: `5`, `(5`, `-inf`.
struct ScoreBound {
    let score: Double
    let isExclusive: Bool

    init?(_ text: Bytes) {
        isExclusive = text.array.first == UInt8(ascii: "(")
        guard let score = RedisNumber.double(isExclusive ? Bytes(Array(text.array.dropFirst())) : text) else {
            return nil
        }
        self.score = score
    }
}
