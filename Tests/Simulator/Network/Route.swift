// The network between one node and one server: how slow it is, and which direction is blocked. All connections of the two share it.

final class Route {
    /// One way, in ms.
    var delay: ClosedRange<Double>
    /// Of answers, where they are slower than requests.
    var answerDelay: ClosedRange<Double>?
    /// Of what a subscriber is sent, where that is slower than answers on other connections.
    var messageDelay: ClosedRange<Double>?
    var blocksRequests = false { didSet { flush() } }
    var blocksAnswers = false { didSet { flush() } }
    /// Share of pub/sub messages that are lost although the connection lives.
    var messageLoss = 0.0
    private(set) var connections: [SimulatedConnection] = []

    init(delay: ClosedRange<Double>) { self.delay = delay }

    var isClear: Bool { !blocksRequests && !blocksAnswers }

    func add(_ connection: SimulatedConnection) {
        connections.removeAll { $0.isOver }
        connections.append(connection)
    }

    func flush() { for connection in connections { connection.flush() } }
}
