// A listener's reactors: one a thread, the first of them accepts for all. They end in order: first nobody gets in any more, then
// every connection is handed on.

#if os(Linux)
    import CLinux
    import NIOCore
    import NIOPosix
    import Synchronization

    #if canImport(Glibc)
        import Glibc
    #elseif canImport(Musl)
        import Musl
    #endif

    final class ReactorDoor: Door {
        let port: Int?
        let closed: EventLoopFuture<Void>
        private let inboxes: [ReactorInbox]

        /// `threads`: how many reactors, one at least. Throws the error number where the address can't be listened on.
        init(
            _ address: SocketAddress, backlog: CInt, threads: Int, connections: OpenConnections,
            _ surroundings: Reactor.Surroundings, on eventLoop: any EventLoop
        ) throws(SystemError) {
            var inboxes: [ReactorInbox] = []
            for _ in 0..<threads { inboxes.append(try ReactorInbox()) }
            let socket = try SystemError.checked(
                address.withSockAddr { clinux_listen($0, socklen_t($1), backlog) })
            port = (try? SystemError.checked(clinux_port(socket))).map { Int($0) }
            let promise = eventLoop.makePromise(of: Void.self)
            closed = promise.futureResult
            self.inboxes = inboxes
            let pool = NIOThreadPool(numberOfThreads: threads)
            pool.start()
            let running = Atomic(threads)
            let ended: @Sendable () -> Void = {
                guard running.wrappingSubtract(1, ordering: .relaxed).newValue == 0 else { return }
                pool.shutdownGracefully { _ in promise.succeed() }
            }
            let others = Array(inboxes.dropFirst())
            for (number, inbox) in inboxes.enumerated() {
                pool.submit { _ in
                    let acceptor =
                        number == 0
                        ? Acceptor(socket: socket, connections: connections, inboxes: [nil] + others.map { $0 }) : nil
                    var reactor = Reactor(surroundings, inbox: inbox, acceptor: acceptor)
                    reactor.run()
                    if number == 0 { for other in others { other.send(.stop) } }
                    ended()
                }
            }
        }

        func close() { inboxes.first?.send(.stop) }
    }
#endif
