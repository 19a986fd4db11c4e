// A verifier and signer on JWTKit, told by standard input what to do, so that Curfew's tokens meet a library of its own language:
//     {"token","keySet"|"secret","privateKey"?}  in
//     {"subject","session","signed"}             out: what the token says, and the same claims signed by JWTKit
// A token that JWTKit does not verify is an error.

import Foundation
import JWTKit

struct Task: Decodable {
    let token: String
    /// JWKS text, or the secret of HS256.
    let keySet: String?
    let secret: String?
    /// PKCS #8 PEM, of P-256.
    let privateKey: String?
}

struct SessionClaims: JWTPayload {
    let iss: IssuerClaim
    let aud: AudienceClaim
    let sub: SubjectClaim
    let iat: IssuedAtClaim
    let exp: ExpirationClaim
    let sid: String
    let knd: String
    let stp: UInt64
    let did: String?
    let prm: [String]
    let prv: UInt64

    func verify(using algorithm: some JWTAlgorithm) async throws {
        try exp.verifyNotExpired()
        try aud.verifyIntendedAudience(includes: "curfew")
    }
}

struct TokenHeader: Decodable {
    let kid: String
    let typ: String

    init(of token: String) throws {
        var digits = token.prefix { $0 != "." }.replacing("-", with: "+").replacing("_", with: "/")
        while digits.count % 4 != 0 { digits += "=" }
        self = try JSONDecoder().decode(Self.self, from: Data(base64Encoded: String(digits)) ?? Data())
    }
}

let task = try JSONDecoder().decode(Task.self, from: FileHandle.standardInput.readDataToEndOfFile())
let header = try TokenHeader(of: task.token)
let kid = JWKIdentifier(string: header.kid)
let verifiers = JWTKeyCollection()
let signers = JWTKeyCollection()
if let keySet = task.keySet { try await verifiers.add(jwksJSON: keySet) }
if let secret = task.secret {
    for keys in [verifiers, signers] {
        await keys.add(hmac: HMACKey(from: secret), digestAlgorithm: .sha256, kid: kid)
    }
}
if let pem = task.privateKey { await signers.add(ecdsa: try ES256PrivateKey(pem: pem), kid: kid) }
let claims = try await verifiers.verify(task.token, as: SessionClaims.self)
var signed = ""
if task.secret != nil || task.privateKey != nil {
    var own = JWTHeader()
    own.typ = header.typ
    signed = try await signers.sign(claims, kid: kid, header: own)
}
let answer = ["subject": claims.sub.value, "session": claims.sid, "signed": signed]
print(String(decoding: try JSONEncoder().encode(answer), as: UTF8.self))
