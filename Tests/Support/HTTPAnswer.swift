// An HTTP answer as bytes and as JSON, whichever way it came.

import Foundation

/// A whole answer.
package struct HTTPAnswer: Sendable {
    package var status: Int
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]

    package init(status: Int, headers: [(name: String, value: String)], body: [UInt8]) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// The body; `.null` when it is not JSON.
    package var json: JSON { JSON(body) ?? .null }
    /// The stable `code` of problem details.
    package var code: String? { json["code"].string }

    /// The first field of that name, in any case.
    package func header(_ name: String) -> String? {
        headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }

    /// Of every `Set-Cookie` field, in order.
    package var setCookies: [String] { headers.filter { $0.name.lowercased() == "set-cookie" }.map(\.value) }

    /// Everything of it, for looking for what must not be there.
    package var everything: String {
        headers.map { "\($0.name): \($0.value)\n" }.joined() + String(decoding: body, as: UTF8.self)
    }
}
