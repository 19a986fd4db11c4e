// Judges a history by the invariants of docs/protocol.md. Pure: a history in, violations out.
//
// I1  active answers, or renewals, that begin later than Δ after the revoke returned
// I2  the same that begin after a revoke returned `acknowledged` or `fenced`, or that carry its fence
// I3  after the last fault, with every node ready: whatever a revoke ended is refused by every node
// I5  the same that begin later than Δ after anybody was told `session_revoked`
// I6  a refusal of what nothing can have ended
//
// A permission change is judged like a revoke: the token goes on, but no answer shows an older version. I4 is about what goes
// on between a node and Redis; the run looks at the log itself and at each node's place in it, at the end.

/// A promise that was broken.
struct Violation: Sendable, Equatable {
    enum Rule: String, Sendable, CaseIterable { case i1 = "I1", i2 = "I2", i3 = "I3", i5 = "I5", i6 = "I6", answer }

    let rule: Rule
    let session: Int?
    /// The operation that should have been answered otherwise.
    let operation: Int
    /// The change, or the refusal, that it contradicts.
    let because: Int?
}

struct Checker {
    private let history: History

    init(_ history: History) { self.history = history }

    /// The first violation of each rule by each session; the rest follows from the same cause.
    func violations() -> [Violation] {
        var validations: [Int: [Int]] = [:]
        var found: [Violation] = []
        for (index, operation) in history.operations.enumerated() {
            if let session = operation.shown { validations[session, default: []].append(index) }
            if !isKnown(operation) {
                found.append(Violation(rule: .answer, session: operation.session, operation: index, because: nil))
            }
        }
        let changes = ChangeIndex(history)
        for session in history.subjects.indices {
            let related = changes.changes(around: session, history.subjects[session])
            found += check(session, validations[session] ?? [], related)
        }
        return found
    }

    /// When a session's answers had to stop being active, and why.
    private struct Bound {
        let rule: Violation.Rule
        let moment: Int64
        let because: Int
    }

    private func check(_ session: Int, _ validations: [Int], _ changes: [Int]) -> [Violation] {
        var bounds: [Bound] = []
        var mayHaveEndedSince = Int64.max
        var isEnded = false
        var versions: [(version: Int, bound: Bound)] = []
        for index in changes {
            let change = history.operations[index]
            versions += self.versions(of: index, for: session)
            switch history.relation(of: change, to: session) {
            case .unrelated: continue
            case .possible: mayHaveEndedSince = min(mayHaveEndedSince, change.time.began)
            case .certain:
                isEnded = true
                mayHaveEndedSince = min(mayHaveEndedSince, change.time.began)
                bounds += self.bounds(of: index)
            }
        }
        if let refusal = validations.filter({ history.operations[$0].answer.code == "session_revoked" })
            .min(by: { history.operations[$0].time.ended < history.operations[$1].time.ended })
        {
            let told = history.operations[refusal].time.ended
            bounds.append(Bound(rule: .i5, moment: told + history.stalenessBound, because: refusal))
        }
        var found: [Violation] = []
        func report(_ rule: Violation.Rule, _ operation: Int, because: Int?) {
            guard !found.contains(where: { $0.rule == rule }) else { return }
            found.append(Violation(rule: rule, session: session, operation: operation, because: because))
        }
        for index in validations {
            let operation = history.operations[index]
            var (fence, isLast, isRenewal) = (Int?.none, false, true)
            if case .validate(_, _, let asked, let last) = operation.action {
                (fence, isLast, isRenewal) = (asked, last, false)
            }
            if operation.answer.isActive {
                for bound in bounds where operation.time.began > bound.moment {
                    report(bound.rule, index, because: bound.because)
                }
                if let fence, history.relation(of: history.operations[fence], to: session) == .certain {
                    report(.i2, index, because: fence)
                }
                for (version, bound) in versions
                where !isRenewal && operation.time.began > bound.moment && (operation.answer.version ?? 0) < version {
                    report(bound.rule, index, because: bound.because)
                }
                if !hasGivenNames(operation.answer, session, changes) { report(.i2, index, because: nil) }
            }
            if operation.answer.isRefused, operation.time.ended < mayHaveEndedSince, !isExcused(operation, session) {
                report(.i6, index, because: nil)
            }
            guard isLast else { continue }
            if isEnded, !operation.answer.isRefused { report(.i3, index, because: bounds.first?.because) }
            if mayHaveEndedSince == .max, !operation.answer.isActive { report(.i6, index, because: nil) }
        }
        return found
    }

