// What other threads may say to a reactor, and what it sleeps on.

#if os(Linux)
    import CLinux
    import Synchronization

    /// Lives as long as its reactor's thread, and whoever speaks to it.
    final class ReactorInbox: Sendable {
        enum Message: Sendable {
            /// A connection that was just accepted.
            case newcomer(CInt, ConnectionPlace)
            /// Hands on every connection, and ends.
            case stop
        }

        /// The epoll instance.
        let poller: CInt
        let bell: CInt
        /// The number that the bell is watched under, and that of the socket that is listened on; connections have others.
        static let bellNumber = UInt64(1) << 62
        static let listenerNumber = bellNumber + 1
        private let messages = Mutex<[Message]>([])

        /// Throws the system's error number.
        init() throws(SystemError) {
            let (poller, bell) = (clinux_poller(), clinux_bell())
            do throws(SystemError) {
                _ = try SystemError.checked(poller)
                _ = try SystemError.checked(bell)
                _ = try SystemError.checked(clinux_watch(poller, bell, Self.bellNumber))
            } catch {
                for descriptor in [poller, bell] where descriptor >= 0 { _ = clinux_close(descriptor) }
                throw error
            }
            (self.poller, self.bell) = (poller, bell)
        }

        deinit {
            for message in messages.withLock({ $0 }) {
                if case .newcomer(let socket, _) = message { _ = clinux_close(socket) }
            }
            _ = clinux_close(bell)
            _ = clinux_close(poller)
        }

        func send(_ message: Message) {
            messages.withLock { $0.append(message) }
            clinux_ring(bell)
        }

        /// All that was said since the last time.
        func take() -> [Message] {
            clinux_hush(bell)
            return messages.withLock { messages in
                defer { messages = [] }
                return messages
            }
        }
    }

    /// An error of the system's, by its number.
    struct SystemError: Error, Equatable {
        let number: CInt

        /// What `CLinux` answers: a result, or the number with a minus.
        static func checked(_ result: CInt) throws(SystemError) -> CInt {
            if result < 0 { throw SystemError(number: -result) }
            return result
        }
    }
#endif
