// The page of the demo, out of the files in Page/, which are embedded in the binary: one document, of which every part that
// runs or styles has the answer's own nonce. It loads nothing, and holds no secret.

import Foundation

struct DemoPage: Sendable {
    /// What stands for `{{name}}` in the document.
    private let values: [String: String]

    init(panes: [DemoPane]) {
        var values = [
            "user": DemoApplication.user,
            "style": String(decoding: PackageResources.demo_css, as: UTF8.self),
            "script": String(decoding: PackageResources.demo_js, as: UTF8.self),
        ]
        for pane in panes {
            values["\(pane.id)-node"] = pane.node
            values["\(pane.id)-address"] = pane.publicURL.replacingOccurrences(of: "http://", with: "")
        }
        self.values = values
    }

    /// The document, and the policy that goes with it.
    func render() -> (html: String, policy: String) {
        let nonce = Secret.random()
        var html = String(decoding: PackageResources.demo_html, as: UTF8.self)
        for (name, value) in values.merging(["nonce": nonce], uniquingKeysWith: { $1 }) {
            html = html.replacingOccurrences(of: "{{\(name)}}", with: value)
        }
        let policy = [
            "default-src 'none'", "script-src 'nonce-\(nonce)'", "style-src 'nonce-\(nonce)'", "connect-src 'self'",
            "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
        ]
        return (html, policy.joined(separator: "; "))
    }
}
