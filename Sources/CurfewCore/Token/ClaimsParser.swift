// From a payload's bytes to a `ClaimsView`, in one pass. Demands every claim that Curfew writes, in the one form that
// it writes, but takes the members in any order, with spaces and with escapes, as other JWT libraries write them.
// Unknown members are stepped over; nothing may come twice.

/// What a key ring's memory is used for while one token is judged.
enum Scratch {
    /// The longest token (2-api: more is refused).
    static let maximumTokenBytes = 4096
    /// The decoded payload, a NUL and slack behind it.
    static let payloadBytes = maximumTokenBytes * 3 / 4 + 16
    /// Ids without their escapes: sub, did, ten.
    static let plainBytes = 3 * IdentifierRule.maximumBytes
    /// The signature, and the code that it is compared with.
    static let signatureStart = payloadBytes + plainBytes
    static let codeStart = signatureStart + Signer.maximumBytes + 16
    static let byteCount = codeStart + MACKey.byteCount
}

/// The claims that have a name here; the raw value is the name and its closing quote as a little-endian word.
private enum ClaimName: UInt32 {
    case issuer = 0x2273_7369  // iss
    case audience = 0x2264_7561  // aud
    case subject = 0x2262_7573  // sub
    case session = 0x2264_6973  // sid
    case issuedAt = 0x2274_6169  // iat
    case expiresAt = 0x2270_7865  // exp
    case notBefore = 0x2266_626e  // nbf
    case kind = 0x2264_6e6b  // knd
    case stamp = 0x2270_7473  // stp
    case device = 0x2264_6964  // did
    case tenant = 0x226e_6574  // ten
    case fingerprint = 0x2272_7066  // fpr
    case permissions = 0x226d_7270  // prm
    case permissionsVersion = 0x2276_7270  // prv
}

struct ClaimsParser {
    private let scratch: UnsafeMutableRawPointer
    private var plainEnd = Scratch.payloadBytes

    /// The text begins as the ring's own tokens do, with the right issuer and audience.
    private let isOpened: Bool
    private var issuer: JSONCursor.Text?
    private var audience: JSONCursor.Text?
    private var subject: JSONCursor.Text?
    private var session: (id: SessionID, text: ByteRange)?
    private var issuedAt: UInt64?
    private var expiresAt: UInt64?
    private var notBefore: UInt64?
    private var kind: SessionKind?
    private var stamp: UInt64?
    private var device: JSONCursor.Text?
    private var tenant: JSONCursor.Text?
    private var fingerprint: ByteRange?
    private var permissions: ByteRange?
    private var permissionsVersion: UInt64?

    /// Reads the `count` bytes at the start of `scratch`, which are ASCII or still to be checked for UTF-8. `nil` where
    /// they are not the claims of a token of this ring's issuer for its audience.
    static func parse(
        _ scratch: UnsafeMutableRawPointer, count: Int, isASCII: Bool, ring: borrowing KeyRing
    ) -> ClaimsView? {
        let payload = UnsafeRawBufferPointer(start: scratch, count: count)
        guard isASCII || UTF8Check.isValid(payload) else { return nil }
        scratch.storeBytes(of: 0, toByteOffset: count, as: UInt8.self)
        var parser = ClaimsParser(scratch: scratch, isOpened: payload.begins(with: ring.opening))
        var cursor = JSONCursor(scratch, at: parser.isOpened ? ring.opening.count : 0)
        guard cursor.readObject({ parser.read($1, from: &$0) }), cursor.at == count else { return nil }
        guard parser.isOpened || parser.isFor(ring) else { return nil }
        return parser.view()
    }

    private init(scratch: UnsafeMutableRawPointer, isOpened: Bool) {
        self.scratch = scratch
        self.isOpened = isOpened
    }

    @inline(__always)
    private mutating func read(_ name: JSONCursor.Text, from cursor: inout JSONCursor) -> MemberOutcome {
        switch ClaimName(rawValue: cursor.word(name)) {
        case .issuer: isOpened ? .refused : set(&issuer, cursor.string())
        case .audience: isOpened ? .refused : set(&audience, cursor.string())
        case .subject: set(&subject, cursor.string())
        case .session: set(&session, cursor.string().flatMap { id($0) })
        case .issuedAt: set(&issuedAt, cursor.integer())
        case .expiresAt: set(&expiresAt, cursor.integer())
        case .notBefore: set(&notBefore, cursor.integer())
        case .kind: set(&kind, cursor.string().flatMap { SessionKind($0, in: cursor) })
        case .stamp: set(&stamp, cursor.integer())
        case .device: set(&device, cursor.string())
        case .tenant: set(&tenant, cursor.string())
        case .fingerprint: set(&fingerprint, cursor.string().flatMap(Self.code))
        case .permissions: set(&permissions, cursor.permissions().map(ByteRange.init))
        case .permissionsVersion: set(&permissionsVersion, cursor.integer())
        case nil: .unknown
        }
    }

