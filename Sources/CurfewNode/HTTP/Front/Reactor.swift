// One thread that serves connections which ask nothing but what memory answers: a read, a write, and between two requests no byte
// is kept of a connection. Whatever else one asks, or does (half a request, answers that it doesn't
// read, a stop), it is handed on for good, with the bytes that were read: to a NIO channel, and `ConnectionHandler`.

#if os(Linux)
    import CLinux
    import NIOCore

    /// Used on its own thread only. (No class: what one reads of itself is looked after at run time.)
    struct Reactor: ~Copyable {
        /// What a reactor needs of the listener that it belongs to.
        struct Surroundings: Sendable {
            let turn: FastTurn
            let maximumConnections: Int
            let idleTimeout: Duration
            /// Who had an answer within this time is in use, and makes room for nobody.
            var inUse = Duration.seconds(2)
            /// Takes a connection over; `isWelcome`: there is room for it.
            let handOn: @Sendable (_ socket: CInt, ConnectionPlace, CarriedBytes, _ isWelcome: Bool) -> Void
        }

        private struct Member {
            let socket: CInt
            let place: ConnectionPlace
            /// When it came, or had its last answer.
            var usedAt: NIODeadline
            /// It had an answer.
            var hasAsked = false
        }

        private static let ticksUntilIdle = 4
        /// At so many the hand looks for each newcomer that finds no room.
        private static let looksAtOnce = 1_024
        private static let eventsAtOnce = 256
        private static let inputBytes = 64 * 1024
        /// Who has said more than so many times that at once is handed on: others wait.
        private static let readsAtOnce = 4

        private let surroundings: Surroundings
        private let inbox: ReactorInbox
        private let acceptor: Acceptor?
        private let scratch = VerdictScratch.ofThisThread()
        private let input = UnsafeMutableRawBufferPointer.allocate(byteCount: inputBytes, alignment: 16)
        private let events = UnsafeMutablePointer<epoll_event>.allocate(capacity: eventsAtOnce)
        private let numbers = UnsafeMutablePointer<UInt64>.allocate(capacity: eventsAtOnce)
        private var output = ByteBuffer()
        /// By the number that a connection is watched under.
        private var members: [Member?] = []
        private var free: [Int] = []
        /// Whose turn it is to make room.
        private var hand = 0
        private var nextTick: NIODeadline
        /// The time as of this turn.
        private var now = NIODeadline.now()
        private var isStopping = false

        /// `acceptor`: one reactor of a listener has it.
        init(_ surroundings: Surroundings, inbox: ReactorInbox, acceptor: Acceptor?) {
            self.surroundings = surroundings
            self.inbox = inbox
            self.acceptor = acceptor
            nextTick = now + TimeAmount(surroundings.idleTimeout / Self.ticksUntilIdle)
        }

        deinit {
            input.deallocate()
            events.deallocate()
            numbers.deallocate()
        }

        /// Returns after `stop`, when every connection is in other hands.
        mutating func run() {
            acceptor?.begin(on: inbox.poller)
            while !isStopping {
                let patience = min(nextTick, acceptor?.pausedUntil ?? .distantFuture) - now
                let milliseconds = Int32(clamping: max(0, patience.nanoseconds / 1_000_000 + 1))
                let count = clinux_wait(inbox.poller, events, numbers, Int32(Self.eventsAtOnce), milliseconds)
                precondition(count >= 0, "epoll_wait fails only where its arguments are wrong")
                now = .now()
                for index in 0..<Int(count) { handle(numbers[index]) }
                if now >= nextTick { tick() }
                acceptor?.resume(on: inbox.poller)
            }
            acceptor?.end()
            for number in members.indices { handOn(number, CarriedBytes()) }
        }

        private mutating func handle(_ number: UInt64) {
            switch number & ~CLINUX_ENDS {
            case ReactorInbox.bellNumber:
                for message in inbox.take() {
                    switch message {
                    case .newcomer(let socket, let place): welcome(socket, place)
                    case .stop: isStopping = true
                    }
                }
            case ReactorInbox.listenerNumber:
                acceptor?.accept(on: inbox.poller) { welcome($0, $1) }
            case let member: serve(Int(member), ends: number & CLINUX_ENDS != 0)
            }
        }

        // MARK: Connections

        private mutating func welcome(_ socket: CInt, _ place: ConnectionPlace) {
            guard place.number <= surroundings.maximumConnections || makeRoom() else {
                return surroundings.handOn(socket, place, CarriedBytes(), false)
            }
            let number = free.popLast() ?? members.count
            if number == members.count { members.append(nil) }
            guard clinux_watch_edges(inbox.poller, socket, UInt64(number)) >= 0 else {
                free.append(number)
                _ = clinux_close(socket)
                return place.leave()
            }
            members[number] = Member(socket: socket, place: place, usedAt: now)
        }

        /// `ends`: nothing comes behind what there is.
        private mutating func serve(_ number: Int, ends: Bool) {
            for _ in 0..<Self.readsAtOnce {
                // (One that made room for another may still be among the events of this turn.)
                guard let socket = members[number]?.socket else { return }
                let count = clinux_receive(socket, input.baseAddress.unsafelyUnwrapped, input.count)
                guard count > 0 else {
                    if count == 0 || -count != EAGAIN { close(number) }
                    return
                }
                answer(number, socket, UnsafeRawBufferPointer(rebasing: input[..<count]))
                // Less than there was room for is all that there was.
                if count < input.count, !ends { return }
            }
            handOn(number, CarriedBytes())
        }

        private mutating func answer(_ number: Int, _ socket: CInt, _ bytes: UnsafeRawBufferPointer) {
            var rest = bytes
            while !rest.isEmpty {
                let answered = surroundings.turn.answer(rest, scratch: scratch, into: &output)
                rest = rest.slice(answered..<rest.count)
                let isSent = sendOutput(to: socket)
                if answered == 0 || !isSent {
                    handOn(number, CarriedBytes(input: ByteBuffer(bytes: rest), output: output))
                    output.clear()
                    return
                }
            }
            members[number]?.usedAt = now
            members[number]?.hasAsked = true
        }

        /// `false` where something is left in `output`.
        private mutating func sendOutput(to socket: CInt) -> Bool {
            guard output.readableBytes > 0 else { return true }
            let sent = output.withUnsafeReadableBytes { bytes in
                clinux_send(socket, bytes.baseAddress.unsafelyUnwrapped, bytes.count)
            }
            if sent > 0 { output.moveReaderIndex(forwardBy: sent) }
            guard output.readableBytes == 0 else { return false }
            output.clear()
            return true
        }

        private mutating func forget(_ number: Int) -> Member? {
            guard let member = members[number] else { return nil }
            members[number] = nil
            free.append(number)
            return member
        }

        private mutating func handOn(_ number: Int, _ carried: CarriedBytes) {
            guard let member = forget(number) else { return }
            _ = clinux_unwatch(inbox.poller, member.socket)
            surroundings.handOn(member.socket, member.place, carried, true)
        }

        private mutating func close(_ number: Int) {
            guard let member = forget(number) else { return }
            _ = clinux_close(member.socket)
            member.place.leave()
        }

        // MARK: Time and room

        /// Ends those without traffic for `idleTimeout`, up to a quarter late.
        private mutating func tick() {
            nextTick = now + TimeAmount(surroundings.idleTimeout / Self.ticksUntilIdle)
            let last = now - TimeAmount(surroundings.idleTimeout)
            for number in members.indices {
                if let member = members[number], member.usedAt <= last { close(number) }
            }
        }

        /// Ends one connection that never had an answer, or had its last a while ago; `false` where the hand finds none. (Newcomers come to
        /// places that were left, and so behind the hand.) Then it is for the `ConnectionRing` of those that were handed on to make room.
        private mutating func makeRoom() -> Bool {
            let inUse = now - TimeAmount(surroundings.inUse)
            for _ in 0..<min(members.count, Self.looksAtOnce) {
                if hand >= members.count { hand = 0 }
                let number = hand
                hand += 1
                guard let member = members[number], !member.hasAsked || member.usedAt <= inUse else {
                    continue
                }
                close(number)
                return true
            }
            return false
        }
    }
#endif
