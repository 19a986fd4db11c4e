// A connection whose listener has no place for its call, and which of them goes where there is no room for another one.

import HTTPTypes
import NIOCore
import NIOEmbedded
import Testing

@testable import CurfewNode

@Suite("Connections, overloaded") struct ConnectionOverloadTests {
    private let gate = CallGate(maximum: 1, patience: .seconds(60), clock: NodeClock())

    private func get(_ path: String) -> String { "GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n" }

    @Test(
        "a call too many is refused in writing, its body is read past, and the connection goes on",
        arguments: Front.allCases)
    func goesOn(_ front: Front) async throws {
        let other = CallPlace(gate: gate)
        #expect(other.take(bodyBytes: 0, isLight: false))
        let socket = try await SocketFixture(front, place: CallPlace(gate: gate))
        try await socket.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")
        let refused = try await socket.answers(1)
        #expect(refused[0].hasPrefix("HTTP/1.1 503 "))
        #expect(refused[0].contains("\r\nRetry-After: 1\r\n"))
        #expect(refused[0].contains("\"code\":\"overloaded\""))
        try await socket.send("llo" + get("/b"))
        #expect(try await socket.answers(2)[1].hasPrefix("HTTP/1.1 503 "))
        #expect(socket.slow.requests.isEmpty)
        other.release()
        for path in ["/c", "/d"] {
            try await socket.send(get(path))
            #expect(try await socket.answers(path == "/c" ? 3 : 4).last?.hasSuffix("GET \(path) 0") == true)
        }
        try await socket.close()
    }

    @Test(
        "a call whose place went while its body came is refused in writing, then the connection ends",
        arguments: Front.allCases)
    func lateRefusal(_ front: Front) async throws {
        let other = CallPlace(gate: gate)
        let socket = try await SocketFixture(front, answersAtOnce: false, place: CallPlace(gate: gate))
        try await socket.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")
        while socket.slow.requests.isEmpty { await Task.yield() }
        #expect(other.take(bodyBytes: 0, isLight: false), "a body that is under way holds no place")
        try await socket.send("llo" + get("/never"))
        let answers = try await socket.untilClosed()
        #expect(answers.count == 1)
        #expect(answers.first?.contains("\"code\":\"overloaded\"") == true)
        #expect(answers.first?.contains("\r\nConnection: close\r\n") == true)
        try await socket.close()
    }

    @Test(
        "an answer that needs no task is given where there is no place, and nothing of its request goes further",
        arguments: Front.allCases)
    func atOnce(_ front: Front) async throws {
        let other = CallPlace(gate: gate)
        #expect(other.take(bodyBytes: 0, isLight: false))
        let socket = try await SocketFixture(front, place: CallPlace(gate: gate)) { settings in
            settings.isLight = { $0.equals("/health") }
            settings.atOnce = { $0.path == "/health" ? Answer(body: Array("well".utf8)) : nil }
        }
        try await socket.send(get("/health") + get("/a"))
        let answers = try await socket.answers(2)
        #expect(answers[0].hasSuffix("\r\n\r\nwell"))
        #expect(answers[1].hasPrefix("HTTP/1.1 503 "))
        #expect(socket.slow.requests.isEmpty)
        try await socket.close()
    }

    @Test("the hand ends the connection that said nothing whole since it last came by, and none that is worked for")
    func ring() throws {
        let ring = ConnectionRing()
        let channels = try (0..<3).map { _ in try connected(to: ring) }
        // The first turn of the hand finds all of them new.
        #expect(ring.makeRoom())
        #expect(channels.map(\.isActive) == [false, true, true])
        try channels[1].writeInbound(ByteBuffer(string: "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab"))
        #expect(ring.makeRoom())
        #expect(channels.map(\.isActive) == [false, true, false])
        #expect(!ring.makeRoom(), "the last one waits for its answer")
        #expect(!ring.makeRoom())
        #expect(channels[1].isActive)
        _ = try? channels[1].finish()
        #expect(!ring.makeRoom(), "one that ended by itself is not there any more")
    }

    private func connected(to ring: ConnectionRing) throws -> EmbeddedChannel {
        let handler = ConnectionHandler(settings: ConnectionSettings(bodyLimit: { _ in 1024 }))
        let channel = EmbeddedChannel(handler: handler)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        ring.add(handler)
        return channel
    }
}
