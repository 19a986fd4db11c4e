// A stream: entries with explicit ids, in nodes as Redis packs them. The nodes matter: `MAXLEN ~` drops whole ones only, and
// a node is full at 4096 bytes of its packed form or at 100 entries (the defaults of stream-node-max-bytes and -entries), so
// what a trimmed log still holds depends on how many bytes each entry takes in there.

/// An entry's id, `milliseconds-sequence`.
package struct StreamID: Hashable, Comparable, Sendable {
    let milliseconds: UInt64
    let sequence: UInt64

    package var text: String { "\(milliseconds)-\(sequence)" }

    package static func < (left: StreamID, right: StreamID) -> Bool {
        (left.milliseconds, left.sequence) < (right.milliseconds, right.sequence)
    }
}

/// A stream's content.
package struct EventStream: Sendable {
    package struct Entry: Sendable {
        package let id: StreamID
        /// Fields and values in turn.
        package let words: [Bytes]
    }

    struct Node {
        private(set) var entries: [Entry]
        private(set) var packedBytes: Int

        init(startingWith entry: Entry) {
            entries = [entry]
            packedBytes = PackedSize.node(startingWith: entry)
        }

        mutating func add(_ entry: Entry) {
            packedBytes += PackedSize.entry(entry, after: entries[0])
            entries.append(entry)
        }
    }

    static let nodeEntries = 100
    static let nodeBytes = 4096
    /// One `MAXLEN ~` examines no more entries than this.
    static let trimLimit = 100 * nodeEntries

    private(set) var nodes: [Node] = []
    private(set) var count = 0
    private(set) var lastID = StreamID(milliseconds: 0, sequence: 0)

    package init() {}

    package var entries: [Entry] { nodes.flatMap(\.entries) }

    /// `id` is above `lastID`: the caller has seen to it.
    mutating func append(_ id: StreamID, _ words: [Bytes]) {
        let entry = Entry(id: id, words: words)
        let added = words.reduce(0) { $0 + $1.count }
        if isRoom(for: added) {
            nodes[nodes.count - 1].add(entry)
        } else {
            nodes.append(Node(startingWith: entry))
        }
        count += 1
        lastID = id
    }

    /// Asks without keeping hold of the node, which is then changed in place.
    private func isRoom(for bytes: Int) -> Bool {
        guard let packedBytes = nodes.last?.packedBytes, let entries = nodes.last?.entries.count else { return false }
        return packedBytes + bytes < Self.nodeBytes && entries < Self.nodeEntries
    }

    /// `MAXLEN ~ length`. How many entries went.
    mutating func trimNodes(to length: Int) -> Int {
        var dropped = 0
        while let first = nodes.first, count > length, count - first.entries.count >= length,
            dropped + first.entries.count <= Self.trimLimit
        {
            nodes.removeFirst()
            dropped += first.entries.count
            count -= first.entries.count
        }
        return dropped
    }

    /// Those from one id to another, at most `limit`.
    func entries(from first: StreamID, to last: StreamID, limit: Int) -> [Entry] {
        var found: [Entry] = []
        for node in nodes {
            guard let end = node.entries.last, end.id >= first else { continue }
            for entry in node.entries where entry.id >= first {
                if entry.id > last || found.count >= limit { return found }
                found.append(entry)
            }
        }
        return found
    }
}
