// What rises with time for users or tenants (cutoffs, permission changes): one value a subject, joined by taking the
// greater one, until it may be forgotten. Looked up by bytes where they lie, without making a string of them.

/// A subject's bytes: owned by the table, or borrowed for one lookup.
private struct SubjectKey: Hashable, @unchecked Sendable {
    // Not Sendable for the borrowed bytes, which no table ever keeps: they live as long as the lookup.
    enum Bytes {
        case owned([UInt8])
        case borrowed(UnsafeRawBufferPointer)
    }

    let bytes: Bytes

    func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        switch bytes {
        case .owned(let bytes): bytes.withUnsafeBytes(body)
        case .borrowed(let bytes): body(bytes)
        }
    }

    static func == (left: SubjectKey, right: SubjectKey) -> Bool {
        left.withBytes { left in right.withBytes { left.elementsEqual($0) } }
    }

    func hash(into hasher: inout Hasher) { withBytes { hasher.combine(bytes: $0) } }
}

/// A value each for users or tenants. Join-only: values and deadlines rise, and what is past its deadline goes.
struct SubjectTable<Value: Comparable & Sendable>: Sendable {
    private struct Entry {
        var value: Value
        var until: WallTime
    }

    private var entries: [SubjectKey: Entry] = [:]
    /// One place for each subject, by the deadline that it had when it was put there.
    private var deadlines = DeadlineQueue<SubjectKey>()

    var count: Int { entries.count }

    /// The subject's value. Allocates nothing.
    func value(of subject: UnsafeRawBufferPointer) -> Value? {
        entries.isEmpty ? nil : entries[SubjectKey(bytes: .borrowed(subject))]?.value
    }

    /// Raises the subject's value and deadline. Returns whether either rose.
    mutating func join(_ subject: String, _ value: Value, until: WallTime) -> Bool {
        let key = SubjectKey(bytes: .owned(Array(subject.utf8)))
        guard let entry = entries[key] else {
            entries[key] = Entry(value: value, until: until)
            deadlines.insert(key, at: until)
            return true
        }
        guard value > entry.value || until > entry.until else { return false }
        entries[key] = Entry(value: max(value, entry.value), until: max(until, entry.until))
        return true
    }

    /// Looks at no more than `budget` subjects whose deadline seems to have come, and removes those whose has.
    mutating func expire(now: WallTime, budget: Int) -> Int {
        var removed = 0
        for _ in 0..<max(budget, 0) {
            guard let key = deadlines.popFirst(by: now), let entry = entries[key] else { break }
            if entry.until > now {
                deadlines.insert(key, at: entry.until)
            } else {
                entries[key] = nil
                removed += 1
            }
        }
        return removed
    }

    func forEach(_ body: (_ subject: String, _ value: Value, _ until: WallTime) -> Void) {
        for (key, entry) in entries {
            body(key.withBytes { String(decoding: $0, as: UTF8.self) }, entry.value, entry.until)
        }
    }
}

/// A binary heap by deadline.
private struct DeadlineQueue<Element: Sendable>: Sendable {
    private var heap: [(at: WallTime, element: Element)] = []

    mutating func insert(_ element: Element, at deadline: WallTime) {
        heap.append((deadline, element))
        var child = heap.count - 1
        while child > 0, heap[child].at < heap[(child - 1) / 2].at {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    /// The earliest, if its deadline has come.
    mutating func popFirst(by now: WallTime) -> Element? {
        guard let first = heap.first, first.at <= now else { return nil }
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in (2 * parent + 1)...(2 * parent + 2)
            where child < heap.count && heap[child].at < heap[least].at {
                least = child
            }
            if least == parent { break }
            heap.swapAt(least, parent)
            parent = least
        }
        return first.element
    }
}
