// HTTPS as a careful client speaks it: it trusts one authority, checks the name, and may have a certificate of its own.

import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOSSL

/// Calls one listener that ends TLS.
package struct SecureClient: Sendable {
    private let client: HTTPClient
    private let port: Int

    /// `certificate`: the name of one of the certificates' own, for a listener that wants one.
    package static func run<Result>(
        port: Int, _ certificates: TestCertificates, certificate: String? = nil,
        _ body: (SecureClient) async throws -> Result
    ) async throws -> Result {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.trustRoots = .file(certificates.authority)
        if let certificate {
            let path = "\(certificates.directory)/\(certificate)"
            tls.certificateChain = try NIOSSLCertificate.fromPEMFile("\(path).pem").map { .certificate($0) }
            tls.privateKey = .privateKey(try NIOSSLPrivateKey(file: "\(path).key", format: .pem))
        }
        var configuration = HTTPClient.Configuration(tlsConfiguration: tls)
        configuration.connectionPool.retryConnectionEstablishment = false
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        do {
            let result = try await body(SecureClient(client: client, port: port))
            try await client.shutdown()
            return result
        } catch {
            try? await client.shutdown()
            throw error
        }
    }

    /// Throws where no connection comes about.
    package func call(
        _ method: String, _ path: String, body: JSON? = nil, bearer: String? = nil
    ) async throws -> HTTPAnswer {
        var request = HTTPClientRequest(url: "https://localhost:\(port)\(path)")
        request.method = .init(rawValue: method)
        if let bearer { request.headers.add(name: "Authorization", value: "Bearer \(bearer)") }
        if let body {
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(ByteBuffer(string: body.text))
        }
        let response = try await client.execute(request, timeout: .seconds(10))
        let bytes = try await response.body.collect(upTo: 1 << 20)
        return HTTPAnswer(
            status: Int(response.status.code), headers: response.headers.map { ($0.name.lowercased(), $0.value) },
            body: Array(buffer: bytes))
    }
}
