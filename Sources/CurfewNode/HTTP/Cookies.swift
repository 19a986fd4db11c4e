// The cookies (RFC 6265bis). `__Host-` makes a browser insist on Secure, on Path=/ and on no Domain: no other host can set them.

import CurfewCore

struct Cookies: Sendable {
    /// Plain names without Secure, for development over http.
    let isInsecure: Bool

    static let sessionName = "__Host-curfew"
    /// What a browser keeps of one cookie, name and value together.
    static let maximumBytes = 4096
    /// The largest token that fits.
    static let maximumTokenBytes = maximumBytes - sessionName.utf8.count

    /// `web` goes with the browser, `remember` stays until the session's end.
    func session(_ issued: IssuedSession) -> String {
        let age = max(0, issued.sessionExpiresAt.seconds - issued.issuedAt.seconds)
        return cookie("curfew", issued.token, issued.kind == .remember ? "; Max-Age=\(age)" : "", "; HttpOnly", "Lax")
    }

    /// Readable by the application's scripts, which send it back as `X-CSRF-Token`.
    func crossSite(_ token: String) -> String { cookie("curfew-csrf", token, "", "", "Strict") }

    /// Takes both away.
    var cleared: [String] {
        [
            cookie("curfew", "", "; Max-Age=0", "; HttpOnly", "Lax"),
            cookie("curfew-csrf", "", "; Max-Age=0", "", "Strict"),
        ]
    }

    private func cookie(_ name: String, _ value: String, _ age: String, _ access: String, _ sameSite: String) -> String
    {
        let (prefix, secure) = isInsecure ? ("", "") : ("__Host-", "; Secure")
        return "\(prefix)\(name)=\(value)\(age); Path=/\(secure)\(access); SameSite=\(sameSite)"
    }
}
