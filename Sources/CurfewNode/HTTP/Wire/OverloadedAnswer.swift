// The answer to a call that is one too many, in bytes that are ready: while a node is overloaded, this is what it says most.

import NIOCore

/// An answer that can be written as a whole.
protocol WholeAnswer {
    func write(connection: AnswerBytes.Connection, isHead: Bool, into buffer: inout ByteBuffer)
}

extension Answer: WholeAnswer {
    func write(connection: AnswerBytes.Connection, isHead: Bool, into buffer: inout ByteBuffer) {
        AnswerBytes.write(self, connection: connection, isHead: isHead, into: &buffer)
    }
}

struct OverloadedAnswer: WholeAnswer {
    static let shared = OverloadedAnswer()

    private let problem = Answer(
        Problem(.overloaded, "this listener works on all the calls that it may work on (max-calls)"))
    /// What nearly all get: with a body, on a connection that goes on.
    private let usual: ByteBuffer

    private init() {
        var buffer = ByteBuffer()
        problem.write(connection: .silent, isHead: false, into: &buffer)
        usual = buffer
    }

    func write(connection: AnswerBytes.Connection, isHead: Bool, into buffer: inout ByteBuffer) {
        if connection == .silent, !isHead {
            buffer.writeImmutableBuffer(usual)
        } else {
            problem.write(connection: connection, isHead: isHead, into: &buffer)
        }
    }
}
