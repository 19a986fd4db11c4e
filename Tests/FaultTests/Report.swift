// What a run says at its end: one block of figures, and for each violation what happened to that session and around it.

import TestSupport

struct Report {
    let seed: UInt64
    let seconds: Int
    let history: History
    let violations: [Violation]

    /// Operations by kind and answer, faults by kind, revokes by propagation, violations by rule.
    var summary: String {
        var lines = ["fault run: seed \(seed), \(seconds) s"]
        func block(_ title: String, _ keys: [String]) {
            let tally = keys.reduce(into: [String: Int]()) { $0[$1, default: 0] += 1 }
            lines.append("\(title): \(keys.count)")
            for (key, count) in tally.sorted(by: { $0.key < $1.key }) { lines.append("  \(count)\t\(key)") }
        }
        block("operations", history.operations.map { "\($0.action.kind): \($0.answer.plain)" })
        block("faults", history.faults.map(\.kind))
        block(
            "revokes done, by propagation",
            history.operations.compactMap { operation in
                guard operation.action.target != nil, operation.answer.isDone else { return nil }
                return operation.answer.propagation
            })
        lines.append(
            "episodes in which data may be lost: \(history.losses.count) (failovers that lost events: "
                + "\(history.losingFailovers)), settled moments: \(history.settled.count)")
        let errors = history.redisErrors.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
        lines.append("errors that Redis answered: \(errors.joined(separator: ", "))")
        block("violations", violations.map { $0.rule.rawValue })
        return lines.joined(separator: "\n")
    }

    func description(of violation: Violation) -> String {
        let late = history.operations[violation.operation]
        var lines = ["\(violation.rule.rawValue) broken, seed \(seed): \(line(violation.operation))"]
        if let because = violation.because { lines.append("  against: \(line(because))") }
        if let session = violation.session {
            let subject = history.subjects[session]
            lines.append(
                "  session \(session): user \(subject.user), device \(subject.device ?? "-"), tenant "
                    + "\(subject.tenant ?? "-"), issued \(moment(subject.issued.began))")
            lines += excerpt(around: session, until: late.time.ended).map { "  \($0)" }
        }
        let around = Interval(began: late.time.began - 10_000_000_000, ended: late.time.ended + 1_000_000_000)
        for fault in history.faults where fault.time.overlaps(around) {
            lines.append("  fault \(moment(fault.time.began)) to \(moment(fault.time.ended)): \(fault.name)")
        }
        for loss in history.losses where loss.overlaps(around) {
            lines.append("  Redis may have lost data \(moment(loss.began)) to \(moment(loss.ended))")
        }
        return lines.joined(separator: "\n")
    }

    private static let maximumLines = 40

    /// The last operations that have to do with a session.
    private func excerpt(around session: Int, until end: Int64) -> [String] {
        let indices = history.operations.indices.filter { index in
            let operation = history.operations[index]
            guard operation.time.began <= end else { return false }
            switch operation.action {
            case .issue(let issued): return issued == session
            case .validate(let asked, _, _, _), .renew(let asked), .logout(let asked): return asked == session
            case .change(.permissions(let user, _)): return user == history.subjects[session].user
            case .change(let target): return target.names(session, history.subjects[session])
            }
        }
        return indices.sorted { history.operations[$0].time.began < history.operations[$1].time.began }
            .suffix(Self.maximumLines).map(line)
    }

    private func line(_ index: Int) -> String {
        let operation = history.operations[index]
        return "\(moment(operation.time.began)) to \(moment(operation.time.ended)) node \(operation.node + 1) "
            + "\(operation.action.kind)\(operation.session.map { " of session \($0)" } ?? "") -> \(operation.answer.label)"
            + (operation.answer.version.map { " version \($0)" } ?? "")
    }

    /// Seconds since the first operation.
    private func moment(_ time: Int64) -> String {
        let start = history.operations.first?.time.began ?? 0
        let milliseconds = (time - start) / 1_000_000
        let fraction = String(abs(milliseconds % 1000) + 1000).dropFirst()
        return "\(milliseconds / 1000).\(fraction)"
    }
}

extension Action {
    fileprivate var kind: String {
        switch self {
        case .issue: "issue"
        case .validate(_, true, _, _): "validate strict"
        case .validate(_, _, .some, _): "validate at least"
        case .validate: "validate"
        case .renew: "renew"
        case .logout: "logout"
        case .change(.permissions): "permissions"
        case .change(.session): "revoke session"
        case .change(.token): "revoke token"
        case .change(.user): "revoke user"
        case .change(.others): "revoke all but one"
        case .change(.device): "revoke device"
        case .change(.tenant): "revoke tenant"
        case .change(.everyone): "revoke everyone"
        }
    }
}

extension Answer {
    /// Without the propagation, which has a block of its own.
    fileprivate var plain: String {
        var answer = self
        answer.propagation = nil
        return answer.label
    }
}
