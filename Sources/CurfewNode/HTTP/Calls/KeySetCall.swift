// The public keys of the cluster, for those who verify its tokens elsewhere (RFC 7517). Who does that sees no revocation.

import CurfewCore

extension Calls {
    /// For how long a verifier may keep them: shorter than the time that a rotation gives a new key by default.
    private static let maximumAge = Duration.seconds(300)

    func keySet() -> Answer {
        var answer = Answer.json { writer in
            writer.name("keys")
            writer.array { writer in
                for key in service.keyRing.publicKeys {
                    writer.object { writer in
                        writer.member("kty", key.type)
                        writer.member("crv", key.curve)
                        writer.member("x", key.coordinates.x)
                        if let y = key.coordinates.y { writer.member("y", y) }
                        writer.member("kid", key.id)
                        writer.member("alg", key.algorithm.rawValue)
                        writer.member("use", "sig")
                    }
                }
            }
        }
        answer.fields.append(("Cache-Control", "public, max-age=\(Self.maximumAge.components.seconds)"))
        return answer
    }
}
