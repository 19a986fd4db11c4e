// What a reactor keeps to itself and what it hands on, and with which bytes. That the answers are the same either way is for
// `ConnectionTests`, which runs all of its tests through a reactor too.

#if os(Linux)
    import CurfewCore
    import NIOCore
    import TestSupport
    import Testing

    @testable import CurfewNode

    @Suite("Reactors") struct ReactorTests {
        private let fixture: FastPathFixture
        private let validate: String

        init() throws {
            fixture = try FastPathFixture()
            let token = String(
                decoding: try fixture.ring.encode(try fixture.claims(user: "a")), as: UTF8.self)
            validate = "GET /v1/validate HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(token)\r\n\r\n"
        }

        private let slow = "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"

        @Test("validations stay with it, however many and however pipelined, refused ones too")
        func keeps() async throws {
            let socket = try await SocketFixture(.reactor, fastPath: fixture.path)
            let refused = "GET /v1/validate HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\n\r\n"
            for round in 1...20 {
                try await socket.send(String(repeating: validate, count: 5) + refused)
                #expect(try await socket.answers(6 * round).count == 6 * round)
            }
            let answers = try await socket.answers(120)
            #expect(answers.filter { $0.hasPrefix("HTTP/1.1 200 ") }.count == 100)
            #expect(socket.slow.handedOn.isEmpty)
            try await socket.close()
        }

        @Test("anything else is handed on once, with what was read and not answered")
        func handsOn() async throws {
            for (rest, answers) in [(slow + validate, 4), (String(validate.prefix(30)), 2)] {
                let socket = try await SocketFixture(.reactor, fastPath: fixture.path)
                try await socket.send(validate + validate + rest)
                #expect(try await socket.answers(answers).count == answers)
                try await eventually("it is handed on") { socket.slow.handedOn.count == 1 }
                #expect(socket.slow.handedOn == [rest])
                try await socket.send(answers == 2 ? String(validate.dropFirst(30)) : slow)
                #expect(try await socket.answers(answers + 1).count == answers + 1)
                #expect(socket.slow.handedOn.count == 1)
                try await socket.close()
            }
        }

        @Test("a partition that is not fresh is the slow path's, and so is a request that ends its connection")
        func handsOnStale() async throws {
            let stale = try FastPathFixture(isFresh: false)
            let socket = try await SocketFixture(.reactor, fastPath: stale.path)
            try await socket.send(validate)
            #expect(try await socket.answers(1).first?.hasSuffix("GET /v1/validate 0") == true)
            try await socket.close()
            let closing = try await SocketFixture(.reactor, fastPath: fixture.path)
            try await closing.send(validate.replacing("Host: a", with: "Host: a\r\nConnection: close"))
            #expect(try await closing.untilClosed().first?.contains("Connection: close") == true)
            try await closing.close()
        }

        @Test("where there is no room, one that never asked makes it, and none that is in use")
        func makesRoom() async throws {
            // Two reactors: connections come to them in turn, and each makes room among its own.
            let socket = try await SocketFixture(.reactor, fastPath: fixture.path, maximum: 4)
            var others: [Other] = []
            for _ in 0..<3 { others.append(try await socket.another()) }
            for other in others { _ = try await ask(other) }
            let newcomer = try await socket.another()
            #expect(try await ask(newcomer).hasPrefix("HTTP/1.1 200 "))
            try await eventually("the silent one had to go") { !socket.client.isActive }
            // Now all of them are in use, and those that were handed on have nobody to spare either.
            let late = try await socket.another()
            #expect(try await ask(late).hasPrefix("HTTP/1.1 503 "))
            let standing = (others + [newcomer]).filter { $0.client.isActive }
            #expect(standing.count == 4)
            for other in others + [newcomer, late] { try? await other.client.close() }
            try await socket.close()
        }

        private typealias Other = (transcript: Transcript, client: any Channel)

        /// What it is told, once it is told anything.
        private func ask(_ other: Other) async throws -> String {
            try await other.client.writeAndFlush(ByteBuffer(string: validate))
            return try await other.transcript.wait(on: other.client.eventLoop) { text, isClosed in
                isClosed || !SocketFixture.split(text).isEmpty
            }
        }

        @Test("a connection that is used stays, past the idle timeout")
        func used() async throws {
            let socket = try await SocketFixture(.reactor, fastPath: fixture.path) { $0.idleTimeout = .seconds(1) }
            let start = ContinuousClock.now
            var count = 0
            while ContinuousClock.now - start < .seconds(3) {
                count += 1
                try await socket.send(validate)
                #expect(try await socket.answers(count).count == count)
                try await Task.sleep(for: .milliseconds(100))  // its pace
            }
            #expect(socket.slow.handedOn.isEmpty)
            try await socket.close()
        }

        @Test("a client that ends with its validation gets the answer, and the connection ends at once")
        func endsWithRequest() async throws {
            let socket = try await SocketFixture(.reactor, fastPath: fixture.path) { $0.idleTimeout = .seconds(3600) }
            // The third connection is the first one's reactor's too: it has enough to do for both to be there when it looks.
            let others = [try await socket.another(), try await socket.another()]
            try await others[1].client.writeAndFlush(ByteBuffer(string: String(repeating: validate, count: 100)))
            try await socket.send(validate)
            try await socket.endInput()
            #expect(try await socket.untilClosed().count == 1)
            #expect(socket.slow.handedOn.isEmpty)
            for other in others { try? await other.client.close() }
            try await socket.close()
        }

        @Test("a stop ends what a reactor still has")
        func stops() async throws {
            let socket = try await SocketFixture(.reactor, fastPath: fixture.path)
            try await socket.send(validate)
            #expect(try await socket.answers(1).count == 1)
            try await socket.stop()
            #expect(try await socket.untilClosed().count == 1)
            try await socket.close()
        }

        @Test("more than it reads at once is answered whole and in order")
        func pipelines() async throws {
            let socket = try await SocketFixture(.reactor, fastPath: fixture.path)
            let tokens = try ["x", "y", "z"].map {
                String(decoding: try fixture.ring.encode(try fixture.claims(user: $0)), as: UTF8.self)
            }
            // Half a megabyte, in one write.
            let count = 1_000
            try await socket.send(
                (0..<count).map {
                    "GET /v1/validate HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(tokens[$0 % 3])\r\n\r\n"
                }.joined())
            try await socket.endInput()
            let answers = try await socket.untilClosed()
            let users = answers.map { answer in ["x", "y", "z"].firstIndex { answer.contains("\"userId\":\"\($0)\"") } }
            #expect(users == (0..<count).map { $0 % 3 })
            try await socket.close()
        }

        @Test("a port that is in use, by a reactor too, is an error")
        func portInUse() async throws {
            let socket = try await SocketFixture(.reactor, fastPath: fixture.path)
            guard let turn = FastTurn(ConnectionSettings(bodyLimit: { _ in 0 }, fastPath: fixture.path)) else { return }
            let surroundings = Reactor.Surroundings(turn: turn, maximumConnections: 1, idleTimeout: .seconds(1)) {
                _, place, _, _ in place.leave()
            }
            let address = try SocketAddress(ipAddress: "127.0.0.1", port: socket.port)
            #expect(throws: SystemError.self) {
                _ = try ReactorDoor(
                    address, backlog: 1, threads: 1, connections: OpenConnections(), surroundings,
                    on: socket.client.eventLoop)
            }
            try await socket.close()
        }
    }
#endif
