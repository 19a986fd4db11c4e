// One connection's requests in order, as a value: bytes in, one step out, no I/O and no time. At most one request is
// handed on at a time, and nothing behind it is looked at until its answer has ended: that is what keeps pipelined
// answers in order, whichever of the two paths gives them.
//
//   head ─request→ decided by the driver: answered (fast) ─→ head
//                                         handedOn ─→ body ─→ answering ─answerEnded→ head
//   any ─refuse→ closed

struct ConnectionMachine: Sendable {
    enum Step: Equatable, Sendable {
        /// Nothing to do before more bytes come.
        case needsMore
        /// Nothing to do before the answer that is under way ends.
        case awaitsAnswer
        /// A whole head at the front of the bytes. The driver answers `answered()` or `handedOn(bodyLimit:)`.
        case request(RequestHead)
        /// Content at the front of the bytes for the request handed on; then take it away.
        case body(Int)
        /// Framing at the front of the bytes; take it away.
        case skip(Int)
        /// The request handed on is complete.
        case requestEnded
        /// Write this and close. Where an answer has already begun, only close.
        case refuse(Refusal, mayAnswer: Bool)
        /// Nothing that comes is looked at.
        case closed
    }

    private enum State: Sendable {
        case head(HeadScanner)
        case undecided(RequestHead)
        case body(BodyFraming)
        case answering
        case closed
    }

    private let limits: HeadLimits
    private var state: State
    /// The request handed on, from `handedOn` to the end of its answer.
    private(set) var current: RequestHead?
    private var hasAnswerBegun = false
    private var hasAnswerEnded = false
    /// The connection ends with the answer that is under way, or with the next one.
    private(set) var closesAfterAnswer = false

    init(limits: HeadLimits) {
        self.limits = limits
        state = .head(HeadScanner(limits: limits))
    }

    /// No request is under way, in whole or in part, provided that no byte is waiting.
    var isBetweenRequests: Bool {
        switch state {
        case .head: true
        case .undecided, .body, .answering, .closed: false
        }
    }

    /// The request's end hasn't come yet.
    var isReceivingBody: Bool {
        switch state {
        case .body: true
        case .head, .undecided, .answering, .closed: false
        }
    }

    var isClosed: Bool {
        switch state {
        case .closed: true
        case .head, .undecided, .body, .answering: false
        }
    }

    /// `bytes` is everything that no earlier step had taken away.
    mutating func step(_ bytes: UnsafeRawBufferPointer) -> Step {
        switch state {
        case .head(var scanner):
            guard !bytes.isEmpty else { return .needsMore }
            let outcome = scanner.scan(bytes)
            switch outcome {
            case .incomplete:
                state = .head(scanner)
                return .needsMore
            case .complete(let head):
                state = .undecided(head)
                return .request(head)
            case .refused(let refusal): return refuse(refusal)
            }
        case .undecided(let head): return .request(head)
        case .body(var framing):
            let step = framing.next(bytes)
            state = .body(framing)
            switch step {
            case .needsMore: return .needsMore
            case .skip(let count): return .skip(count)
            case .data(let count): return .body(count)
            case .end:
                state = .answering
                if hasAnswerEnded { next() }
                return .requestEnded
            case .refused(let refusal): return refuse(refusal)
            }
        case .answering: return .awaitsAnswer
        case .closed: return .closed
        }
    }

    /// The request was answered at once.
    mutating func answered() {
        guard case .undecided(let head) = state else { preconditionFailure("answered without a request") }
        if head.closes { closesAfterAnswer = true }
        next()
    }

    /// The request goes to the slow path. Returns a refusal where its body can't be taken.
    mutating func handedOn(bodyLimit: Int) -> Refusal? {
        guard case .undecided(let head) = state else { preconditionFailure("handed on without a request") }
        if case .length(let length) = head.body, length > bodyLimit {
            state = .closed
            return Refusal(.bodyTooLarge, "the body is larger than \(bodyLimit) bytes")
        }
        current = head
        hasAnswerBegun = false
        hasAnswerEnded = false
        if head.closes { closesAfterAnswer = true }
        state = BodyFraming(head.body, limit: bodyLimit).map { .body($0) } ?? .answering
        return nil
    }

    /// The answer's first byte is being written.
    mutating func answerBegan() { hasAnswerBegun = true }

    /// The answer's last byte was written. The request's own end may still be missing.
    mutating func answerEnded() {
        hasAnswerEnded = true
        switch state {
        case .answering: next()
        case .body: if closesAfterAnswer { state = .closed }
        case .head, .undecided, .closed: break
        }
    }

    /// The next answer is the last.
    mutating func closeAfterAnswer() { closesAfterAnswer = true }

    mutating func close() { state = .closed }

    private mutating func next() {
        current = nil
        state = closesAfterAnswer ? .closed : .head(HeadScanner(limits: limits))
    }

    /// The request handed on has had nothing of its answer yet.
    var isUnanswered: Bool { current != nil && !hasAnswerBegun }

    /// No answer is under way that another one would run into.
    var mayAnswer: Bool { current == nil || !hasAnswerBegun }

    private mutating func refuse(_ refusal: Refusal) -> Step {
        let mayAnswer = mayAnswer
        state = .closed
        return .refuse(refusal, mayAnswer: mayAnswer)
    }
}
