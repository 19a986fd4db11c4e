// What a run must have done before "no violation" says anything: so much of everything in a minute, and in proportion in another
// time. About a seventh of what a minute on two busy cores does, so that no slow machine fails by them.

struct Floors {
    let seconds: Int
    /// The faults that this machine can make.
    var faultKinds: [String] =
        NodeFault.possible.map(\.rawValue) + RedisFault.possible.map(\.rawValue) + LossFault.allCases.map(\.rawValue)

    /// Long enough for every kind of fault to have come up several times.
    private static let secondsOfAllFaults = 600
    /// What the faults of Redis are answered by. The faults count as begun; these, as felt.
    private static let redisErrors = ["OOM", "MISCONF", "READONLY", "BUSY", "LOADING", "NOSCRIPT"]
    /// In less the nemesis may draw nothing that has such answers.
    private static let secondsOfSomeFaults = 60

    private struct Floor: Sendable {
        let what: String
        let perMinute: Double
        /// It takes faults to see it.
        var isOfFaults = false
        let count: @Sendable (History) -> Int

        static func faults(_ what: String, _ perMinute: Double, _ count: @escaping @Sendable (History) -> Int) -> Floor
        {
            Floor(what: what, perMinute: perMinute, isOfFaults: true, count: count)
        }

        static func operations(_ what: String, _ perMinute: Double, _ isMeant: @escaping @Sendable (Operation) -> Bool)
            -> Floor
        {
            Floor(what: what, perMinute: perMinute) { $0.operations.count(where: isMeant) }
        }

        /// Changes of one kind that are written.
        static func changes(_ what: String, _ perMinute: Double, _ isMeant: @escaping @Sendable (Target) -> Bool)
            -> Floor
        {
            operations(what, perMinute) { operation in
                guard case .change(let target) = operation.action, operation.answer.isDone else { return false }
                return isMeant(target)
            }
        }

        static func propagations(_ state: String, _ perMinute: Double) -> Floor {
            operations("changes that were \(state)", perMinute) { $0.isChange && $0.answer.propagation == state }
        }

        /// Answers to validate, without those of the last look.
        static func answers(
            _ what: String, _ perMinute: Double, isStrict: Bool? = nil, hasFence: Bool? = nil,
            _ isMeant: @escaping @Sendable (Answer) -> Bool
        ) -> Floor {
            operations(what, perMinute) { operation in
                guard case .validate(_, let strict, let atLeast, false) = operation.action else { return false }
                return isMeant(operation.answer) && (isStrict ?? strict) == strict
                    && (hasFence ?? (atLeast != nil)) == (atLeast != nil)
            }
        }

        var ofFaults: Floor {
            var floor = self
            floor.isOfFaults = true
            return floor
        }
    }

    private static let table: [Floor] = [
        .operations("operations", 5_000) { _ in true },
        .operations("logins", 150) { $0.answer.status == 201 },
        .changes("revokes of a session", 40) { if case .session = $0 { true } else { false } },
        .changes("revokes by token", 25) { if case .token = $0 { true } else { false } },
        .changes("revokes of a user", 25) { if case .user = $0 { true } else { false } },
        .changes("revokes of all but one", 15) { if case .others = $0 { true } else { false } },
        .changes("revokes of a device", 10) { if case .device = $0 { true } else { false } },
        .changes("revokes of a tenant", 1) { if case .tenant = $0 { true } else { false } },
        .operations("logouts", 15) { if case .logout = $0.action { $0.answer.isDone } else { false } },
        .operations("renewals", 25) { if case .renew = $0.action { $0.answer.isActive } else { false } },
        .operations("renewals refused", 12) { if case .renew = $0.action { $0.answer.isRefused } else { false } },
        .changes("changes of permissions", 25) { if case .permissions = $0 { true } else { false } },
        .propagations("published", 80), .propagations("acknowledged", 60), .propagations("fenced", 3).ofFaults,
        .propagations("pending", 1).ofFaults,
        .operations("writes refused for want of Redis", 3) { !$0.isValidate && $0.answer.status == 503 }.ofFaults,
        .answers("active", 1_200) { $0.isActive },
        .answers("refused", 2_000) { $0.isRefused },
        .answers("stale", 60) { $0.code == "revocation_state_stale" }.ofFaults,
        .answers("strict, active", 15, isStrict: true) { $0.isActive },
        .answers("strict, refused", 15, isStrict: true) { $0.isRefused },
        .answers("behind a fence, refused", 60, hasFence: true) { $0.isRefused },
        .operations("tokens shown at the end", 500) { $0.isLast },
        .operations("tokens refused at the end", 150) { $0.isLast && $0.answer.isRefused },
        .faults("faults", 4) { $0.faults.count },
        .faults("episodes in which data may be lost", 1) { $0.losses.count },
        .faults("settled moments", 2) { $0.settled.count },
    ]

    /// A line for everything that there was too little of.
    func missing(in history: History) -> [String] {
        var lines: [String] = Self.table.compactMap { floor in
            if floor.isOfFaults, seconds < Self.secondsOfSomeFaults { return nil }
            return line(floor.what, floor.count(history), Int(floor.perMinute * Double(seconds) / 60))
        }
        let kinds = Dictionary(grouping: history.faults, by: \.kind)
        // Not every minute has one, but where a node was killed somebody asked it.
        let kills = kinds[NodeFault.killed.rawValue]?.count ?? 0
        lines += [line("calls that nobody answered", history.operations.count { $0.answer.status <= 0 }, kills)]
            .compactMap(\.self)
        if seconds >= Self.secondsOfSomeFaults { lines += [line("kinds of faults", kinds.count, 4)].compactMap(\.self) }
        lines += faultKinds.compactMap {
            line("fault: \($0)", kinds[$0]?.count ?? 0, seconds / Self.secondsOfAllFaults)
        }
        let times = seconds / Self.secondsOfAllFaults
        lines += Self.redisErrors.compactMap { line("errors of Redis: \($0)", history.redisErrors[$0] ?? 0, times) }
        lines += [line("failovers that lost events", history.losingFailovers, times)].compactMap(\.self)
        return lines
    }

    private func line(_ what: String, _ count: Int, _ floor: Int) -> String? {
        count >= floor ? nil : "\(what): \(count), expected at least \(floor) in \(seconds) s"
    }
}

extension Operation {
    fileprivate var isChange: Bool { action.target != nil }
    fileprivate var isValidate: Bool { if case .validate = action { true } else { false } }
    fileprivate var isLast: Bool { if case .validate(_, _, _, true) = action { true } else { false } }
}
