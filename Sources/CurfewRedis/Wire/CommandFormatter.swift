// Commands to bytes, by hiredis' formatter: the same in 0.14 and 1.x but for the result's integer type.
// Runs on the caller's thread, so that the event loop only writes.

import CHiredis
import NIOCore

enum CommandFormatter {
    /// All commands in one buffer, in order. `nil` when hiredis has no memory for it.
    static func format(_ commands: [RedisCommand]) -> ByteBuffer? {
        var buffer = ByteBuffer()
        for command in commands {
            guard append(command, to: &buffer) else { return nil }
        }
        return buffer
    }

    private static func append(_ command: RedisCommand, to buffer: inout ByteBuffer) -> Bool {
        let count = command.arguments.count + 1
        let size = command.arguments.reduce(command.verb.utf8.count) { $0 + $1.bytes.count }
        return withUnsafeTemporaryAllocation(byteCount: max(size, 1), alignment: 1) { text in
            withUnsafeTemporaryAllocation(of: UnsafePointer<CChar>?.self, capacity: count) { pointers in
                withUnsafeTemporaryAllocation(of: Int.self, capacity: count) { lengths in
                    var end = 0
                    func place(_ bytes: some Collection<UInt8>, at index: Int) {
                        let start = end
                        text[start..<(start + bytes.count)].copyBytes(from: bytes)
                        end += bytes.count
                        let address = text.baseAddress.map { UnsafePointer<CChar>(OpaquePointer($0 + start)) }
                        pointers.initializeElement(at: index, to: address)
                        lengths.initializeElement(at: index, to: bytes.count)
                    }
                    place(command.verb.utf8, at: 0)
                    for (index, argument) in command.arguments.enumerated() { place(argument.bytes, at: index + 1) }
                    return append(pointers, lengths, to: &buffer)
                }
            }
        }
    }

    private static func append(
        _ pointers: UnsafeMutableBufferPointer<UnsafePointer<CChar>?>, _ lengths: UnsafeMutableBufferPointer<Int>,
        to buffer: inout ByteBuffer
    ) -> Bool {
        var formatted: UnsafeMutablePointer<CChar>?
        let length = Int(
            redisFormatCommandArgv(&formatted, Int32(pointers.count), pointers.baseAddress, lengths.baseAddress))
        guard length >= 0, let formatted else { return false }
        defer { redisFreeCommand(formatted) }
        buffer.writeBytes(UnsafeRawBufferPointer(start: formatted, count: length))
        return true
    }
}
