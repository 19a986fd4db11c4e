// The socket that a listener's connections come in by, read by one of its reactors, which shares them out in turn. One socket and
// not one a thread (SO_REUSEPORT): a second process on the same port is an error then, and no connection waits for a
// thread that is busy while another is not.

#if os(Linux)
    import CLinux
    import NIOCore

    /// Used on one reactor's thread only.
    final class Acceptor {
        /// So many are accepted before those that are there have their turn.
        private static let newcomersAtOnce = 64
        /// For so long nothing is accepted where the system has no room for another.
        private static let pause = TimeAmount.milliseconds(100)

        private let socket: CInt
        private let connections: OpenConnections
        /// In the order in which newcomers go round; `nil` is the acceptor's own reactor.
        private let inboxes: [ReactorInbox?]
        private var next = 0
        private(set) var pausedUntil: NIODeadline?

        init(socket: CInt, connections: OpenConnections, inboxes: [ReactorInbox?]) {
            self.socket = socket
            self.connections = connections
            self.inboxes = inboxes
        }

        func begin(on poller: CInt) {
            if clinux_watch(poller, socket, ReactorInbox.listenerNumber) < 0 { pausedUntil = .now() + Self.pause }
        }

        /// Accepts some of those that wait. `welcome` gets those that stay with this reactor.
        func accept(on poller: CInt, _ welcome: (CInt, ConnectionPlace) -> Void) {
            for _ in 0..<Self.newcomersAtOnce {
                let newcomer = clinux_accept(socket)
                guard newcomer >= 0 else {
                    switch -newcomer {
                    case EMFILE, ENFILE, ENOBUFS, ENOMEM:
                        // What waits would be reported again and again.
                        _ = clinux_unwatch(poller, socket)
                        pausedUntil = .now() + Self.pause
                    default: break
                    }
                    return
                }
                let place = ConnectionPlace(in: connections)
                if let inbox = inboxes[next] {
                    inbox.send(.newcomer(newcomer, place))
                } else {
                    welcome(newcomer, place)
                }
                next = (next + 1) % inboxes.count
            }
        }

        /// Goes on after a pause that is over.
        func resume(on poller: CInt) {
            guard let pausedUntil, NIODeadline.now() >= pausedUntil else { return }
            self.pausedUntil = nil
            begin(on: poller)
        }

        /// Nobody gets in any more.
        func end() { _ = clinux_close(socket) }
    }
#endif
