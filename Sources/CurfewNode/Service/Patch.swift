// A session's details, changed after its issue (JSON merge patch, RFC 7396). Optimistic: whoever read an older revision is told so.

import CurfewCore
import CurfewRedis

/// What is to become of a session's details.
package struct SessionPatch: Sendable {
    /// `nil` leaves it, `.set(nil)` takes it away.
    enum Field: Sendable {
        case set(String?)
    }
    var deviceName: Field?
    var devicePlatform: Field?
    /// An object is merged into what is there, member by member; `null` takes all of it away.
    var attributes: JSONValue?
}

extension SessionService {
    static let maximumAttributesBytes = 4 * 1024
    /// Against others that change the same session at the same time.
    private static let maximumPatchTries = 10

    /// The session as it is now. Throws `notFound` where there is none, and `preconditionFailed` where its revision is none of those
    /// that somebody read (`If-Match`, RFC 9110 section 13.1.1); `nil` takes any.
    func patch(
        _ id: SessionID, _ patch: SessionPatch, ifRevision revisions: [UInt64]?
    ) async throws(ServiceError) -> SessionView {
        for _ in 0..<Self.maximumPatchTries {
            var view = try await session(id)
            guard revisions?.contains(view.revision) ?? true else { throw .preconditionFailed }
            let fields = try apply(patch, to: &view.details)
            let revision = view.revision
            let outcome = try await send(to: id.partition) { followed throws(RedisError) in
                let call = driver.calls.patch(id, revision: revision, fields: fields, driver.known(id.partition))
                return try await followed.link.run(call).text(for: "patch")
            }
            switch outcome {
            case "done":
                view.revision += 1
                return view
            case "gone": throw Self.noSuchSession
            default: continue
            }
        }
        throw .overloaded(detail: "others change this session all the time")
    }

    private func apply(_ patch: SessionPatch, to details: inout SessionDetails) throws(ServiceError) -> [String] {
        var fields: [String] = []
        if case .set(let name)? = patch.deviceName {
            fields += SessionRecord.fields("N", name, insteadOf: details.deviceName)
            details.deviceName = name
        }
        if case .set(let platform)? = patch.devicePlatform {
            fields += SessionRecord.fields("P", platform, insteadOf: details.devicePlatform)
            details.devicePlatform = platform
        }
        if let change = patch.attributes {
            let merged = try merged(change, into: details.attributesJSON)
            fields += SessionRecord.fields("j", merged, insteadOf: details.attributesJSON)
            details.attributesJSON = merged
        }
        return fields
    }

    private func merged(_ change: JSONValue, into text: String?) throws(ServiceError) -> String? {
        guard change != .null else { return nil }
        let old = text.flatMap { text in Array(text.utf8).withUnsafeBytes { try? JSONParser.parse($0) } }
        var writer = JSONWriter()
        writer.value((old ?? .object([])).merging(change))
        guard writer.bytes.count <= Self.maximumAttributesBytes else {
            throw .outOfRange(
                detail: "attributes: expected at most \(Self.maximumAttributesBytes) bytes of JSON, merged")
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}

extension JSONValue {
    /// RFC 7396 section 2.
    func merging(_ patch: JSONValue) -> JSONValue {
        guard case .object(let changes) = patch else { return patch }
        var members: [JSONMember] = if case .object(let members) = self { members } else { [] }
        for change in changes {
            let index = members.firstIndex { $0.name == change.name }
            if change.value == .null {
                if let index { members.remove(at: index) }
            } else {
                let value = (index.map { members[$0].value } ?? .null).merging(change.value)
                let member = JSONMember(change.name, value)
                if let index { members[index] = member } else { members.append(member) }
            }
        }
        return .object(members)
    }
}
