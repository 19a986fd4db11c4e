// Validate, three ways: by the caller's own token, by a token in a body, by many of them.

import CurfewCore
import HTTPTypes

extension Calls {
    static let maximumBatch = 1_000
    /// Tokens of a batch that may wait for Redis at once.
    private static let batchWidth = 64

    func validate(_ request: CallRequest) async throws(Problem) -> Answer {
        let options = try request.deviceOptions()
        guard let found = presented(in: request) else { throw lackingToken() }
        return Answer(body: try await active(found.token, options).body)
    }

    /// Validate's 401 where there is no token, which the service never sees.
    func lackingToken() -> Problem {
        service.metrics.count(RefusalReason.tokenMissing)
        return Problem.inactive(.tokenMissing)
    }

    /// The session of this token, or validate's 401.
    func active(_ token: [UInt8], _ options: ValidateOptions) async throws(Problem) -> ActiveSession {
        let result = try await run { () async throws(ServiceError) in
            try await service.validate(token: token, options: options)
        }
        switch result {
        case .active(let session): return session
        case .refused(let reason): throw Problem.inactive(reason)
        }
    }

    func validateToken(_ request: CallRequest) async throws(Problem) -> Answer {
        let options = try request.deviceOptions()
        var reader = try BodyReader(request.body)
        guard let token = try reader.string("token") else { throw .malformed("token: expected a string") }
        try reader.finish()
        let result = try await run { () async throws(ServiceError) in
            try await service.validate(token: Array(token.utf8), options: options)
        }
        return Answer(body: result.verdict)
    }

    func validateBatch(_ request: CallRequest) async throws(Problem) -> Answer {
        let options = try request.validateOptions()
        var reader = try BodyReader(request.body)
        guard let tokens = try reader.strings("tokens", maximumCount: Calls.maximumBatch) else {
            throw .malformed("tokens: expected an array of strings")
        }
        try reader.finish()
        var verdicts: [[UInt8]] = []
        verdicts.reserveCapacity(tokens.count)
        for start in stride(from: 0, to: tokens.count, by: Calls.batchWidth) {
            let part = tokens[start..<min(start + Calls.batchWidth, tokens.count)]
            verdicts += try await run { () async throws(ServiceError) in try await self.verdicts(part, options) }
        }
        return .json { writer in
            writer.name("results")
            writer.array { writer in for verdict in verdicts { writer.raw(verdict) } }
        }
    }

    /// Side by side, so that those which need Redis share its round trips; in the order of the tokens.
    private func verdicts(
        _ tokens: ArraySlice<String>, _ options: ValidateOptions
    ) async throws(ServiceError) -> [[UInt8]] {
        let results = await withTaskGroup(of: (Int, Result<ValidateResult, ServiceError>).self) { group in
            for (index, token) in tokens.enumerated() {
                group.addTask { [service] in
                    do throws(ServiceError) {
                        return (index, .success(try await service.validate(token: Array(token.utf8), options: options)))
                    } catch {
                        return (index, .failure(error))
                    }
                }
            }
            var results: [Result<ValidateResult, ServiceError>?] = Array(repeating: nil, count: tokens.count)
            for await (index, result) in group { results[index] = result }
            return results.compactMap { $0 }
        }
        var verdicts: [[UInt8]] = []
        for result in results { verdicts.append(try result.get().verdict) }
        return verdicts
    }
}

extension ValidateResult {
    /// The admin listener's form: `{"active":false,"code":…}` instead of a 401.
    var verdict: [UInt8] {
        switch self {
        case .active(let session): return session.body
        case .refused(let reason):
            var writer = JSONWriter()
            writer.object {
                $0.member("active", false)
                $0.member("code", reason.rawValue)
            }
            return writer.bytes
        }
    }
}

extension CallRequest {
    static let maximumFences = 1_024

    /// `Curfew-At-Least`, `Curfew-Consistency`, `Curfew-Activity`.
    func validateOptions() throws(Problem) -> ValidateOptions {
        var options = ValidateOptions()
        options.countsAsActivity = field("curfew-activity") == nil
        if let text = field("curfew-at-least") {
            for part in text.split(separator: ",", omittingEmptySubsequences: false) {
                guard let fence = FenceToken(part.trimmingBlanks), options.atLeast.count < CallRequest.maximumFences
                else { throw .malformed("Curfew-At-Least: expected fences, separated by commas") }
                options.atLeast.append(fence)
            }
        }
        if let text = field("curfew-consistency") {
            guard text == "strict" else { throw .malformed("Curfew-Consistency: expected strict") }
            options.isStrict = true
        }
        if let text = field("curfew-activity"), text != "none" {
            throw .malformed("Curfew-Activity: expected none")
        }
        return options
    }

    /// The same, and `Curfew-Fingerprint`.
    func deviceOptions() throws(Problem) -> ValidateOptions {
        var options = try validateOptions()
        options.fingerprint = .presented(try fingerprint())
        return options
    }

    /// `Curfew-Fingerprint`; `nil` where there is none.
    func fingerprint() throws(Problem) -> [UInt8]? {
        guard let text = field("curfew-fingerprint") else { return nil }
        guard text.utf8.count <= KeyRing.maximumFingerprintBytes else {
            throw .outOfRange("Curfew-Fingerprint: expected at most \(KeyRing.maximumFingerprintBytes) bytes")
        }
        return Array(text.utf8)
    }

    /// Where it may be missing always: pages can't say it with every call.
    func fingerprintIfSaid() throws(Problem) -> PresentedFingerprint {
        try fingerprint().map { .presented($0) } ?? .notAsked
    }
}

extension Substring {
    var trimmingBlanks: Substring {
        var text = drop { $0 == " " || $0 == "\t" }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return text
    }
}
