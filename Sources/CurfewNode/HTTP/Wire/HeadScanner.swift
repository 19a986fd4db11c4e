// Finds one request head in a growing buffer and holds it to the HTTP rules: a value, no I/O, no clock. It goes line by
// line and remembers how far it came, so the outcome is the same wherever the bytes were split, and a head that comes
// byte by byte costs no more than a whole one.

/// What a head may have.
struct HeadLimits: Equatable, Sendable {
    var maximumBytes = 16 * 1024
    var maximumFields = 100
    /// The name `curfew` counts as the session cookie too.
    var acceptsInsecureCookie = false
    /// Whether an `Origin` changes what is answered.
    var answersOrigins = false
}

/// The scanner of one head; a new one for each.
struct HeadScanner: Sendable {
    enum Outcome: Equatable, Sendable {
        case incomplete
        case complete(RequestHead)
        case refused(Refusal)
    }

    private enum Expecting: Equatable {
        case requestLine
        case fields
    }

    private let limits: HeadLimits
    private var expecting = Expecting.requestLine
    /// Where the first line that isn't taken in yet starts, and how far a line's end was looked for.
    private var lineStart = 0
    private var searched = 0
    private var facts = HeadFacts()

    init(limits: HeadLimits) { self.limits = limits }

    /// `bytes` is everything since the head began; what an earlier call was given is its beginning.
    mutating func scan(_ bytes: UnsafeRawBufferPointer) -> Outcome {
        if searched == 0, let first = bytes.first, !first.isTokenCharacter, first != .carriageReturn {
            return .refused(HeadFacts.notARequestLine)
        }
        do throws(Refusal) {
            while let lineFeed = nextLineFeed(in: bytes) {
                if let head = try take(lineEndingAt: lineFeed, of: bytes) { return .complete(head) }
            }
            guard bytes.count < limits.maximumBytes else { throw tooLarge }
            return .incomplete
        } catch {
            return .refused(error)
        }
    }

    private mutating func nextLineFeed(in bytes: UnsafeRawBufferPointer) -> Int? {
        let end = min(bytes.count, limits.maximumBytes)
        guard searched < end, let index = bytes.firstIndex(of: .lineFeed, in: searched..<end) else {
            searched = max(searched, end)
            return nil
        }
        searched = index + 1
        return index
    }

    /// Returns the head when this was the empty line.
    private mutating func take(
        lineEndingAt lineFeed: Int, of bytes: UnsafeRawBufferPointer
    ) throws(Refusal) -> RequestHead? {
        guard lineFeed > lineStart, bytes[lineFeed - 1] == .carriageReturn else {
            throw .malformed("a line of the request head ends without carriage return")
        }
        let line = lineStart..<(lineFeed - 1)
        lineStart = lineFeed + 1
        switch expecting {
        case .requestLine:
            if line.isEmpty, facts.head.skipped == 0 {
                facts.head.skipped = lineStart
                return nil
            }
            try facts.takeRequestLine(line, of: bytes)
            facts.head.fields = ByteSpan(lineStart..<lineStart)
            expecting = .fields
            return nil
        case .fields:
            guard line.isEmpty else {
                facts.fieldCount += 1
                guard facts.fieldCount <= limits.maximumFields else {
                    throw Refusal(.headTooLarge, "more than \(limits.maximumFields) header fields")
                }
                try facts.takeField(line, of: bytes, limits)
                facts.head.fields.count = lineStart - facts.head.fields.start
                return nil
            }
            facts.head.length = lineStart
            return try facts.finished(bytes)
        }
    }

    private var tooLarge: Refusal {
        Refusal(.headTooLarge, "the request head is larger than \(limits.maximumBytes) bytes")
    }
}
