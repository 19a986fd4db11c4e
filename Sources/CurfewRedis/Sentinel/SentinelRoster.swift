// Which sentinels there are and whom to ask next, as a value: the one that answered last is asked first, one that did not
// answer or was wrong goes to the end. What was configured stays for good; the others are as the last answer named them.

struct SentinelRoster {
    /// Sentinels taken over from an answer; more are left out.
    static let maximumLearned = 32

    private let configured: [RedisAddress.Endpoint]
    /// In the order in which to ask them.
    private(set) var order: [RedisAddress.Endpoint]
    private var silent: [RedisAddress.Endpoint] = []

    /// - Parameter configured: at least one.
    init(_ configured: [RedisAddress.Endpoint]) {
        precondition(!configured.isEmpty, "a primary needs a sentinel")
        var distinct: [RedisAddress.Endpoint] = []
        for endpoint in configured where !distinct.contains(endpoint) { distinct.append(endpoint) }
        self.configured = distinct
        order = distinct
    }

    var first: RedisAddress.Endpoint { order[0] }

    /// It named a primary, and those other sentinels.
    mutating func answered(_ sentinel: RedisAddress.Endpoint, others: [RedisAddress.Endpoint]) {
        silent.removeAll { $0 == sentinel }
        let known = configured + [sentinel] + others.prefix(Self.maximumLearned)
        order = [sentinel] + order.filter { $0 != sentinel && known.contains($0) }
        for other in known where !order.contains(other) { order.append(other) }
    }

    /// It did not answer. True where that is news.
    mutating func failed(_ sentinel: RedisAddress.Endpoint) -> Bool {
        moveBack(sentinel)
        if silent.contains(sentinel) { return false }
        silent = silent.filter(order.contains) + [sentinel]
        return true
    }

    /// What it answered was of no use: the others are asked before it.
    mutating func moveBack(_ sentinel: RedisAddress.Endpoint) {
        guard let index = order.firstIndex(of: sentinel) else { return }
        order.append(order.remove(at: index))
    }
}
