// Asserts the invariants on every answer. It sees true time and what each Redis executed; of the nodes it reads memory only to say what
// one knew when it entered a term, and whether what it claims to have applied is there.
//
// The one exception that the protocol makes (I2): a change that Redis lost in a new term binds nobody there, unless a living node that
// knew it had reconciled with that Redis within Δ of the term's start: what it wrote again is in that Redis' log by then, or its first
// poll as a follower ran there. What is written again later binds everybody Δ after that.

import CurfewCore
import CurfewNode
import CurfewRedis

final class Checker {
    struct Arrival {
        /// Sessions that the node knew to be over when it first spoke in the term, and the newest permissions of users.
        let revoked: Set<Int>
        let versions: [UserID: UInt64]
        var polledAt: [Partition: Int64] = [:]
    }

    private static let same = Array("same".utf8)
    /// `PartitionFeed.longestStampLead`, less what a node's clock may run too fast.
    private static let settlingSeconds = 89.0
    let agenda: Agenda
    let deployment: Deployment
    private let trace: Trace
    let bound: Int64
    /// Where nodes differ in Δ, no more is promised of what a living node knows than that it has reconciled within the shortest.
    private let shortestBound: Int64
    private(set) var sessions: [TrackedSession] = []
    var sessionsByID: [SessionID: TrackedSession] = [:]
    private(set) var changes: [TrackedChange] = []
    var log = TruthLog()
    private var arrivals: [[String: Arrival]] = []
    /// By term: what its Redis holds.
    private(set) var truths: [TermTruth] = []
    /// By term: the highest stamp that its data began with or that was brought or given since.
    private var marks: [[Partition: UInt64]] = []
    /// By term: the sessions that the users' indexes named in the data that it began with.
    private var indexed: [Set<Int>] = []
    private var refused: [String: Set<Int>] = [:]
    /// By term and session: since when a fresh node of that term refuses it as revoked.
    private var refusals: [Int: [Int: Int64]] = [:]
    var termOfRenewal: [SessionID: Int] = [:]
    private(set) var latestClockSeconds: Int64 = 0
    /// When the partitions last went to a Redis with another clock.
    private(set) var clockChangedAt = Int64.min
    private var termOfSession: [SessionID: Int] = [:]
    var counts = Counts()
    /// By user: every change of permissions that any Redis logged.
    private(set) var granted: [UserID: Set<Grant>] = [:]
    private var forgetting = Forgetting()
    private(set) var violation: Violation?
    /// The run is over: what its tasks answer while they are let go, those of killed nodes among them, was never answered.
    var isClosed = false

    init(agenda: Agenda, deployment: Deployment, trace: Trace) {
        self.agenda = agenda
        self.deployment = deployment
        self.trace = trace
        // Δ on the slowest clock.
        let bounds = deployment.scenario.stalenessBounds.map { Int64.milliseconds(Double($0) * 1.005) }
        (bound, shortestBound) = (bounds.max() ?? 0, bounds.min() ?? 0)
    }

    func report(_ invariant: String, _ detail: String) {
        guard violation == nil, !isClosed else { return }
        violation = Violation(invariant: invariant, detail: detail)
        trace.complete("CHECK", "\(invariant): \(detail)")
    }

    // MARK: what Redis did

    func termBegan(_ term: TermRecord) {
        if term.index > 0 {
            let (last, next) = (
                deployment.servers[deployment.terms[term.index - 1].server], deployment.servers[term.server]
            )
            if last.clockOffsetMicroseconds != next.clockOffsetMicroseconds { clockChangedAt = agenda.now }
        }
        let data = InheritedData(term.data, partitions: deployment.partitions)
        var truth = TermTruth()
        for (partition, events) in log.begin(heads: data.heads) {
            for event in events { truth.note(event, in: partition, at: term.began) }
        }
        truths.append(truth)
        arrivals.append([:])
        marks.append(data.marks)
        indexed.append(Set(sessions.lazy.filter { data.names($0) }.map(\.number)))
    }

