// A reader of server-sent events (WHATWG HTML, section 9.2.6), as plain as the format.

import Foundation

/// One stream. Reads only when it is asked.
package final class EventSource: @unchecked Sendable {
    /// A message to the page.
    package struct Message: Sendable {
        package var name: String
        package var data: JSON
        package var id: String?
    }

    private struct Block {
        var name: String?
        var data = ""
        var id: String?
    }

    /// Everything below is touched on it only.
    private let queue = DispatchQueue(label: "event source")
    private var connection: RawConnection?
    private var answer: HTTPAnswer?

    package init(port: Int, path: String, fields: [(String, String)]) throws {
        let connection = try RawConnection(port: port)
        let lines = fields.map { "\($0): \($1)\r\n" }.joined()
        connection.send(Array("GET \(path) HTTP/1.1\r\nHost: curfew\r\nAccept: text/event-stream\r\n\(lines)\r\n".utf8))
        self.connection = connection
    }

    /// The answer's head.
    package func head() async throws -> HTTPAnswer { try await run { try self.readHead() } }

    /// The next message; what is none is passed over.
    package func next() async throws -> Message {
        try await run {
            _ = try self.readHead()
            while true {
                let block = try self.readBlock()
                guard let name = block.name else { continue }
                return Message(name: name, data: JSON(Array(block.data.utf8)) ?? .null, id: block.id)
            }
        }
    }

    /// The next block that has data, whether it has a name or not.
    package func nextEntry() async throws -> (id: String?, data: JSON) {
        try await run {
            _ = try self.readHead()
            while true {
                let block = try self.readBlock()
                if !block.data.isEmpty { return (block.id, JSON(Array(block.data.utf8)) ?? .null) }
            }
        }
    }

    /// The next id, of whatever block.
    package func nextID(withinMilliseconds limit: Int = 10_000) async throws -> String {
        try await run {
            _ = try self.readHead()
            while true {
                if let id = try self.readBlock(withinMilliseconds: limit).id { return id }
            }
        }
    }

    /// Whether the other side ends the stream, within ten seconds and with no further message.
    package func hasEnded() async throws -> Bool {
        try await run {
            do {
                while try self.readBlock().name == nil {}
                return false
            } catch SocketError.closed {
                return true
            }
        }
    }

    package func close() { queue.sync { connection = nil } }

    private func readHead() throws -> HTTPAnswer {
        if let answer { return answer }
        guard let connection else { throw SocketError.closed }
        let answer = try connection.answer(withinMilliseconds: 10_000)
        self.answer = answer
        return answer
    }

    private func readBlock(withinMilliseconds limit: Int = 10_000) throws -> Block {
        guard let connection else { throw SocketError.closed }
        var block = Block()
        while true {
            let line = try connection.line(withinMilliseconds: limit)
            if line.isEmpty { return block }
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            let value = parts.count > 1 ? parts[1].drop { $0 == " " } : ""
            switch parts[0] {
            case "event": block.name = String(value)
            case "data": block.data += value
            case "id": block.id = String(value)
            default: break
            }
        }
    }

    private func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            // Blocking, so not on the threads that the tests' tasks share.
            queue.async { continuation.resume(with: Result { try body() }) }
        }
    }
}
