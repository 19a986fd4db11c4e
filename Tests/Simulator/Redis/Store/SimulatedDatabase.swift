// Keys and what they hold: a value, so that a copy is a replica's state, a snapshot, or what a failover falls back to.
// Copies share what neither has changed since. A command changes a collection in place: it is taken out of the map first,
// so that nobody else holds it.

/// What a key holds.
package enum StoredValue: Sendable {
    case string(Bytes)
    case hash(SortedMap<Bytes>)
    case sortedSet(SortedSet)
    case stream(EventStream)
}

/// One of the collections that a key may hold.
protocol StoredCollection {
    init()
    init?(_ value: StoredValue)
    var stored: StoredValue { get }
    /// Such a key does not exist in Redis.
    var isVacant: Bool { get }
}

extension SortedMap<Bytes>: StoredCollection {
    init?(_ value: StoredValue) {
        guard case .hash(let hash) = value else { return nil }
        self = hash
    }
    var stored: StoredValue { .hash(self) }
    var isVacant: Bool { isEmpty }
}

extension SortedSet: StoredCollection {
    init?(_ value: StoredValue) {
        guard case .sortedSet(let set) = value else { return nil }
        self = set
    }
    var stored: StoredValue { .sortedSet(self) }
    var isVacant: Bool { elements.isEmpty }
}

extension EventStream: StoredCollection {
    init?(_ value: StoredValue) {
        guard case .stream(let stream) = value else { return nil }
        self = stream
    }
    var stored: StoredValue { .stream(self) }
    var isVacant: Bool { false }
}

/// The keyspace of one simulated server.
package struct SimulatedDatabase: Sendable {
    package struct Entry: Sendable {
        package fileprivate(set) var value: StoredValue
        package fileprivate(set) var expiresAtMilliseconds: Int64?
    }

    package private(set) var entries = SortedMap<Entry>()
    /// No key goes before this.
    private var firstExpiryMilliseconds = Int64.max

    package init() {}

    /// Removes what has run out. Called before every command, so that no command ever sees it; the moment itself is still
    /// within a key's time.
    package mutating func expire(atMilliseconds now: Int64) {
        guard now > firstExpiryMilliseconds else { return }
        entries.removeAll { $0.expiresAtMilliseconds.map { now > $0 } ?? false }
        firstExpiryMilliseconds = entries.values.compactMap(\.expiresAtMilliseconds).min() ?? .max
    }

    func contains(_ key: Bytes) -> Bool { entries.position(of: key).isThere }

    /// The collection under `key`, `nil` where there is none.
    func read<Collection: StoredCollection>(_ key: Bytes, as: Collection.Type = Collection.self)
        throws(CommandFault) -> Collection?
    {
        guard let entry = entries[key] else { return nil }
        guard let collection = Collection(entry.value) else { throw .wrongType }
        return collection
    }

    /// Changes the collection under `key`; where there is none, an empty one if `isCreating`, else nothing and `nil`.
    mutating func update<Collection: StoredCollection, Result>(
        _ key: Bytes, as: Collection.Type = Collection.self, isCreating: Bool,
        _ change: (inout Collection) throws(CommandFault) -> Result
    ) throws(CommandFault) -> Result? {
        let (index, isThere) = entries.position(of: key)
        guard isThere else {
            guard isCreating else { return nil }
            var collection = Collection()
            let result = try change(&collection)
            if !collection.isVacant { entries.insert(key, Entry(value: collection.stored), at: index) }
            return result
        }
        guard var collection = Collection(entries[at: index].value) else { throw .wrongType }
        entries[at: index].value = .string(Self.taken)
        defer {
            if collection.isVacant {
                entries.remove(at: index)
            } else {
                entries[at: index].value = collection.stored
            }
        }
        return try change(&collection)
    }

    private static let taken = Bytes([])

    mutating func set(_ key: Bytes, to text: Bytes) {
        entries.set(key, to: Entry(value: .string(text)))
    }

    mutating func remove(_ key: Bytes) -> Bool { entries.remove(key) != nil }

    mutating func removeAll() { self = SimulatedDatabase() }

    /// Whether there is such a key.
    mutating func setExpiry(of key: Bytes, toMilliseconds moment: Int64) -> Bool {
        let (index, isThere) = entries.position(of: key)
        guard isThere else { return false }
        entries[at: index].expiresAtMilliseconds = moment
        firstExpiryMilliseconds = min(firstExpiryMilliseconds, moment)
        return true
    }
}
