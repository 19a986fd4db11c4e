// What a reactor makes of the bytes that it has read: the requests at their front that memory alone answers, in order. The
// first one that needs anything else ends it, whole or not: that and all behind it are a `ConnectionHandler`'s, which has
// the same parser and the same fast path.

import NIOCore

struct FastTurn: Sendable {
    private let fastPath: FastPath
    private let limits: HeadLimits
    /// More answers than this are written before the next is made.
    private let maximumOutputBytes: Int

    /// `nil` where nothing is answered so.
    init?(_ settings: ConnectionSettings) {
        guard let fastPath = settings.fastPath, !settings.isSecure else { return nil }
        self.fastPath = fastPath
        limits = settings.head
        maximumOutputBytes = settings.maximumOutputBytes
    }

    /// Appends the answers. Returns how many bytes of requests they answer.
    func answer(_ bytes: UnsafeRawBufferPointer, scratch: VerdictScratch, into output: inout ByteBuffer) -> Int {
        let keys = scratch.keys(of: fastPath.keyRing)
        var answered = 0
        while answered < bytes.count, output.readableBytes < maximumOutputBytes {
            let rest = bytes.slice(answered..<bytes.count)
            var scanner = HeadScanner(limits: limits)
            guard case .complete(let head) = scanner.scan(rest), !head.closes, head.isPlainValidate(in: rest),
                fastPath.answer(
                    head, in: rest, ring: keys.ring, scratch: scratch.memory, connection: .silent, into: &output)
            else { break }
            answered += head.length
        }
        return answered
    }
}
