// The calls of the demo's page. Below /demo/<device>/ there are the public calls that it makes, passed on to the device's
// node, and the two things that it asks of its application. All of it is for this page only: another site's page, or another
// name for this address, is refused.

import AsyncHTTPClient
import Foundation
import HTTPTypes
import HummingbirdCore
import NIOCore
import NIOHTTP1

struct DemoResponder: Sendable {
    private static let maximumBodyBytes = 1_024
    private static let maximumAnswerBytes = 64 * 1024
    /// As nodes have it. The page has its own.
    private static let policy = "default-src 'none'; frame-ancestors 'none'"

    private let panes: [DemoPane]
    private let page: DemoPage
    private let application: DemoApplication

    init(cluster: DevCluster) {
        panes = DemoPane.panes(of: cluster)
        page = DemoPage(panes: panes)
        application = DemoApplication(apiKey: cluster.apiKey)
    }

    /// Each stream keeps its connection. Lives as long as the process.
    private static let streams: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.timeout.connect = .seconds(5)
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = DemoListener.maximumConnections
        configuration.redirectConfiguration = .disallow
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    private struct Answer {
        var status: Int
        var type = "application/json"
        var policy = DemoResponder.policy
        var body = ByteBuffer()
        /// Instead of the body.
        var stream: HTTPClientResponse.Body?

        static func problem(_ status: Int, _ code: String) -> Answer {
            Answer(status: status, type: "application/problem+json", body: ByteBuffer(string: #"{"code":"\#(code)"}"#))
        }
        static let done = Answer(status: 200, body: ByteBuffer(string: "{}"))

        var fields: HTTPFields {
            var fields = HTTPFields()
            fields[.contentType] = type
            fields[.contentSecurityPolicy] = policy
            fields[.xContentTypeOptions] = "nosniff"
            fields[.cacheControl] = "no-store"
            fields[.referrerPolicy] = "no-referrer"
            fields[.crossOriginResourcePolicy] = "same-origin"
            if stream == nil { fields[.contentLength] = String(body.readableBytes) }
            return fields
        }
    }

    func respond(to request: Request, with writer: consuming ResponseWriter) async throws {
        let answer = await answer(to: request)
        let head = HTTPResponse(status: .init(code: answer.status), headerFields: answer.fields)
        guard let stream = answer.stream else {
            return try await writer.write(response: head, body: ResponseBody(byteBuffer: answer.body))
        }
        // As they come, until the page is gone. Where the node's stream breaks off so does this one, and the browser connects again.
        let body = ResponseBody { writer in
            try await request.body.consumeWithCancellationOnInboundClose { _ in
                for try await events in stream { try await writer.write(events) }
            }
            try await writer.finish(nil)
        }
        try await writer.write(response: head, body: body)
    }

    private func answer(to request: Request) async -> Answer {
        guard Self.isOurs(request) else { return .problem(403, "forbidden") }
        do {
            switch (request.method, request.head.path) {
            case (.get, "/demo"):
                let (html, policy) = page.render()
                return Answer(
                    status: 200, type: "text/html; charset=utf-8", policy: policy, body: ByteBuffer(string: html))
            case (.get, _):
                if let pane = pane(of: request, "v1/events") {
                    return try await events(of: pane, after: request.headers[.lastEventID])
                }
                guard let pane = pane(of: request, "v1/validate") else { break }
                return try await passOn(.get, "/v1/validate", to: pane)
            case (.post, _):
                return try await change(request)
            default: break
            }
            return .problem(404, "not_found")
        } catch {
            return .problem(502, "node_unavailable")
        }
    }

    private func change(_ request: Request) async throws -> Answer {
        if let pane = pane(of: request, "v1/logout") {
            guard let body = try? await request.body.collect(upTo: Self.maximumBodyBytes) else {
                return .problem(413, "body_too_large")
            }
            return try await passOn(.post, "/v1/logout", to: pane, body: body)
        }
        if let pane = pane(of: request, "sign-in") {
            try await application.signIn(pane)
        } else if let pane = pane(of: request, "permissions") {
            try await application.changePermissions(through: pane)
        } else {
            return .problem(404, "not_found")
        }
        return .done
    }

    /// The pane whose call of this name it is.
    private func pane(of request: Request, _ end: String) -> DemoPane? {
        panes.first { request.head.path == "/demo/\($0.id)/\(end)" }
    }

    /// A page elsewhere may make a browser send requests here, by this address or by a name of its own that it lets point
    /// here. `Host` tells the second; whoever changes something, its browser says that it is this page's own call.
    private static func isOurs(_ request: Request) -> Bool {
        guard let host = request.head.authority,
            ["127.0.0.1", "localhost"].contains(host.prefix { $0 != ":" })
        else { return false }
        return request.method == .get || request.headers[.secFetchSite] == "same-origin"
            || request.headers[.origin] == "http://\(host)"
    }
}

// MARK: - What is passed on to a node

extension DemoResponder {
    /// Status and body come back, and no field: `Clear-Site-Data`, say, is of another origin.
    private func passOn(
        _ method: AdminClient.Method, _ path: String, to pane: DemoPane, body: ByteBuffer? = nil
    ) async throws -> Answer {
        guard let token = await application.token(of: pane) else { return .problem(401, "token_missing") }
        let answer = try await AdminClient(base: pane.publicURL, apiKey: nil).send(
            method, path, bearer: token, body: body.map { Data($0.readableBytesView) },
            timeout: DemoApplication.timeout)
        return Answer(
            status: Int(answer.status),
            type: answer.status < 400 ? "application/json" : "application/problem+json",
            body: ByteBuffer(bytes: answer.body))
    }

    /// The stream once it has begun, or the refusal.
    private func events(of pane: DemoPane, after lastID: String?) async throws -> Answer {
        guard let token = await application.token(of: pane) else { return .problem(401, "token_missing") }
        var request = HTTPClientRequest(url: pane.publicURL + "/v1/events")
        request.headers.add(name: "Authorization", value: "Bearer \(token)")
        if let lastID { request.headers.add(name: "Last-Event-ID", value: lastID) }
        let response = try await Self.streams.execute(request, timeout: TimeAmount(DemoApplication.timeout))
        guard response.status == .ok else {
            let body = try await response.body.collect(upTo: Self.maximumAnswerBytes)
            return Answer(status: Int(response.status.code), type: "application/problem+json", body: body)
        }
        return Answer(status: 200, type: "text/event-stream", stream: response.body)
    }
}

extension HTTPField.Name {
    fileprivate static let referrerPolicy = named("Referrer-Policy")
    fileprivate static let crossOriginResourcePolicy = named("Cross-Origin-Resource-Policy")
    fileprivate static let lastEventID = named("Last-Event-ID")
    fileprivate static let secFetchSite = named("Sec-Fetch-Site")

    private static func named(_ text: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(text) else { preconditionFailure("\(text) is no field name") }
        return name
    }
}
