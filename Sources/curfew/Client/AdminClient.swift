// Calls to a node over HTTP: JSON out, JSON in, and a node's refusal as one line, `code: detail`.

import AsyncHTTPClient
import CurfewRedis
import Foundation
import NIOCore
import NIOHTTP1
import NIOSSL

struct AdminClient {
    enum Method: String { case get = "GET", post = "POST", put = "PUT" }

    let base: String
    let apiKey: String?
    private let client: HTTPClient

    /// `tls`: for a node that ends TLS itself; `nil` for the system's authorities and no certificate of one's own.
    init(base: String, apiKey: String?, tls: TLSConfiguration? = nil) {
        self.base = base
        self.apiKey = apiKey
        client = tls.map(Self.makeClient) ?? Self.usualClient
    }

    struct Answer {
        let status: UInt
        let body: Data

        var text: String { String(decoding: body, as: UTF8.self) }

        /// The body as `type`; a node that answers something else is an internal error.
        func decoded<T: Decodable>(as type: T.Type) throws(CommandFailure) -> T {
            do {
                return try JSONDecoder().decode(type, from: body)
            } catch {
                throw CommandFailure(.internal, "the answer (\(status)) is not what this version of curfew expects")
            }
        }
    }

    /// An answer below 400. Throws a `CommandFailure` for anything else: 1 for a refusal, 64 for a request that was
    /// not understood, 69 where nobody answers or the node can't, 70 for its own faults.
    func call(
        _ method: Method, _ path: String, json: [String: any Encodable]? = nil, timeout: Duration = .seconds(60)
    ) async throws -> Answer {
        let answer = try await send(method, path, bearer: apiKey, body: json.map(Self.encoded), timeout: timeout)
        guard answer.status >= 400 else { return answer }
        throw Self.failure(answer)
    }

    /// Any answer at all. Throws only where there is none.
    func send(
        _ method: Method, _ path: String, bearer: String? = nil, body: Data? = nil,
        timeout: Duration = .seconds(60)
    ) async throws(CommandFailure) -> Answer {
        var request = request(method, path, bearer: bearer)
        if let body {
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(ByteBuffer(bytes: body))
        }
        do {
            let response = try await client.execute(request, timeout: TimeAmount(timeout))
            let buffer = try await response.body.collect(upTo: 8 * 1024 * 1024)
            return Answer(status: response.status.code, body: Data(buffer.readableBytesView))
        } catch {
            throw noAnswer(error)
        }
    }

    /// A stream of lines (server-sent events) until its end, whoever ends it. Throws as `call` does.
    func stream(_ path: String, lastID: String?, _ take: (String) -> Void) async throws {
        var request = request(.get, path, bearer: apiKey)
        if let lastID { request.headers.add(name: "Last-Event-ID", value: lastID) }
        let response: HTTPClientResponse
        do {
            response = try await client.execute(request, timeout: .hours(24 * 365))
        } catch {
            throw noAnswer(error)
        }
        guard response.status == .ok else {
            let body = try? await response.body.collect(upTo: 64 * 1024)
            throw Self.failure(
                Answer(status: response.status.code, body: Data((body ?? ByteBuffer()).readableBytesView)))
        }
        var rest: [UInt8] = []
        do {
            for try await part in response.body {
                rest += part.readableBytesView
                while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                    take(String(decoding: rest[..<end], as: UTF8.self))
                    rest.removeSubrange(...end)
                }
            }
        } catch {
            throw noAnswer(error)
        }
    }

    /// One segment of a path, or a query's value: all but the unreserved characters (RFC 3986 section 2.3).
    static func escaped(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: unreserved) ?? ""
    }

    private static let unreserved = CharacterSet(
        charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")

    private func request(_ method: Method, _ path: String, bearer: String?) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: base + path)
        request.method = HTTPMethod(rawValue: method.rawValue)
        if let bearer { request.headers.add(name: "Authorization", value: "Bearer \(bearer)") }
        return request
    }

    private func noAnswer(_ error: any Error) -> CommandFailure {
        let reason = "\(error)".contains("Connection refused") ? "connection refused" : "\(error)"
        return CommandFailure(.unavailable, "no answer from \(RedisAddress.masked(base)): \(reason)")
    }

    private static let usualClient = makeClient(tls: nil)

    /// Says at once that nobody is there, instead of trying until the deadline. Lives as long as the process.
    private static func makeClient(tls: TLSConfiguration?) -> HTTPClient {
        var configuration = HTTPClient.Configuration()
        configuration.tlsConfiguration = tls
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.timeout.connect = .seconds(5)
        // Longer than any call may take, and than a few heartbeats of a stream: who is silent for so long is gone.
        configuration.timeout.read = .seconds(65)
        configuration.redirectConfiguration = .disallow
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        // It insists on being shut down before it goes.
        _ = Unmanaged.passRetained(client)
        return client
    }

    private static func failure(_ answer: Answer) -> CommandFailure {
        let status: ExitStatus =
            switch answer.status {
            case 400, 413, 415, 431: .usage
            case 503: .unavailable
            case 500...: .internal
            default: .refused
            }
        guard let problem = try? JSONDecoder().decode(Problem.self, from: answer.body) else {
            return CommandFailure(
                status, "the node answered \(answer.status)", isGateway: [502, 504].contains(answer.status))
        }
        return CommandFailure(status, "\(problem.code): \(problem.detail ?? problem.title ?? "\(answer.status)")")
    }

    private static func encoded(_ object: [String: any Encodable]) -> Data {
        let members = object.sorted { $0.key < $1.key }.map { name, value in
            "\(text(of: name)):\(text(of: value))"
        }
        return Data("{\(members.joined(separator: ","))}".utf8)
    }

    private static func text(of value: any Encodable) -> String {
        guard let data = try? JSONEncoder().encode(value) else { preconditionFailure("a value that has no JSON") }
        return String(decoding: data, as: UTF8.self)
    }
}

/// RFC 9457.
private struct Problem: Decodable {
    let code: String
    let title: String?
    let detail: String?
}

/// A JSON object's text, put into a request as it is.
struct JSONObject: Encodable {
    private let value: JSONValue

    /// `nil` unless the text is one object.
    init?(_ text: String) {
        guard let value = try? JSONDecoder().decode(JSONValue.self, from: Data(text.utf8)), case .object = value
        else { return nil }
        self.value = value
    }

    func encode(to encoder: any Encoder) throws { try value.encode(to: encoder) }
}

private enum JSONValue: Codable {
    case null, flag(Bool), integer(Int64), number(Double), text(String), list([JSONValue]), object([String: JSONValue])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let flag = try? container.decode(Bool.self) {
            self = .flag(flag)
        } else if let integer = try? container.decode(Int64.self) {
            self = .integer(integer)
        } else if let number = try? container.decode(Double.self) {
            self = .number(number)
        } else if let text = try? container.decode(String.self) {
            self = .text(text)
        } else if let list = try? container.decode([JSONValue].self) {
            self = .list(list)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .flag(let flag): try container.encode(flag)
        case .integer(let integer): try container.encode(integer)
        case .number(let number): try container.encode(number)
        case .text(let text): try container.encode(text)
        case .list(let list): try container.encode(list)
        case .object(let object): try container.encode(object)
        }
    }
}