    func executed(_ server: SimulatedServer, _ node: SimulatedNode, _ command: RedisCommand, _ execution: Execution) {
        latestClockSeconds = max(latestClockSeconds, server.clockMicroseconds / 1_000_000)
        guard let term = deployment.termOfServer[server.index] else { return }
        if arrivals[term][node.name] == nil { arrivals[term][node.name] = Arrival(node, sessions) }
        // (A script that needs no log brings nothing to a Redis that has none.)
        if !execution.isRefused, let partition = deployment.partition(of: command), let mark = command.mark,
            let taken = server.redis.database.hashField(deployment.keys.head(partition), "mark"),
            UInt64(taken) ?? 0 >= mark
        {
            marks[term][partition] = max(marks[term][partition] ?? 0, mark)
        }
        for (channel, message) in execution.published {
            guard let partition = deployment.partition(ofEvents: channel),
                let event = Event(String(decoding: message, as: UTF8.self))
            else { continue }
            log.append(event, in: partition, term: term)
            if case .permissions(let user, let permissions, let stamp) = event.change {
                granted[user, default: []].insert(Grant(version: stamp.microseconds, permissions: permissions))
            }
            checkIdle(event, term: term)
            truths[term].note(event, in: partition, at: agenda.now)
            note(event, in: partition, term: term, clockSeconds: server.clockMicroseconds / 1_000_000)
        }
        if execution.hasWritten {
            deployment.noteName(of: server)
            noteForgetting(server, node, command, execution)
        }
        checkRenewal(command, execution, term: term)
        if command.operation == "issue", let id = command.issuedSession { termOfSession[id] = term }
        if command.operation == "poll", case .array(let answer) = execution.reply, answer.first == .bytes(Self.same),
            let partition = deployment.partition(of: command), self.term(of: node, partition) == term,
            arrivals[term][node.name]?.polledAt[partition] == nil
        {
            arrivals[term][node.name]?.polledAt[partition] = agenda.now
        }
    }

    /// I6: Redis ends nothing as idle that was used within the timeout, as far as that Redis can know.
    private func checkIdle(_ event: Event, term: Int) {
        guard case .expired(let ids) = event.change, event.reason != "reasserted" else { return }
        counts.idle += ids.count
        guard let timeout = deployment.scenario.idleTimeout, !deployment.hasSteppedClock else { return }
        for session in ids.compactMap({ sessionsByID[$0] }) {
            // What another term's Redis was told may be lost.
            guard session.usedAt > deployment.terms[term].began, session.term == term else { continue }
            // One that was used again after its time, within the slack, is saved only where Redis hears of that.
            if max(session.longestPause, agenda.now - session.usedAt) < timeout * 1_000_000_000 {
                report("I6", "s\(session.number) ends as idle, and was used at \(session.usedAt / 1_000_000) ms")
            }
        }
    }

    private func noteForgetting(
        _ server: SimulatedServer, _ node: SimulatedNode, _ command: RedisCommand, _ execution: Execution
    ) {
        guard let partition = deployment.partition(of: command) else { return }
        var taken: Int?
        if command.operation == "sweep", let reply = try? SweepReply(execution.reply) {
            taken = Int(reply.gone)
            forgetting.remembers(node.name, entries: node.entries)
        }
        let entries = server.redis.database.memberCount(deployment.keys.revoked(partition))
        forgetting.executed(on: server.index, partition, entries: entries, taken: taken)
        (counts.swept, counts.forgotten) = (forgetting.swept, forgetting.forgotten)
    }

    /// Ties an event to the change that asked for it: the clients put the change's number into the reason.
    private func note(_ event: Event, in partition: Partition, term: Int, clockSeconds: Int64) {
        guard event.reason.hasPrefix("#"), let number = Int(event.reason.dropFirst()), number < changes.count else {
            return
        }
        let before = changes[number].written[partition]
        var named = before?.sessions ?? []
        if case .sessions(let ids) = event.change { named.formUnion(ids) }
        changes[number].written[partition] = TrackedChange.Written(
            term: term, at: agenda.now, sessions: named,
            stamp: max(before?.stamp ?? .zero, event.change.stamp ?? .zero),
            indexed: indexed[term], clockSeconds: clockSeconds, mark: marks[term][partition] ?? 0,
            isTermYoung: (agenda.now - deployment.terms[term].began) * agenda.pace < .seconds(Self.settlingSeconds),
            latestClockSeconds: latestClockSeconds)
    }

