// The answers of validate in bytes that are ready: the 401s whole, the 200's head but for its length. They are made
// from the same table and writers that the slow path uses.

import CurfewCore
import NIOCore

// `@unchecked Sendable`: written here, once, and only read from then on.
struct FastAnswers: @unchecked Sendable {
    static let shared = FastAnswers()

    /// A head in memory that nobody counts references to: there is one for as long as the process lives.
    private struct Head {
        let before: UnsafeRawBufferPointer
        let after: UnsafeRawBufferPointer
    }

    /// By what is said about the connection.
    private let activeHeads: [Head]
    private let refusals: [ProblemCode: [[UInt8]]]

    private init() {
        let connections = AnswerBytes.Connection.all
        activeHeads = connections.map(FastAnswers.activeHead)
        var refusals: [ProblemCode: [[UInt8]]] = [:]
        let reasons = [RefusalReason.tokenMissing] + TokenRefusal.allCases.map(RefusalReason.init)
        for reason in reasons {
            refusals[ProblemCode(reason)] = connections.map { connection in
                var buffer = ByteBuffer()
                let answer = Answer(Problem.inactive(reason))
                AnswerBytes.write(answer, connection: connection, isHead: false, into: &buffer)
                return Array(buffer.readableBytesView)
            }
        }
        self.refusals = refusals
    }

    /// The head of a 200, cut where its length stands.
    private static func activeHead(_ connection: AnswerBytes.Connection) -> Head {
        var buffer = ByteBuffer()
        AnswerBytes.writeHead(
            status: 200, fields: [("Content-Type", "application/json")], contentLength: 0, connection: connection,
            into: &buffer)
        let bytes = Array(buffer.readableBytesView)
        let mark = Array("Content-Length: 0".utf8)
        guard let start = bytes.indices.first(where: { bytes[$0...].starts(with: mark) }) else {
            preconditionFailure("a head without its length")
        }
        let cut = start + mark.count
        return Head(before: immortal(bytes[..<(cut - 1)]), after: immortal(bytes[cut...]))
    }

    private static func immortal(_ bytes: ArraySlice<UInt8>) -> UnsafeRawBufferPointer {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        memory.copyBytes(from: bytes)
        return UnsafeRawBufferPointer(memory)
    }

    /// A 401, whole. `code` is one of validate's.
    func write(_ code: ProblemCode, connection: AnswerBytes.Connection, into buffer: inout ByteBuffer) {
        guard let bytes = refusals[code]?[connection.index] else { preconditionFailure("not a code of validate") }
        buffer.writeBytes(bytes)
    }

    /// A 200, whole. The length is written last, into the place that was kept free for it: three digits, as nearly every body
    /// takes; where that was wrong, everything is written again with the right number.
    func write(_ body: ActiveBody, connection: AnswerBytes.Connection, into buffer: inout ByteBuffer) {
        let head = activeHeads[connection.index]
        // A length has no more digits than this.
        let capacity = head.before.count + 20 + head.after.count + body.capacity
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: capacity) { space in
            var digits = 3
            while true {
                var cursor = ByteCursor(space)
                let length = write(body, head, digits: digits, with: &cursor)
                let needed = ByteCursor.digits(of: UInt64(length))
                if needed == digits { return cursor.count }
                digits = needed
            }
        }
    }

    private func write(
        _ body: ActiveBody, _ head: Head, digits: Int, with cursor: inout ByteCursor
    ) -> Int {
        cursor.put(head.before)
        let place = cursor.count
        cursor.count += digits
        cursor.put(head.after)
        let start = cursor.count
        body.write(with: &cursor)
        let length = cursor.count - start
        cursor.put(decimal: UInt64(length), digits: digits, at: place)
        return length
    }
}
