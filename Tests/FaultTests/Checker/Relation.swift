// Which changes end which sessions, seen from outside: certainly, perhaps, or not at all. What is uncertain is asserted
// neither way, so every "perhaps" here is a hole in the test; each has its reason beside it.
//
// What is NOT here: a revoke that Redis lost and no living node had heard. The protocol lets go of those (docs/protocol.md,
// "Outside", and the exception of I2), but nobody outside can tell which they are. So the nemesis never makes one: while Redis
// can lose data, one node that was ready before, the witness, is neither stopped nor cut off. Redis publishes a revoke to the
// witness in the same step in which it answers the asker, so the witness has heard whatever was answered; it reaches the new
// primary at once, within Δ of the term's start. Then I1, I2 and I3 hold without exception.

enum Relation: Equatable {
    /// It ended the session before it was answered.
    case certain
    /// It may have, at any time since it was asked for.
    case possible
    case unrelated
}

extension History {
    /// What a change did to a session.
    func relation(of change: Operation, to session: Int) -> Relation {
        guard let target = change.action.target, target.names(session, subjects[session]) else { return .unrelated }
        let issued = subjects[session].issued
        if change.answer.isUncertain {
            // The command may lie in a queue (a stopped Redis, a held-back line) and be run later, up to the next settled
            // moment: a session that began meanwhile may be older than it.
            if issued.began < settled(after: change.time.ended) { return .possible }
            return mayBeOlderAgain(than: target, issued) ? .possible : .unrelated
        }
        guard change.answer.isDone else { return .unrelated }
        if case .session = target { return .certain }
        if case .token = target { return .certain }
        if issued.began > change.time.ended { return mayBeOlderAgain(than: target, issued) ? .possible : .unrelated }
        guard issued.ended < change.time.began else { return .possible }
        // These read the user's index, which is lost with Redis' data (docs/protocol.md, "Outside").
        if target.readsIndex, hasLoss(during: Interval(began: issued.began, ended: change.time.ended)) {
            return .possible
        }
        return .certain
    }

    /// A session that began in a new term's first moments can be ended by an older cutoff that is written again and was ahead
    /// of Redis' clock: a documented weakness (docs/verification.md, "Not promised, and not known").
    private func mayBeOlderAgain(than target: Target, _ issued: Interval) -> Bool {
        target.isCutoff && hasLoss(during: issued)
    }
}

extension Target {
    /// Whether it includes a session, whenever that began.
    func names(_ session: Int, _ subject: Subject) -> Bool {
        switch self {
        case .session(let named), .token(let named): named == session
        case .user(let user): subject.user == user
        case .others(let user, let kept): subject.user == user && kept != session
        case .device(let user, let device): subject.user == user && subject.device == device
        case .tenant(let tenant): subject.tenant == tenant
        case .everyone: true
        case .permissions: false
        }
    }

    fileprivate var readsIndex: Bool {
        switch self {
        case .others, .device: true
        case .session, .token, .user, .tenant, .everyone, .permissions: false
        }
    }

    fileprivate var isCutoff: Bool {
        switch self {
        case .user, .tenant, .everyone: true
        case .session, .token, .others, .device, .permissions: false
        }
    }
}

/// The changes of a history by what they can concern: comparing every session with every change would take minutes.
struct ChangeIndex {
    private var bySession: [Int: [Int]] = [:]
    private var byUser: [String: [Int]] = [:]
    private var byTenant: [String: [Int]] = [:]
    private var ofEveryone: [Int] = []

    init(_ history: History) {
        for (index, operation) in history.operations.enumerated() {
            guard let target = operation.action.target else { continue }
            switch target {
            case .session(let session), .token(let session): bySession[session, default: []].append(index)
            case .user(let user), .others(let user, _), .device(let user, _), .permissions(let user, _):
                byUser[user, default: []].append(index)
            case .tenant(let tenant): byTenant[tenant, default: []].append(index)
            case .everyone: ofEveryone.append(index)
            }
        }
    }

    /// Indices of the operations that may concern a session.
    func changes(around session: Int, _ subject: Subject) -> [Int] {
        let ofTenant = subject.tenant.flatMap { byTenant[$0] } ?? []
        return (bySession[session] ?? []) + (byUser[subject.user] ?? []) + ofTenant + ofEveryone
    }
}