    // MARK: what clients did

    func issued(_ issued: IssuedSession, _ claims: Claims, askedAt: Int64) -> TrackedSession {
        let session = TrackedSession(
            number: sessions.count, issued: issued, claims: claims, askedAt: askedAt, issuedAt: agenda.now,
            term: termOfSession[issued.session] ?? 0)
        sessions.append(session)
        sessionsByID[session.id] = session
        checkLogin(session)
        counts.issued += 1
        return session
    }

    func asked(_ kind: TrackedChange.Kind, waitsForCluster: Bool) -> TrackedChange {
        var tokensSession: Int?
        if case .revoke(.token(let token)) = kind {
            tokensSession = sessions.first { $0.tokens.contains(Array(token.utf8)) }?.number
        }
        let change = TrackedChange(
            number: changes.count, kind: kind, askedAt: agenda.now, waitsForCluster: waitsForCluster,
            tokensSession: tokensSession)
        changes.append(change)
        return change
    }

    func answered(_ change: TrackedChange, _ answer: ChangeAnswer) {
        change.answeredAt = agenda.now
        change.propagation = answer.propagation
        change.fence = answer.fence
        change.version = answer.permissionsVersion
        counts.note(answer.propagation)
        if case .permissions = change.kind { counts.permissions += 1 }
    }

    // MARK: validate

    /// An answer about this token to a validate that began at `began` (when the node turned to it).
    func validated(
        _ session: TrackedSession, _ claims: Claims, atLeast: TrackedChange?, isStrict: Bool, on node: SimulatedNode,
        began: Int64, _ result: ValidateResult
    ) {
        switch result {
        case .active(let active):
            checkActive(session, claims, node, began, active, atLeast)
            checkGrace(session, claims, node, began)
        case .refused(let reason):
            counts.refused += 1
            counts.refusalsByReason[reason.rawValue, default: 0] += 1
            if reason == .sessionRevoked { noteRefusal(session, node) }
            if reason == .sessionNotFound, !isStrict {
                report("I6", "\(node.name) does not find s\(session.number), and was not asked to")
            }
            checkRefusal(session, claims.session, expiresAt: claims.expiresAt, node, began, reason)
        }
        checkChain(node, session.partition)
    }

    private func noteRefusal(_ session: TrackedSession, _ node: SimulatedNode) {
        guard node.knowsEnded(session) else { return }
        refused[node.name, default: []].insert(session.number)
        guard node.isFresh(session.partition), let term = term(of: node, session.partition),
            refusals[term]?[session.number] == nil
        else { return }
        refusals[term, default: [:]][session.number] = agenda.now
    }

    private func checkActive(
        _ session: TrackedSession, _ claims: Claims, _ node: SimulatedNode, _ began: Int64, _ active: ActiveSession,
        _ atLeast: TrackedChange?
    ) {
        counts.active += 1
        checkEnd(claims, of: session, node, began)
        checkGrant(active, by: claims, of: session, node)
        if atLeast != nil { counts.activeAtLeast += 1 }
        let term = term(of: node, session.partition)
        if let term, let since = truths[term].endedSince(session), began > since + bound {
            report(
                "I1",
                "\(node.name) answers active for s\(session.number), which its Redis' log ended at \(since / 1_000_000) ms"
            )
        }
        if let term, let since = refusals[term]?[session.number], began > since + 2 * bound {
            report(
                "I5",
                "\(node.name) answers active for s\(session.number), refused in this term since \(since / 1_000_000) ms"
            )
        }
        for change in changes {
            let asked = change === atLeast
            // Who asks for at least this change is never answered from a state before it: no Δ.
            guard let from = asked ? change.answeredAt : change.bindsFrom(bound: bound), began > from else { continue }
            if change.ends(session), began > binding(change, session, term: term, slack: asked ? 0 : bound) ?? .max {
                let state = change.propagation?.rawValue ?? ""
                report(
                    change.propagation == .published || change.propagation == .pending ? "I1" : "I2",
                    "\(node.name) answers active for s\(session.number), which change #\(change.number) (\(state)) ended "
                        + "at \(from / 1_000_000) ms; the node follows term \(term.map(String.init) ?? "none"), the change "
                        + "ran in \(change.written[session.partition].map { String($0.term) } ?? "none")")
            }
            checkPermissions(change, session, node, term, began, active, slack: asked ? 0 : bound)
        }
        if isClockLongOff(node) { report("I6", "\(node.name) answers active, and its clock is off") }
        if refused[node.name]?.contains(session.number) == true {
            report("I5", "\(node.name) answers active for s\(session.number), which it had refused as revoked")
        }
    }