    /// Refuses what was not there, and what came before.
    @inline(__always)
    private func set<Value>(_ slot: inout Value?, _ value: Value?) -> MemberOutcome {
        guard slot == nil, let value else { return .refused }
        slot = value
        return .read
    }

    /// (Called by a closure of its own: the method as a value would be allocated.)
    private func id(_ text: JSONCursor.Text) -> (SessionID, ByteRange)? {
        SessionID(utf8: bytes(text.range)).map { ($0, ByteRange(text.range)) }
    }

    /// A fingerprint's code has one length, and no digit that could be escaped.
    private static func code(_ text: JSONCursor.Text) -> ByteRange? {
        text.hasEscapes || text.count != KeyRing.fingerprintCodeCount ? nil : ByteRange(text.range)
    }

    private func bytes(_ range: Range<Int>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: scratch + range.lowerBound, count: range.count)
    }

    private func isFor(_ ring: borrowing KeyRing) -> Bool {
        guard let issuer, let audience else { return false }
        return says(issuer, ring.issuerBytes) && says(audience, ring.audienceBytes)
    }

    private mutating func view() -> ClaimsView? {
        guard let subject, let session, let issuedAt, let expiresAt, let kind, let stamp, let permissions,
            let permissionsVersion, let user = plain(subject)
        else { return nil }
        var (plainDevice, plainTenant) = (ByteRange.none, ByteRange.none)
        if let device {
            guard let plain = plain(device) else { return nil }
            plainDevice = plain
        }
        if let tenant {
            guard let plain = plain(tenant) else { return nil }
            plainTenant = plain
        }
        return ClaimsView(
            session: session.id, kind: kind, stamp: Stamp(stamp), issuedAt: WallTime(seconds: Int64(issuedAt)),
            expiresAt: WallTime(seconds: Int64(expiresAt)), notBefore: WallTime(seconds: Int64(notBefore ?? 0)),
            permissionsVersion: permissionsVersion,
            places: Places(
                session: session.text, subject: ByteRange(subject.range), user: user,
                device: device.map { ByteRange($0.range) } ?? .none,
                plainDevice: plainDevice, tenant: plainTenant, fingerprint: fingerprint ?? .none,
                permissions: permissions))
    }

    /// Whether the text stands for exactly these bytes. An escaped one is unescaped where it stands: nobody reads it
    /// again.
    private func says(_ text: JSONCursor.Text, _ expected: [UInt8]) -> Bool {
        let count =
            text.hasEscapes
            ? Unescaping.write(text, of: JSONCursor(scratch), to: scratch + text.start) : text.count
        return bytes(text.start..<(text.start + count)).equals(expected)
    }

    /// Where an id's own bytes are: in the text itself if it has no escapes, else behind the payload. `nil` for what
    /// is no id.
    private mutating func plain(_ text: JSONCursor.Text) -> ByteRange? {
        guard text.hasEscapes else {
            return IdentifierRule.accepts(bytes(text.range)) ? ByteRange(text.range) : nil
        }
        // Six bytes of text to one of the id at most.
        guard text.count <= 6 * IdentifierRule.maximumBytes else { return nil }
        return withUnsafeTemporaryAllocation(byteCount: text.count, alignment: 1) { room -> ByteRange? in
            guard let start = room.baseAddress else { return nil }
            let count = Unescaping.write(text, of: JSONCursor(scratch), to: start)
            let plain = UnsafeRawBufferPointer(start: start, count: count)
            guard IdentifierRule.accepts(plain) else { return nil }
            defer { plainEnd += count }
            (scratch + plainEnd).copyMemory(from: start, byteCount: count)
            return ByteRange(plainEnd..<(plainEnd + count))
        }
    }
}

extension SessionKind {
    fileprivate init?(_ text: JSONCursor.Text, in cursor: JSONCursor) {
        if cursor.equals(text, "web") {
            self = .web
        } else if cursor.equals(text, "remember") {
            self = .remember
        } else if cursor.equals(text, "api") {
            self = .api
        } else {
            return nil
        }
    }
}
