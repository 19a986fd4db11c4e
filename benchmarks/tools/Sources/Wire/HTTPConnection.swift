// HTTP/1.1 over one kept-alive connection, as much of it as the nodes' answers need: a status, Content-Length, a body.

/// One answer.
public struct HTTPAnswer {
    public let status: Int
    public let body: [UInt8]
    /// Head and body on the wire.
    public let byteCount: Int

    /// The text of the first string member `name` of the JSON body: good enough for values without escapes.
    public func text(_ name: String) throws(WireError) -> String {
        let opening = Array("\"\(name)\":\"".utf8)
        guard let start = body.firstRange(of: opening)?.upperBound,
            let end = body[start...].firstIndex(of: UInt8(ascii: "\""))
        else { throw WireError("status \(status) without \(name): \(String(decoding: body, as: UTF8.self))") }
        return String(decoding: body[start..<end], as: UTF8.self)
    }

    /// Throws with the body where the status is another one.
    @discardableResult
    public func expecting(_ status: Int) throws(WireError) -> HTTPAnswer {
        guard self.status == status else {
            throw WireError("status \(self.status), expected \(status): \(String(decoding: body, as: UTF8.self))")
        }
        return self
    }
}

/// A kept-alive connection to one listener of a node.
public final class HTTPConnection {
    public let socket: Socket

    public init(port: UInt16) throws(WireError) { socket = try Socket(port: port) }

    public func send(_ request: [UInt8]) throws(WireError) { try socket.send(request) }

    /// The next answer, blocking.
    public func receive() throws(WireError) -> HTTPAnswer {
        while true {
            if let answer = try takeAnswer() { return answer }
            try socket.fill()
        }
    }

    /// After `readable` named this socket: reads what is there, and answers once an answer is whole.
    public func receiveIfWhole() throws(WireError) -> HTTPAnswer? {
        try socket.fill()
        return try takeAnswer()
    }

    public func call(_ request: [UInt8]) throws(WireError) -> HTTPAnswer {
        try send(request)
        return try receive()
    }

    private func takeAnswer() throws(WireError) -> HTTPAnswer? {
        guard let end = socket.unread.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound else { return nil }
        let head = String(decoding: socket.unread[..<end], as: UTF8.self)
        let lines = head.split(separator: "\r\n")
        guard let status = lines.first?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
            throw WireError("not HTTP: \(head)")
        }
        let length = lines.dropFirst().lazy.map { $0.split(separator: ":", maxSplits: 1) }
            .first { $0[0].lowercased() == "content-length" }
            .flatMap { Int($0[1].drop { $0 == " " }) }
        guard let length else { throw WireError("no Content-Length: \(head)") }
        guard socket.unread.count >= end + length else { return nil }
        let bytes = socket.take(end + length)
        return HTTPAnswer(status: status, body: Array(bytes[end...]), byteCount: bytes.count)
    }
}

/// The requests that the tools send, as bytes.
public enum Requests {
    public static func validate(token: String) -> [UInt8] {
        Array("GET /v1/validate HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer \(token)\r\n\r\n".utf8)
    }

    public static func issue(user: String, apiKey: String) -> [UInt8] {
        let body =
            "{\"userId\":\"\(user)\",\"deviceId\":\"phone\",\"kind\":\"web\",\"permissions\":[\"docs:read\",\"docs:write\"]}"
        return post("/v1/issue", body, apiKey)
    }

    /// An issue with everything that is known of a device; an empty user agent is none.
    public static func login(user: String, userAgent: String, apiKey: String) -> [UInt8] {
        let agent = userAgent.isEmpty ? "" : "\"userAgent\":\"\(userAgent)\","
        let body =
            "{\"userId\":\"\(user)\",\"deviceId\":\"dev_7f3a91c2\",\"kind\":\"web\","
            + "\"device\":{\"name\":\"Ada's MacBook\",\"platform\":\"macos\"},\(agent)"
            + "\"ipAddress\":\"203.0.113.195\",\"location\":\"Berlin, DE\",\"authMethods\":[\"pwd\",\"otp\"],"
            + "\"permissions\":[\"docs:read\",\"docs:write\"]}"
        return post("/v1/issue", body, apiKey)
    }

    public static func revoke(session: String, waits: Bool, apiKey: String) -> [UInt8] {
        let wait = waits ? "cluster" : "none"
        return post("/v1/revoke", "{\"sessionId\":\"\(session)\",\"reason\":\"security\",\"wait\":\"\(wait)\"}", apiKey)
    }

    public static func ready() -> [UInt8] { Array("GET /health/ready HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".utf8) }

    private static func post(_ path: String, _ body: String, _ apiKey: String) -> [UInt8] {
        Array(
            """
            POST \(path) HTTP/1.1\r
            Host: 127.0.0.1\r
            Authorization: Bearer \(apiKey)\r
            Content-Type: application/json\r
            Content-Length: \(body.utf8.count)\r
            \r
            \(body)
            """.utf8)
    }
}