    /// Further off than the skew bound from every Redis since before the oldest poll that can make the node fresh. What Redis is
    /// asked in its place (`strict`) does not go by the node's state. A poll under way for up to Δ says that much less about Redis' clock.
    private func isClockLongOff(_ node: SimulatedNode) -> Bool {
        let since = agenda.now - bound - .milliseconds(10.0)
        guard node.process.clockSteppedAt < since else { return false }
        return deployment.servers.allSatisfy { server in
            server.clockSteppedAt < since
                && abs(node.process.wallOffsetSeconds - server.clockOffsetMicroseconds / 1_000_000) > 31 + agenda.pace
        }
    }

    // MARK: the exception

    func term(of node: SimulatedNode, _ partition: Partition) -> Int? {
        let term = node.table.withPartition(partition) { $0.feed.term }
        return term.flatMap { deployment.index(of: $0) }
    }

    /// From when on a node of this term must know that the session has ended; `nil` where it need not.
    func binding(_ change: TrackedChange, _ session: TrackedSession, term: Int?, slack: Int64) -> Int64? {
        binding(
            change, term: term, in: session.partition, slack: slack, held: { $0.endedSince(session) },
            known: { $0.revoked.contains(session.number) })
    }

    /// In the term in which the change ran and before, at once. In a later one, from its start on where its Redis holds the change, or
    /// should hold it, within Δ: everybody else is a newcomer for so long. Where it came later, after the slack; so, too, where it was
    /// lost in a term between, from which a node may still be fresh.
    func binding(
        _ change: TrackedChange, term: Int?, in partition: Partition, slack: Int64,
        held: (TermTruth) -> Int64?, known: (Arrival) -> Bool
    ) -> Int64? {
        guard let term, let written = change.written[partition] else { return .min }
        guard term > written.term else { return .min }
        /// When it is in this term's log, or should be, and whether that is within Δ of the term's start.
        func place(in term: Int) -> (since: Int64?, isEarly: Bool) {
            let latest = deployment.terms[term].began + shortestBound
            let told = arrivals[term].values.filter(known).compactMap { $0.polledAt[partition] }.min()
            let since = [held(truths[term]), told.flatMap { $0 <= latest ? $0 : nil }].compactMap(\.self).min()
            return (since, since.map { $0 <= latest } ?? false)
        }
        let (since, isEarly) = place(in: term)
        let wasLost = (written.term + 1..<term).contains { !place(in: $0).isEarly }
        return isEarly && !wasLost ? .min : since.map { $0 + slack }
    }

    func noteUnavailable() { counts.unavailable += 1 }
    func noteFailedWrite() { counts.failedWrites += 1 }
    func noteFault(_ kind: FaultKind) { counts.faultsByKind[kind.rawValue, default: 0] += 1 }
}

extension Checker.Arrival {
    init(_ node: SimulatedNode, _ sessions: [TrackedSession]) {
        revoked = Set(sessions.lazy.filter { node.knowsEnded($0) }.map(\.number))
        versions = node.permissionVersions(of: Set(sessions.map(\.user)))
    }
}
