// The body of validate's 200, written once for both paths: the fast one gives it ranges of a verified token, the slow
// one a session's values, and the bytes come out the same. It is written straight into the answer's buffer, whose
// space is reserved up front, so that nothing is allocated beside it.

import CurfewCore
import NIOCore

/// What the 200 of validate says. The buffers are plain text, not JSON, but for `permissions`.
struct ActiveBody {
    /// Its id's text.
    var session: UnsafeRawBufferPointer
    var user: UnsafeRawBufferPointer
    var device: UnsafeRawBufferPointer?
    var kind: SessionKind
    /// A JSON array.
    var permissions: UnsafeRawBufferPointer
    var permissionsVersion: UInt64
    var issuedAt: WallTime
    var expiresAt: WallTime
    var shouldRefresh: Bool
    var ageMilliseconds: Int64
    var isStale: Bool

    /// An upper bound of the body's bytes: names, numbers and times take less than 400, ids at most double.
    var capacity: Int { 400 + 2 * user.count + 2 * (device?.count ?? 0) + permissions.count }

    /// Appends the object; returns its length.
    @discardableResult
    func write(into buffer: inout ByteBuffer) -> Int {
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: capacity) { space in
            var cursor = ByteCursor(space)
            write(with: &cursor)
            return cursor.count
        }
    }

    func write(with cursor: inout ByteCursor) {
        cursor.put("{\"active\":true,\"sessionId\":\"")
        cursor.put(session)
        cursor.put("\",\"userId\":\"")
        cursor.putEscaped(user)
        cursor.put("\",\"deviceId\":")
        if let device {
            cursor.put("\"")
            cursor.putEscaped(device)
            cursor.put("\"")
        } else {
            cursor.put("null")
        }
        switch kind {
        case .web: cursor.put(",\"kind\":\"web\",\"permissions\":")
        case .remember: cursor.put(",\"kind\":\"remember\",\"permissions\":")
        case .api: cursor.put(",\"kind\":\"api\",\"permissions\":")
        }
        cursor.put(permissions)
        cursor.put(",\"permissionsVersion\":")
        cursor.put(decimal: permissionsVersion)
        cursor.put(",\"issuedAt\":\"")
        cursor.put(count: WallTime.rfc3339ByteCount) { issuedAt.writeRFC3339(into: $0) }
        cursor.put("\",\"expiresAt\":\"")
        cursor.put(count: WallTime.rfc3339ByteCount) { expiresAt.writeRFC3339(into: $0) }
        cursor.put(shouldRefresh ? "\",\"refresh\":true,\"ageMs\":" : "\",\"refresh\":false,\"ageMs\":")
        cursor.put(decimal: UInt64(max(0, ageMilliseconds)))
        cursor.put(isStale ? ",\"stale\":true}" : "}")
    }
}

extension ActiveSession {
    /// The same body from values.
    func write(into buffer: inout ByteBuffer) {
        let user = Array(user.text.utf8)
        let device = device.map { Array($0.text.utf8) }
        let id = Array(session.description.utf8)
        user.withUnsafeBytes { user in
            permissions.json.withUnsafeBytes { permissions in
                func write(id: UnsafeRawBufferPointer, device: UnsafeRawBufferPointer?) {
                    ActiveBody(
                        session: id, user: user, device: device, kind: kind, permissions: permissions,
                        permissionsVersion: permissionsVersion, issuedAt: issuedAt, expiresAt: expiresAt,
                        shouldRefresh: shouldRefresh, ageMilliseconds: ageMilliseconds, isStale: isStale
                    ).write(into: &buffer)
                }
                id.withUnsafeBytes { id in
                    if let device {
                        device.withUnsafeBytes { write(id: id, device: $0) }
                    } else {
                        write(id: id, device: nil)
                    }
                }
            }
        }
    }

    /// The same body as bytes of their own.
    var body: [UInt8] {
        var buffer = ByteBuffer()
        write(into: &buffer)
        return Array(buffer.readableBytesView)
    }
}

/// Appends to memory that is known to be large enough.
struct ByteCursor {
    private let space: UnsafeMutableRawBufferPointer
    var count = 0

    init(_ space: UnsafeMutableRawBufferPointer) { self.space = space }

    private var rest: UnsafeMutableRawBufferPointer { UnsafeMutableRawBufferPointer(rebasing: space[count...]) }

    mutating func put(_ text: StaticString) {
        rest.copyMemory(from: UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
        count += text.utf8CodeUnitCount
    }

    mutating func put(_ bytes: UnsafeRawBufferPointer) {
        rest.copyMemory(from: bytes)
        count += bytes.count
    }

    mutating func put(count: Int, _ body: (UnsafeMutableRawBufferPointer) -> Void) {
        body(rest)
        self.count += count
    }

    /// Ids have no control characters: quotes and backslashes are all that JSON wants escaped.
    mutating func putEscaped(_ text: UnsafeRawBufferPointer) {
        for byte in text {
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
                space[count] = UInt8(ascii: "\\")
                count += 1
            }
            space[count] = byte
            count += 1
        }
    }

    mutating func put(decimal number: UInt64) {
        let digits = Self.digits(of: number)
        put(decimal: number, digits: digits, at: count)
        count += digits
    }

    /// The lowest `digits` of a number, at a place that is kept free for them.
    func put(decimal number: UInt64, digits: Int, at place: Int) {
        var value = number
        for offset in (0..<digits).reversed() {
            space[place + offset] = UInt8(48 + value % 10)
            value /= 10
        }
    }

    static func digits(of number: UInt64) -> Int {
        var digits = 1
        var bound: UInt64 = 10
        while number >= bound, digits < 20 {
            digits += 1
            let (next, overflowed) = bound.multipliedReportingOverflow(by: 10)
            bound = overflowed ? .max : next
        }
        return digits
    }
}
