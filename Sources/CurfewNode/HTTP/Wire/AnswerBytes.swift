// The bytes of answers. Both paths write their heads here, so no answer can miss a security field or its length, and
// the connection's fate is said in one place.

import NIOCore

enum AnswerBytes {
    /// What every answer says to browsers and caches.
    static let securityFields: StaticString = """
        X-Content-Type-Options: nosniff\r
        Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r
        Referrer-Policy: no-referrer\r
        Cross-Origin-Resource-Policy: same-origin\r

        """

    /// Unless the answer itself says for how long it may be kept.
    private static let noStore: StaticString = "Cache-Control: no-store\r\n"

    static let goOn: StaticString = "HTTP/1.1 100 Continue\r\n\r\n"

    /// What the answer says about the connection.
    enum Connection: Sendable {
        case silent, close, keepAlive

        init(of head: RequestHead?, closes: Bool) {
            if closes { self = .close } else { self = head?.keepsAlive == true ? .keepAlive : .silent }
        }
    }

    /// A head up to its empty line. `contentLength` nil: the body ends with the connection.
    static func writeHead(
        status: Int, fields: some Sequence<(name: String, value: String)>, contentLength: Int?,
        connection: Connection, into buffer: inout ByteBuffer
    ) {
        buffer.writeStaticString("HTTP/1.1 ")
        buffer.writeString(String(status))
        buffer.writeStaticString(" ")
        buffer.writeString(reasonPhrase(status))
        buffer.writeStaticString("\r\n")
        var mayBeKept = false
        for field in fields {
            if field.name == "Cache-Control" { mayBeKept = true }
            buffer.writeString(field.name)
            buffer.writeStaticString(": ")
            buffer.writeString(field.value)
            buffer.writeStaticString("\r\n")
        }
        if let contentLength {
            buffer.writeStaticString("Content-Length: ")
            buffer.writeString(String(contentLength))
            buffer.writeStaticString("\r\n")
        }
        buffer.writeStaticString(securityFields)
        if !mayBeKept { buffer.writeStaticString(noStore) }
        switch connection {
        case .silent: break
        case .close: buffer.writeStaticString("Connection: close\r\n")
        case .keepAlive: buffer.writeStaticString("Connection: keep-alive\r\n")
        }
        buffer.writeStaticString("\r\n")
    }

    /// A whole answer; without its body where a HEAD asked.
    static func write(_ answer: Answer, connection: Connection, isHead: Bool, into buffer: inout ByteBuffer) {
        writeHead(
            status: answer.status, fields: answer.fields, contentLength: answer.body.count, connection: connection,
            into: &buffer)
        if !isHead { buffer.writeBytes(answer.body) }
    }
}
