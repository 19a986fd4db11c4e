// A connection from its first byte to its last, on real sockets: order, limits, ends. The slow path is the test's own.

import CurfewCore
import NIOCore
import TestSupport
import Testing

@testable import CurfewNode

@Suite("Connections") struct ConnectionTests {
    private func validate(_ token: String = "x", _ fields: String = "") -> String {
        "GET /v1/validate HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(token)\r\n\(fields)\r\n"
    }

    private func get(_ path: String, _ fields: String = "") -> String {
        "GET \(path) HTTP/1.1\r\nHost: a\r\n\(fields)\r\n"
    }

    @Test("the fast path answers pipelined requests in order, in one piece and cut anywhere", arguments: Front.allCases)
    func pipelined(_ front: Front) async throws {
        let fixture = try FastPathFixture()
        let tokens = try ["a", "b", "c"].map {
            String(decoding: try fixture.ring.encode(try fixture.claims(user: $0)), as: UTF8.self)
        }
        let text = tokens.map { validate($0) }.joined()
        for cut in [0, 1, 17, 100, text.utf8.count / 2, text.utf8.count - 1] {
            let socket = try await SocketFixture(front, fastPath: fixture.path)
            try await socket.send(String(text.prefix(cut)))
            try await socket.send(String(text.dropFirst(cut)))
            let answers = try await socket.answers(3)
            #expect(answers.map { $0.contains("\"userId\":\"a\"") } == [true, false, false])
            #expect(answers.map { $0.contains("\"userId\":\"c\"") } == [false, false, true])
            #expect(socket.slow.requests.isEmpty)
            try await socket.close()
        }
    }

    @Test("a fast answer never overtakes a slow one", arguments: Front.allCases)
    func order(_ front: Front) async throws {
        let fixture = try FastPathFixture()
        let socket = try await SocketFixture(front, fastPath: fixture.path, answersAtOnce: false)
        try await socket.send(validate() + get("/slow") + validate() + get("/slower"))
        let first = try await socket.answers(1)
        #expect(first.count == 1)
        try await waitUntil { socket.slow.requests == ["GET /slow"] }
        socket.slow.answer("one")
        let three = try await socket.answers(3)
        #expect(three.count == 3)
        #expect(three[1].hasSuffix("\r\n\r\none"))
        #expect(three[2].contains("token_malformed"))
        try await waitUntil { socket.slow.requests == ["GET /slow", "GET /slower"] }
        socket.slow.answer("two")
        #expect(try await socket.answers(4).last?.hasSuffix("\r\n\r\ntwo") == true)
        try await socket.close()
    }

    @Test("an answer that came before its request's body ended doesn't mix the two up", arguments: Front.allCases)
    func earlyAnswer(_ front: Front) async throws {
        let socket = try await SocketFixture(front, answersAtOnce: false)
        try await socket.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234")
        try await waitUntil { socket.slow.requests.count == 1 }
        socket.slow.answer("early")
        #expect(try await socket.answers(1).count == 1)
        try await socket.send("56789" + get("/b"))
        try await waitUntil { socket.slow.requests == ["POST /a", "GET /b"] }
        socket.slow.answer("late")
        #expect(try await socket.answers(2).last?.hasSuffix("late") == true)
        try await socket.close()
    }

