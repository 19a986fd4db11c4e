// One connection between a node and a server, seen from both ends: each end may believe that it lives while the other knows better.

import DequeModule

final class SimulatedConnection {
    let process: SimulatedProcess
    let server: SimulatedServer
    let route: Route
    private(set) var isOpenAtNode = true
    private(set) var isOpenAtServer = true
    private var channels: Set<String> = []
    private var onMessage: (_ channel: String, _ message: [UInt8]) -> Void = { _, _ in }
    /// Told on the node's side, once.
    var onClosedByServer: () -> Void = {}
    /// Arrived at the node and not read yet: read in order, whatever else the process does in between.
    private var inbox: Deque<() -> Void> = []
    private let delay: (ClosedRange<Double>) -> Int64
    private let isMessageLost: () -> Bool
    private let requests: Pipe
    private let answers: Pipe

    init(
        process: SimulatedProcess, server: SimulatedServer, route: Route,
        delay: @escaping (ClosedRange<Double>) -> Int64,
        isMessageLost: @escaping () -> Bool
    ) {
        let agenda = process.agenda
        self.process = process
        self.server = server
        self.route = route
        self.isMessageLost = isMessageLost
        self.delay = delay
        requests = Pipe(agenda: agenda) { [unowned server] in route.blocksRequests || server.isStopped }
        answers = Pipe(agenda: agenda) { route.blocksAnswers }
        route.add(self)
    }

    var isOver: Bool { !isOpenAtNode && !isOpenAtServer }

    /// Runs at the server when the request arrives there; a server that is gone or hung up never sees it.
    func toServer(_ arrive: @escaping () -> Void) {
        guard isOpenAtNode else { return }
        requests.send(after: delay(route.delay)) { [self] in if isOpenAtServer { arrive() } }
    }

    /// Runs in the node's process once the answer has arrived there and the process gets to it.
    func toNode(_ read: @escaping () -> Void) {
        guard isOpenAtServer else { return }
        let messageDelay = channels.isEmpty ? nil : route.messageDelay
        answers.send(after: delay(messageDelay ?? route.answerDelay ?? route.delay)) { [self] in
            inbox.append { [self] in if isOpenAtNode { read() } }
            process.call { [self] in inbox.popFirst()?() }
        }
    }

    /// At the server: from now on what is published on these channels is sent to the node.
    func listen(to channels: Set<String>, _ onMessage: @escaping (_ channel: String, _ message: [UInt8]) -> Void) {
        self.channels = channels
        self.onMessage = onMessage
    }

    /// At the server.
    func published(_ channel: String, _ message: [UInt8]) {
        guard channels.contains(channel), !isMessageLost() else { return }
        toNode { [self] in onMessage(channel, message) }
    }

    /// The node hangs up. What it sent before still arrives.
    func closeAtNode() {
        guard isOpenAtNode else { return }
        requests.send(after: delay(route.delay)) { [self] in closeAtServer() }
        isOpenAtNode = false
    }

    /// The server hangs up, or dies: the node hears of it behind the answers that are under way.
    func closeAtServer() {
        guard isOpenAtServer else { return }
        toNode { [self] in
            isOpenAtNode = false
            onClosedByServer()
        }
        isOpenAtServer = false
        channels = []
        server.forget(self)
    }

    func flush() {
        requests.flush()
        answers.flush()
    }
}
