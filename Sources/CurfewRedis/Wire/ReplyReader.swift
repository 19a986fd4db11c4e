// Bytes to replies, by hiredis' reader. Each reply is copied out and freed at once: no memory of hiredis' gets out.
// Bounded: bytes of one unfinished reply, elements of one array, arrays in arrays (0.14 bounds only the last, 1.0 to 1.2
// none). Past a bound it is an error, after which the connection can only be closed.

import CHiredis
import NIOCore

/// Why the bytes can't be read on. The text is for logs; it quotes no bytes.
struct ReplyError: Error, Equatable {
    let reason: String
}

/// The reader of one connection.
struct ReplyReader: ~Copyable {
    /// Elements of one array; hiredis reserves the memory for them before they come.
    static let maximumElements = 1 << 20
    /// Arrays around an array; copying and freeing recurse that deep.
    static let maximumDepth = 7

    /// hiredis' own constructors.
    private static let defaults: redisReplyObjectFunctions = {
        guard let reader = redisReaderCreate() else { fatalError("no memory for a reply reader") }
        defer { redisReaderFree(reader) }
        return reader.pointee.fn.pointee
    }()
    /// The same with a bounded `createArray`. Unsafe only as a pointer: what it points to is written once, before its
    /// first use, and only read after that.
    nonisolated(unsafe) private static let functions: UnsafeMutablePointer<redisReplyObjectFunctions> = {
        var bounded = defaults
        bounded.createArray = { task, elements in
            guard (0...ReplyReader.maximumElements).contains(Int(elements)) else { return nil }
            var around = 0
            var parent = task?.pointee.parent
            while let outer = parent {
                around += 1
                if around > ReplyReader.maximumDepth { return nil }
                parent = outer.pointee.parent
            }
            return ReplyReader.defaults.createArray(task, elements)
        }
        let table = UnsafeMutablePointer<redisReplyObjectFunctions>.allocate(capacity: 1)
        table.initialize(to: bounded)
        return table
    }()

    private let reader: UnsafeMutablePointer<redisReader>
    private let maximumReplyBytes: Int
    private var unfinishedBytes = 0

    init(maximumReplyBytes: Int) {
        guard let reader = redisReaderCreate() else { fatalError("no memory for a reply reader") }
        reader.pointee.fn = Self.functions
        self.reader = reader
        self.maximumReplyBytes = maximumReplyBytes
    }

    deinit { redisReaderFree(reader) }

    /// Takes bytes from the connection and hands every finished reply to `body`, in order. `body` returns whether to go on.
    mutating func read(_ buffer: ByteBuffer, _ body: (RedisValue) -> Bool) throws(ReplyError) {
        let status = buffer.withUnsafeReadableBytes { bytes in
            redisReaderFeed(reader, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
        }
        if status != REDIS_OK { throw failure() }
        unfinishedBytes += buffer.readableBytes
        while let value = try next() {
            unfinishedBytes = Int(reader.pointee.len) - Int(reader.pointee.pos)
            if !body(value) { return }
        }
        if unfinishedBytes > maximumReplyBytes {
            throw ReplyError(reason: "a reply of more than \(maximumReplyBytes) bytes")
        }
    }

    private mutating func next() throws(ReplyError) -> RedisValue? {
        var raw: UnsafeMutableRawPointer?
        guard redisReaderGetReply(reader, &raw) == REDIS_OK else { throw failure() }
        guard let raw else { return nil }
        defer { freeReplyObject(raw) }
        return try Self.copy(raw.assumingMemoryBound(to: redisReply.self))
    }

    private func failure() -> ReplyError {
        switch reader.pointee.err {
        case REDIS_ERR_OOM: ReplyError(reason: "a reply of too many elements or too deep, or no memory")
        default: ReplyError(reason: "bytes that are not the Redis protocol")
        }
    }

    /// Recurses no deeper than `maximumDepth`.
    private static func copy(_ reply: UnsafeMutablePointer<redisReply>) throws(ReplyError) -> RedisValue {
        switch reply.pointee.type {
        case REDIS_REPLY_NIL: return .null
        case REDIS_REPLY_INTEGER: return .integer(Int64(reply.pointee.integer))
        case REDIS_REPLY_STRING: return .bytes(Array(text(of: reply)))
        case REDIS_REPLY_STATUS: return .status(String(decoding: text(of: reply), as: UTF8.self))
        case REDIS_REPLY_ERROR: return .error(RedisError.cleaned(String(decoding: text(of: reply), as: UTF8.self)))
        case REDIS_REPLY_ARRAY:
            let count = Int(reply.pointee.elements)
            var elements: [RedisValue] = []
            elements.reserveCapacity(count)
            for index in 0..<count {
                guard let element = reply.pointee.element[index] else { throw ReplyError(reason: "a hole in an array") }
                elements.append(try copy(element))
            }
            return .array(elements)
        default: throw ReplyError(reason: "a reply of a type that was not asked for")
        }
    }

    private static func text(of reply: UnsafeMutablePointer<redisReply>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: reply.pointee.str, count: Int(reply.pointee.len))
    }
}
