// Many requests to one listener, several at a time.

/// Sends requests on several connections at once, a batch at a time, so that the node's work overlaps.
public struct Lanes {
    private static let count = 16
    private let connections: [HTTPConnection]

    public init(port: UInt16) throws(WireError) {
        var connections: [HTTPConnection] = []
        for _ in 0..<Lanes.count { connections.append(try HTTPConnection(port: port)) }
        self.connections = connections
    }

    /// The answers, in order.
    public func call(_ requests: [[UInt8]], expecting status: Int) throws(WireError) -> [HTTPAnswer] {
        var answers: [HTTPAnswer] = []
        answers.reserveCapacity(requests.count)
        for start in stride(from: 0, to: requests.count, by: Lanes.count) {
            let batch = requests[start..<min(start + Lanes.count, requests.count)]
            for (connection, request) in zip(connections, batch) { try connection.send(request) }
            for (connection, _) in zip(connections, batch) {
                answers.append(try connection.receive().expecting(status))
            }
        }
        return answers
    }
}
