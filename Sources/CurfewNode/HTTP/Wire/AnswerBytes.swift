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

    /// That browsers shall come back by TLS only (RFC 6797): a year, for this host.
    private static let strictTransport: StaticString = "Strict-Transport-Security: max-age=31536000\r\n"

    /// What the answer says about the connection.
    struct Connection: Hashable, Sendable {
        enum Persistence: CaseIterable, Sendable { case silent, close, keepAlive }

        var persistence: Persistence
        /// The node itself ends TLS.
        var isSecure = false

        static let silent = Connection(persistence: .silent)
        /// In the order of `index`.
        static let all = [false, true].flatMap { isSecure in
            Persistence.allCases.map { Connection(persistence: $0, isSecure: isSecure) }
        }

        init(persistence: Persistence, isSecure: Bool = false) {
            (self.persistence, self.isSecure) = (persistence, isSecure)
        }

        init(of head: RequestHead?, closes: Bool, isSecure: Bool) {
            let persistence: Persistence = head?.keepsAlive == true ? .keepAlive : .silent
            self.init(persistence: closes ? .close : persistence, isSecure: isSecure)
        }

        /// Its place among all that there are.
        var index: Int {
            let place =
                switch persistence {
                case .silent: 0
                case .close: 1
                case .keepAlive: 2
                }
            return isSecure ? place + 3 : place
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
        if connection.isSecure { buffer.writeStaticString(strictTransport) }
        switch connection.persistence {
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
