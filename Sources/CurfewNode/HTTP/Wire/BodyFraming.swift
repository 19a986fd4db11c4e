// Where a request's body ends: by Content-Length, or chunk by chunk (RFC 9112 section 7.1) with the strictest reading of
// the syntax, without extensions and trailers, since no client of this API needs them and smuggling lives there.
// A value: bytes in, one step out; it keeps the count of what passed, so the limit holds for both framings.

struct BodyFraming: Equatable, Sendable {
    enum Step: Equatable, Sendable {
        case needsMore
        /// Framing only: nothing for the reader.
        case skip(Int)
        /// Content, from the first byte given.
        case data(Int)
        /// The body ended with everything that was taken so far.
        case end
        case refused(Refusal)
    }

    private enum State: Equatable {
        case counted(remaining: Int)
        case chunkSize
        case chunkData(remaining: Int)
        case chunkDataEnd
        case lastLine
        case ended
    }

    private var state: State
    private var passed = 0
    private let limit: Int

    /// `nil` without a body. A length past the limit is refused by the first step.
    init?(_ kind: BodyKind, limit: Int) {
        self.limit = limit
        switch kind {
        case .none: return nil
        case .length(let length): state = .counted(remaining: length)
        case .chunked: state = .chunkSize
        }
    }

    /// `bytes` begins with the first one that no earlier step took.
    mutating func next(_ bytes: UnsafeRawBufferPointer) -> Step {
        switch state {
        case .counted(let remaining):
            guard passed + remaining <= limit else { return .refused(tooLarge) }
            let count = min(remaining, bytes.count)
            guard count > 0 else { return .needsMore }
            passed += count
            state = remaining == count ? .ended : .counted(remaining: remaining - count)
            return .data(count)
        case .chunkSize: return chunkSize(bytes)
        case .chunkData(let remaining):
            let count = min(remaining, bytes.count)
            guard count > 0 else { return .needsMore }
            state = remaining == count ? .chunkDataEnd : .chunkData(remaining: remaining - count)
            return .data(count)
        case .chunkDataEnd: return lineEnd(bytes, then: .chunkSize)
        case .lastLine: return lineEnd(bytes, then: .ended)
        case .ended: return .end
        }
    }

    /// Up to eight hexadecimal digits and a line's end.
    private mutating func chunkSize(_ bytes: UnsafeRawBufferPointer) -> Step {
        var size = 0
        var digits = 0
        while digits < bytes.count, let value = bytes[digits].hexValue {
            guard digits < 8 else { return .refused(badChunk) }
            size = size << 4 | Int(value)
            digits += 1
        }
        guard digits < bytes.count else { return .needsMore }
        guard digits > 0, bytes[digits] == .carriageReturn else { return .refused(badChunk) }
        guard digits + 1 < bytes.count else { return .needsMore }
        guard bytes[digits + 1] == .lineFeed else { return .refused(badChunk) }
        passed += size
        guard passed <= limit else { return .refused(tooLarge) }
        state = size == 0 ? .lastLine : .chunkData(remaining: size)
        return .skip(digits + 2)
    }

    private mutating func lineEnd(_ bytes: UnsafeRawBufferPointer, then next: State) -> Step {
        guard let first = bytes.first else { return .needsMore }
        guard first == .carriageReturn else { return .refused(badChunk) }
        guard bytes.count > 1 else { return .needsMore }
        guard bytes[1] == .lineFeed else { return .refused(badChunk) }
        state = next
        return .skip(2)
    }

    private var badChunk: Refusal {
        .malformed("the chunked body is not framed as sizes, data and line ends alone")
    }

    private var tooLarge: Refusal { Refusal(.bodyTooLarge, "the body is larger than \(limit) bytes") }
}
