// A map in the order of its keys' bytes. Every collection of the simulated Redis is one, so that no reply and no effect
// ever depends on the order of a hash table: where Redis promises no order, this one's is as good as any and always the same.
// Lookups are a binary search; the collections of a simulated run are small.

/// Values by `Bytes`, sorted.
package struct SortedMap<Value: Sendable>: Sendable {
    package private(set) var keys: [Bytes] = []
    package private(set) var values: [Value] = []

    package init() {}

    package var count: Int { keys.count }
    package var isEmpty: Bool { keys.isEmpty }

    /// Where `key` is, or where it belongs.
    func position(of key: Bytes) -> (index: Int, isThere: Bool) {
        var low = 0
        var high = keys.count
        while low < high {
            let middle = (low + high) / 2
            if keys[middle] < key { low = middle + 1 } else { high = middle }
        }
        return (low, low < keys.count && keys[low] == key)
    }

    package subscript(key: Bytes) -> Value? {
        let (index, isThere) = position(of: key)
        return isThere ? values[index] : nil
    }

    /// The value at a place that `position` gave.
    subscript(at index: Int) -> Value {
        get { values[index] }
        _modify { yield &values[index] }
    }

    /// What was there before.
    @discardableResult mutating func set(_ key: Bytes, to value: Value) -> Value? {
        let (index, isThere) = position(of: key)
        if isThere {
            let old = values[index]
            values[index] = value
            return old
        }
        insert(key, value, at: index)
        return nil
    }

    mutating func insert(_ key: Bytes, _ value: Value, at index: Int) {
        keys.insert(key, at: index)
        values.insert(value, at: index)
    }

    @discardableResult mutating func remove(_ key: Bytes) -> Value? {
        let (index, isThere) = position(of: key)
        return isThere ? remove(at: index) : nil
    }

    @discardableResult mutating func remove(at index: Int) -> Value {
        keys.remove(at: index)
        return values.remove(at: index)
    }

    mutating func removeAll(where isMeant: (Value) -> Bool) {
        let kept = values.indices.filter { !isMeant(values[$0]) }
        keys = kept.map { keys[$0] }
        values = kept.map { values[$0] }
    }
}