    /// The moments after which a change that was done has to be seen.
    private func bounds(of change: Int) -> [Bound] {
        let operation = history.operations[change]
        let late = Bound(rule: .i1, moment: operation.time.ended + history.stalenessBound, because: change)
        guard operation.answer.isInForceEverywhere else { return [late] }
        return [late, Bound(rule: .i2, moment: operation.time.ended, because: change)]
    }

    /// The version that tokens of before a permission change have to show.
    private func versions(of change: Int, for session: Int) -> [(version: Int, bound: Bound)] {
        let operation = history.operations[change]
        guard case .change(.permissions(let user, _)) = operation.action, operation.answer.isDone,
            let version = operation.answer.version, history.subjects[session].user == user,
            history.subjects[session].issued.ended < operation.time.began
        else { return [] }
        return bounds(of: change).map { (version, $0) }
    }

    /// Whether the permissions of an active answer are those of the change that it names, or of the login where no change, or one before
    /// it, is named. What became of one whose answer was lost is not known.
    private func hasGivenNames(_ answer: Answer, _ session: Int, _ changes: [Int]) -> Bool {
        guard let names = answer.names else { return true }
        var given: [[String]] = []
        var isCertain = true
        for index in changes {
            let change = history.operations[index]
            guard case .change(.permissions(_, let names)) = change.action else { continue }
            if change.answer.isUncertain { isCertain = false }
            guard change.answer.isDone, change.answer.version == answer.version else { continue }
            given.append(names)
            if change.time.began <= history.subjects[session].issued.ended { given.append(Subject.permissions) }
        }
        if given.isEmpty { return !isCertain || Set(names) == Set(Subject.permissions) }
        return given.contains { Set($0) == Set(names) }
    }

    /// `strict` wants the record, which is lost with Redis' data, and so does a renewal.
    private func isExcused(_ operation: Operation, _ session: Int) -> Bool {
        if case .validate(_, false, _, _) = operation.action { return false }
        let life = Interval(began: history.subjects[session].issued.began, ended: operation.time.ended)
        return operation.answer.code == "session_not_found" && history.hasLoss(during: life)
    }

    /// Whether the interface has such an answer to such a call made well.
    private func isKnown(_ operation: Operation) -> Bool {
        let answer = operation.answer
        if answer.isUncertain { return answer.status == 0 || Self.refusals.contains(answer.code ?? "") }
        if answer == .unreachable { return true }
        return switch operation.action {
        case .issue: answer.status == 201
        case .change: answer.isDone
        case .logout: answer.isDone || answer.status == 401 && answer.code == "session_revoked"
        case .renew:
            answer.status == 200
                || answer.status == 401 && ["session_revoked", "session_not_found"].contains(answer.code)
        case .validate(_, let isStrict, _, _):
            answer.status == 200 || answer.status == 401 && answer.code == "session_revoked"
                || answer.status == 401 && answer.code == "session_not_found" && isStrict
        }
    }

    private static let refusals: Set<String> = ["revocation_state_stale", "redis_unavailable", "overloaded"]
}

extension Operation {
    /// The session that was asked about, or was to be renewed.
    var shown: Int? {
        switch action {
        case .validate(let session, _, _, _), .renew(let session): session
        case .issue, .change, .logout: nil
        }
    }

    /// The session that it names, if it names one.
    var session: Int? {
        switch action {
        case .issue(let session): session
        case .validate(let session, _, _, _), .renew(let session), .logout(let session): session
        case .change(.session(let session)), .change(.token(let session)), .change(.others(_, let session)): session
        case .change: nil
        }
    }
}
