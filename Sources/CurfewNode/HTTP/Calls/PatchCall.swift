// Changing a session's details: the body is a JSON merge patch, the revision an entity tag.

import CurfewCore

extension Calls {
    func patchSession(_ request: CallRequest) async throws(Problem) -> Answer {
        guard let session = SessionID(request.parameters[0]) else { throw Problem(.notFound) }
        let patch = try SessionPatch(json: request.body)
        let revisions = try request.revisionsRead()
        let view = try await run { () async throws(ServiceError) in
            try await service.patch(session, patch, ifRevision: revisions)
        }
        return Answer(view)
    }
}

extension Answer {
    /// One session in full, with its revision.
    init(_ view: SessionView) {
        self = .json { $0.members(of: view) }
        fields.append(("ETag", "\"\(view.revision)\""))
    }
}

extension CallRequest {
    /// `If-Match`: `nil` for any, which is `*` or nothing, else entity tags separated by commas. A weak one (`W/"1"`) never matches; nor
    /// does one that is not ours.
    fileprivate func revisionsRead() throws(Problem) -> [UInt64]? {
        guard let text = field("if-match"), text != "*" else { return nil }
        var revisions: [UInt64] = []
        for tag in text.split(separator: ",", omittingEmptySubsequences: false) {
            let tag = tag.trimmingBlanks
            let inner = tag.hasPrefix("W/") ? tag.dropFirst(2) : tag
            guard inner.utf8.count >= 2, inner.hasPrefix("\""), inner.hasSuffix("\"") else {
                throw .malformed("If-Match: expected *, or entity tags in quotes, separated by commas")
            }
            let number = UInt64(inner.dropFirst().dropLast())
            if !tag.hasPrefix("W/"), let number, "\"\(number)\"" == inner { revisions.append(number) }
        }
        return revisions
    }
}

extension SessionPatch {
    /// `device` (`name`, `platform`) and `attributes`; null takes away.
    fileprivate init(json: [UInt8]) throws(Problem) {
        var reader = try BodyReader(json)
        switch reader.given("device") {
        case nil: break
        case .null: (deviceName, devicePlatform) = (.set(nil), .set(nil))
        default:
            if var device = try reader.object("device") {
                deviceName = try device.patchedText("name")
                devicePlatform = try device.patchedText("platform")
                try device.finish()
            }
        }
        attributes = reader.given("attributes")
        if attributes != .null {
            _ = try reader.objectText("attributes", maximumBytes: SessionService.maximumAttributesBytes)
        }
        try reader.finish()
    }
}

extension BodyReader {
    fileprivate mutating func patchedText(_ field: String) throws(Problem) -> SessionPatch.Field? {
        guard given(field) != nil else { return nil }
        return .set(try text(field, maximumBytes: 128))
    }
}
