// What a token says, twice: `Claims` with values of their own, for whoever issues or looks at leisure, and
// `ClaimsView`, which points into the bytes that a token was decoded to, for the hot path.

/// A token's claims. In JSON: iss aud sub sid iat exp knd stp did ten fpr prm prv.
public struct Claims: Sendable, Equatable {
    /// `iss`: who signed. 1–128 bytes without control characters, like `audience`.
    public var issuer: String
    /// `aud`: whom it is for; a single string.
    public var audience: String
    /// `sub`
    public var user: UserID
    /// `sid`
    public var session: SessionID
    /// `iat`
    public var issuedAt: WallTime
    /// `exp`
    public var expiresAt: WallTime
    /// `knd`
    public var kind: SessionKind
    /// `stp`: cutoffs above it end the token, later permissions replace its own.
    public var stamp: Stamp
    /// `did`, absent where there is none.
    public var device: DeviceID?
    /// `ten`, absent where there is none.
    public var tenant: TenantID?
    /// `fpr`: the code of the login's fingerprint, absent where it has none.
    public var fingerprint: String?
    /// `prm`
    public var permissions: Permissions
    /// `prv`: the stamp of the permission change that `permissions` reflects, 0 where there never was one.
    public var permissionsVersion: UInt64

    /// All of them.
    public init(
        issuer: String, audience: String, user: UserID, session: SessionID, issuedAt: WallTime, expiresAt: WallTime,
        kind: SessionKind, stamp: Stamp, device: DeviceID? = nil, tenant: TenantID? = nil,
        fingerprint: String? = nil, permissions: Permissions = .none, permissionsVersion: UInt64 = 0
    ) {
        self.issuer = issuer
        self.audience = audience
        self.user = user
        self.session = session
        self.issuedAt = issuedAt
        self.expiresAt = expiresAt
        self.kind = kind
        self.stamp = stamp
        self.device = device
        self.tenant = tenant
        self.fingerprint = fingerprint
        self.permissions = permissions
        self.permissionsVersion = permissionsVersion
    }
}

/// A verified token's claims, as places in the scratch memory that was given to `verdict`: good until that is used
/// again. Issuer and audience are those of the key ring.
public struct ClaimsView: Sendable {
    /// `sid`
    public let session: SessionID
    /// `knd`
    public let kind: SessionKind
    /// `stp`
    public let stamp: Stamp
    /// `iat`
    public let issuedAt: WallTime
    /// `exp`
    public let expiresAt: WallTime
    /// `nbf`, which Curfew never writes; 1970 where it is absent.
    let notBefore: WallTime
    /// `prv`
    public let permissionsVersion: UInt64

    let places: Places

    /// `sid`'s own bytes, in the one spelling that an id has.
    public var sessionText: Range<Int> { places.session.range }
    /// `sub` as it stands between the quotes: valid JSON, ready to be copied.
    public var subject: Range<Int> { places.subject.range }
    /// The user's own bytes: `subject` without its escapes.
    public var user: Range<Int> { places.user.range }
    /// `did` as it stands between the quotes.
    public var device: Range<Int>? { places.device.nonempty }
    /// The device's own bytes.
    public var plainDevice: Range<Int>? { places.plainDevice.nonempty }
    /// The tenant's own bytes.
    public var tenant: Range<Int>? { places.tenant.nonempty }
    /// `fpr`, 22 bytes.
    public var fingerprint: Range<Int>? { places.fingerprint.nonempty }
    /// `prm`, a JSON array without spaces or escapes: `["a","b"]`.
    public var permissions: Range<Int> { places.permissions.range }
}

/// Where a view's texts are.
struct Places: Sendable {
    let session: ByteRange
    let subject: ByteRange
    let user: ByteRange
    let device: ByteRange
    let plainDevice: ByteRange
    let tenant: ByteRange
    let fingerprint: ByteRange
    let permissions: ByteRange
}

/// A range within scratch memory in four bytes: verdicts are copied about, and eight of them should cost nothing.
struct ByteRange: Sendable {
    private let start: UInt16
    private let end: UInt16

    /// No text has no bytes, so this is told apart from all.
    static let none = ByteRange(0..<0)

    @inline(__always)
    init(_ range: Range<Int>) {
        start = UInt16(truncatingIfNeeded: range.lowerBound)
        end = UInt16(truncatingIfNeeded: range.upperBound)
    }

    var range: Range<Int> { Int(start)..<Int(end) }
    var nonempty: Range<Int>? { start == end ? nil : range }
}

/// Why a token is no good. None of it is an outage.
public enum TokenRefusal: String, Error, Sendable, CaseIterable {
    /// Not a token of this cluster: shape, header, claims, issuer, audience or partition.
    case malformed = "token_malformed"
    /// No key that is known here signed it.
    case signatureInvalid = "token_signature_invalid"
    /// Past its `exp` and the leeway.
    case expired = "token_expired"
    /// Its session, user or tenant was revoked.
    case revoked = "session_revoked"
    /// Its session ended because nobody used it.
    case idle = "session_expired"
    /// Its session has a newer id.
    case superseded = "session_superseded"
}
