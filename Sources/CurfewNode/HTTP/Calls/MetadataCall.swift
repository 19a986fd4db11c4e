// What of OAuth there is here, for clients that ask (RFC 8414): introspection and revocation, and the keys of the tokens. Nobody gets a
// token by OAuth from Curfew, so there are no endpoints for that, and no grants.

import CurfewCore

extension Calls {
    /// Its URLs are below the issuer, where that is a URL; else below what the client has asked, with what this listener has.
    func metadata(_ request: CallRequest) throws(Problem) -> Answer {
        let issuer = service.keyRing.issuer
        let isURL = issuer.hasPrefix("https://") || issuer.hasPrefix("http://")
        let base = isURL ? issuer : try visitedOrigin(request)
        let stem = base.hasSuffix("/") ? String(base.dropLast()) : base
        var answer = Answer.json { writer in
            writer.member("issuer", issuer)
            writer.member("jwks_uri", stem + "/.well-known/jwks.json")
            // There must be one (section 2); of those that are registered it is the one that says so.
            writer.member("response_types_supported", strings: ["none"])
            // (Without grants there is no member of them: what is empty must be left out, section 3.2.)
            guard isURL || listener == .admin else { return }
            writer.member("introspection_endpoint", stem + Route.oauthStem + "introspect")
            writer.member("introspection_endpoint_auth_methods_supported", strings: ["client_secret_basic", "Bearer"])
            writer.member("revocation_endpoint", stem + Route.oauthStem + "revoke")
            writer.member("revocation_endpoint_auth_methods_supported", strings: ["client_secret_basic"])
        }
        // What a client said itself is nothing that others may be given.
        answer.fields.append(("Cache-Control", isURL ? "public, max-age=300" : "no-store"))
        return answer
    }

    private func visitedOrigin(_ request: CallRequest) throws(Problem) -> String {
        guard let host = visitedHost(request), !host.isEmpty else { throw .malformed("expected a Host field") }
        let isForwarded = trustedProxies.contains(request.peer)
        let forwarded = isForwarded ? request.field("x-forwarded-proto")?.prefix { $0 != "," }.trimmingBlanks : nil
        let isSecure = forwarded.map { $0.lowercased() == "https" } ?? isSecure
        return "\(isSecure ? "https" : "http")://\(host)"
    }
}