    @Test("bodies of both framings arrive whole, cut anywhere", arguments: Front.allCases)
    func bodies(_ front: Front) async throws {
        let text =
            "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
            + "POST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n2\r\n!!\r\n0\r\n\r\n"
            + get("/c")
        for cut in stride(from: 0, to: text.utf8.count, by: 7) {
            let socket = try await SocketFixture(front)
            try await socket.send(String(text.prefix(cut)))
            try await socket.send(String(text.dropFirst(cut)))
            let answers = try await socket.answers(3)
            #expect(
                answers.map { String($0.split(separator: "\r\n\r\n").last ?? "") } == [
                    "POST /a 5", "POST /b 7", "GET /c 0",
                ])
            try await socket.close()
        }
    }

    @Test(
        "a refused head gets its problem in writing, then the end",
        arguments: HeadTable.all.filter { $0.refusal != nil }, Front.allCases)
    func refused(_ row: HeadCase, _ front: Front) async throws {
        let socket = try await SocketFixture(front)
        try await socket.send(row.head)
        let answers = try await socket.untilClosed()
        #expect(answers.count == 1)
        #expect(
            answers.first?.hasPrefix("HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\n") == true)
        #expect(answers.first?.contains("\r\nConnection: close\r\n") == true)
        #expect(answers.first?.contains("\"code\":\"malformed_request\"") == true)
        #expect(socket.slow.requests.isEmpty)
        try await socket.close()
    }

    @Test(
        "what is too large is refused in writing: head, fields, body by length, body by chunks",
        arguments: Front.allCases)
    func tooLarge(_ front: Front) async throws {
        let fields = (0..<101).map { "X-\($0): y\r\n" }.joined()
        let rows = [
            ("GET / HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "x", count: 20_000))\r\n\r\n", "431"),
            (get("/", fields), "431"),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1025\r\n\r\n", "413"),
            ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n401\r\n", "413"),
            ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "400"),
        ]
        for (request, status) in rows {
            let socket = try await SocketFixture(front)
            try await socket.send(request)
            let answers = try await socket.untilClosed()
            #expect(answers.count == 1)
            #expect(answers.first?.hasPrefix("HTTP/1.1 \(status) ") == true)
            try await socket.close()
        }
    }

    @Test("Connection: close is honoured on both paths, and by 1.0", arguments: Front.allCases)
    func closes(_ front: Front) async throws {
        let fixture = try FastPathFixture()
        for request in [
            validate("x", "Connection: close\r\n"), get("/a", "Connection: close\r\n"), "GET /a HTTP/1.0\r\n\r\n",
        ] {
            let socket = try await SocketFixture(front, fastPath: fixture.path)
            try await socket.send(request + get("/never"))
            let answers = try await socket.untilClosed()
            #expect(answers.count == 1)
            #expect(answers.first?.contains("\r\nConnection: close\r\n") == true)
            try await socket.close()
        }
        let socket = try await SocketFixture(front)
        try await socket.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + get("/b"))
        let answers = try await socket.answers(2)
        #expect(answers.first?.contains("\r\nConnection: keep-alive\r\n") == true)
        #expect(answers.last?.contains("\r\nConnection:") == false)
        try await socket.close()
    }

    @Test("a client that ends its side after its requests still gets every answer", arguments: Front.allCases)
    func halfClose(_ front: Front) async throws {
        let fixture = try FastPathFixture()
        let socket = try await SocketFixture(front, fastPath: fixture.path, answersAtOnce: false)
        try await socket.send(get("/a") + validate() + get("/b"))
        try await socket.endInput()
        for (index, path) in ["/a", "/b"].enumerated() {
            try await waitUntil { socket.slow.requests.count == index + 1 }
            socket.slow.answer(path)
        }
        #expect(try await socket.untilClosed().count == 3)
        try await socket.close()
    }

    @Test("HEAD gets the head that GET would, without the body", arguments: Front.allCases)
    func head(_ front: Front) async throws {
        let socket = try await SocketFixture(front)
        try await socket.send("HEAD /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        let text = try await socket.transcript.wait(on: socket.client.eventLoop) { _, isClosed in isClosed }
        #expect(text.contains("Content-Length: 9\r\n"))
        #expect(text.hasSuffix("\r\n\r\n"))
        try await socket.close()
    }

    @Test("who waits for 100 Continue gets it", arguments: Front.allCases)
    func expectation(_ front: Front) async throws {
        let socket = try await SocketFixture(front)
        try await socket.send("POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        let text = try await socket.transcript.wait(on: socket.client.eventLoop) { text, _ in text.hasSuffix("\r\n\r\n")
        }
        #expect(text == "HTTP/1.1 100 Continue\r\n\r\n")
        try await socket.send("ab")
        #expect(try await socket.answers(2).last?.hasSuffix("POST /a 2") == true)
        try await socket.close()
    }

    @Test(
        "a head or a body that doesn't come in time gets an answer, a silent connection an end",
        arguments: Front.allCases)
    func timeouts(_ front: Front) async throws {
        for request in ["GET / HT", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab"] {
            let socket = try await begun(request) {
                try await SocketFixture(front) {
                    $0.headTimeout = .milliseconds(50)
                    $0.idleTimeout = .milliseconds(1_500)
                }
            }
            let answers = try await socket.untilClosed()
            #expect(answers.count == 1)
            #expect(answers.first?.hasPrefix("HTTP/1.1 400 ") == true)
            try await socket.close()
        }
        let silent = try await SocketFixture(front) { $0.idleTimeout = .milliseconds(40) }
        #expect(try await silent.untilClosed().isEmpty)
        try await silent.close()
    }

    /// A connection on which this was said. A test that has to wait for a core can be silent for longer than the idle timeout
    /// before it says anything: that connection ended rightly, and another one is begun.
    private func begun(
        _ request: String, _ make: () async throws -> SocketFixture
    ) async throws -> SocketFixture {
        while true {
            let socket = try await make()
            do {
                try await socket.send(request)
                return socket
            } catch let error as ChannelError where error == .ioOnClosedChannel {
                try await socket.close()
            }
        }
    }

    @Test("one connection too many is told so as soon as it asks", arguments: Front.allCases)
    func oneTooMany(_ front: Front) async throws {
        let socket = try await begun(get("/")) { try await SocketFixture(front, admission: .oneTooMany) }
        let answers = try await socket.untilClosed()
        #expect(answers.first?.hasPrefix("HTTP/1.1 503 ") == true)
        #expect(answers.first?.contains("\r\nRetry-After: 1\r\n") == true)
        #expect(answers.first?.contains("\"code\":\"overloaded\"") == true)
        try await socket.close()
    }

    @Test("beyond that a connection is closed without a word", arguments: Front.allCases)
    func unwelcome(_ front: Front) async throws {
        let socket = try await SocketFixture(front, admission: .unwelcome)
        #expect(try await socket.untilClosed().isEmpty)
        try await socket.close()
    }

    @Test("a graceful stop ends idle connections at once, and the others after their answer", arguments: Front.allCases)
    func quiesce(_ front: Front) async throws {
        let idle = try await SocketFixture(front)
        try await idle.send(get("/a"))
        #expect(try await idle.answers(1).first?.contains("Connection: close") == false)
        try await idle.stop()
        #expect(try await idle.untilClosed().count == 1)
        try await idle.close()

        let busy = try await SocketFixture(front, answersAtOnce: false)
        try await busy.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n0")
        try await waitUntil { busy.slow.requests.count == 1 }
        try await busy.stop()
        try await busy.send("1" + get("/never"))
        busy.slow.answer("done")
        let answers = try await busy.untilClosed()
        #expect(answers.count == 1)
        #expect(answers.first?.contains("\r\nConnection: close\r\n") == true)
        #expect(answers.first?.hasSuffix("done") == true)
        try await busy.close()
    }

    @Test("a client that never reads is not answered without end", arguments: Front.allCases)
    func neverReads(_ front: Front) async throws {
        let fixture = try FastPathFixture()
        let socket = try await SocketFixture(front, fastPath: fixture.path) { $0.idleTimeout = .milliseconds(1_500) }
        try await socket.client.setOption(.autoRead, value: false).get()
        // Once the server stops reading, this stops being writable for good, and the server ends the connection.
        let text = String(repeating: validate(), count: 1_000)
        var sent = 0
        while sent < 100 {
            sent += 1
            do { try await socket.send(text) } catch { break }
        }
        #expect(sent < 100)
        try? await socket.close()
    }

    @Test(
        "a stream whose client reads nothing ends after the idle timeout; one on which there is nothing to say does not",
        arguments: Front.allCases)
    func slowReader(_ front: Front) async throws {
        func asking() async throws -> SocketFixture {
            let socket = try await SocketFixture(front, answersAtOnce: false) { $0.idleTimeout = .seconds(2) }
            try await socket.send(get("/a"))
            try await waitUntil { socket.slow.requests.count == 1 }
            return socket
        }
        let (quiet, deaf) = (try await asking(), try await asking())
        quiet.slow.stream("hello")
        try await deaf.client.setOption(.autoRead, value: false).get()
        // More than the two sockets hold between them.
        deaf.slow.stream(String(repeating: "x", count: 32 * 1024 * 1024))
        try await eventually("the deaf one has ended") { !deaf.slow.isOpen }
        #expect(quiet.slow.isOpen)
        for socket in [quiet, deaf] { try? await socket.close() }
    }

    private func waitUntil(_ condition: () -> Bool) async throws {
        try await eventually("the slow path has the request", every: .milliseconds(1)) { condition() }
    }
}
