// Asserts the invariants on every answer. It sees true time and what each Redis executed; of the nodes it reads memory only to say what
// one knew when it entered a term, and whether what it claims to have applied is there.
//
// The one exception that the protocol makes (I2): a change that Redis lost in a new term binds nobody there, unless a living node that
// knew it reached that Redis within Δ of the term's start. "Reached" is: its first poll ran there by then, so it had reconciled.

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
    private let agenda: Agenda
    private let deployment: Deployment
    private let trace: Trace
    private let bound: Int64
    private(set) var sessions: [TrackedSession] = []
    private var sessionsByID: [SessionID: TrackedSession] = [:]
    private(set) var changes: [TrackedChange] = []
    private var log = TruthLog()
    private var arrivals: [[String: Arrival]] = []
    /// By term: what its data began with.
    private var inherited: [(revoked: Set<Int>, versions: [UserID: UInt64])] = []
    /// By term: the highest stamp that its data began with or that was brought or given since.
    private var marks: [[Partition: UInt64]] = []
    private var refused: [String: Set<Int>] = [:]
    private var latestClockSeconds: Int64 = 0
    private var termOfSession: [SessionID: Int] = [:]
    private(set) var counts = Counts()
    private var forgetting = Forgetting()
    private(set) var violation: Violation?

    init(agenda: Agenda, deployment: Deployment, trace: Trace) {
        self.agenda = agenda
        self.deployment = deployment
        self.trace = trace
        // Δ on the slowest clock.
        bound = .milliseconds(1005.0)
    }

    func report(_ invariant: String, _ detail: String) {
        guard violation == nil else { return }
        violation = Violation(invariant: invariant, detail: detail)
        trace.note("CHECK", "\(invariant): \(detail)")
    }

    // MARK: what Redis did

    func termBegan(_ term: TermRecord) {
        let data = InheritedData(term.data, partitions: deployment.partitions)
        log.begin(heads: data.heads)
        arrivals.append([:])
        inherited.append((data.revoked(of: sessions), data.versions))
        marks.append(data.marks)
    }

    func executed(_ server: SimulatedServer, _ node: SimulatedNode, _ command: RedisCommand, _ execution: Execution) {
        latestClockSeconds = max(latestClockSeconds, server.clockMicroseconds / 1_000_000)
        guard let term = deployment.termOfServer[server.index] else { return }
        if arrivals[term][node.name] == nil { arrivals[term][node.name] = Arrival(node, sessions) }
        if !execution.isRefused, let partition = deployment.partition(of: command), let mark = command.mark {
            marks[term][partition] = max(marks[term][partition] ?? 0, mark)
        }
        for (channel, message) in execution.published {
            guard let partition = deployment.partition(ofEvents: channel),
                let event = Event(String(decoding: message, as: UTF8.self))
            else { continue }
            log.append(event, in: partition, term: term)
            note(event, in: partition, term: term, clockSeconds: server.clockMicroseconds / 1_000_000)
        }
        if execution.hasWritten {
            deployment.noteName(of: server)
            noteForgetting(server, node, command, execution)
        }
        if command.operation == "issue", let id = command.issuedSession { termOfSession[id] = term }
        if command.operation == "poll", case .array(let answer) = execution.reply, answer.first == .bytes(Self.same),
            let partition = deployment.partition(of: command), self.term(of: node, partition) == term,
            arrivals[term][node.name]?.polledAt[partition] == nil
        {
            arrivals[term][node.name]?.polledAt[partition] = agenda.now
        }
    }

    private func noteForgetting(
        _ server: SimulatedServer, _ node: SimulatedNode, _ command: RedisCommand, _ execution: Execution
    ) {
        guard let partition = deployment.partition(of: command) else { return }
        var taken: Int?
        if command.operation == "sweep", case .integer(let count) = execution.reply {
            taken = Int(count)
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
        var named: Set<SessionID> = changes[number].written[partition]?.sessions ?? []
        if case .sessions(let ids) = event.change { named.formUnion(ids) }
        changes[number].written[partition] = TrackedChange.Written(
            term: term, sessions: named, clockSeconds: clockSeconds, mark: marks[term][partition] ?? 0,
            isTermYoung: agenda.now < deployment.terms[term].began + bound, latestClockSeconds: latestClockSeconds)
    }

    // MARK: what clients did

    func issued(_ issued: IssuedSession, _ claims: Claims, askedAt: Int64) -> TrackedSession {
        let session = TrackedSession(
            number: sessions.count, issued: issued, claims: claims, askedAt: askedAt, issuedAt: agenda.now,
            term: termOfSession[issued.session] ?? 0)
        sessions.append(session)
        sessionsByID[session.id] = session
        counts.issued += 1
        return session
    }

    func asked(_ kind: TrackedChange.Kind, waitsForCluster: Bool) -> TrackedChange {
        let change = TrackedChange(
            number: changes.count, kind: kind, askedAt: agenda.now, waitsForCluster: waitsForCluster)
        changes.append(change)
        return change
    }

    func answered(_ change: TrackedChange, _ answer: ChangeAnswer) {
        change.answeredAt = agenda.now
        change.propagation = answer.propagation
        change.version = answer.permissionsVersion
        counts.note(answer.propagation)
    }

    // MARK: validate

    /// An answer about this token to a validate that began at `began` (when the node turned to it).
    func validated(
        _ session: TrackedSession, _ claims: Claims, on node: SimulatedNode, began: Int64, _ result: ValidateResult
    ) {
        switch result {
        case .active(let active): checkActive(session, node, began, active)
        case .refused(let reason): checkRefused(session, claims, node, reason)
        }
        checkChain(node, session.partition)
    }

    private func checkActive(_ session: TrackedSession, _ node: SimulatedNode, _ began: Int64, _ active: ActiveSession)
    {
        counts.active += 1
        let term = term(of: node, session.partition)
        for change in changes {
            guard let from = change.bindsFrom(bound: bound), began > from else { continue }
            if change.ends(session), binds(change, session, term: term, in: session.partition) {
                let state = change.propagation?.rawValue ?? ""
                report(
                    change.propagation == .published || change.propagation == .pending ? "I1" : "I2",
                    "\(node.name) answers active for s\(session.number), which change #\(change.number) (\(state)) ended "
                        + "at \(from / 1_000_000) ms; the node follows term \(term.map(String.init) ?? "none"), the change "
                        + "ran in \(change.written[session.partition].map { String($0.term) } ?? "none")")
            }
            checkPermissions(change, session, node, term, active)
        }
        if isClockLongOff(node) { report("I6", "\(node.name) answers active, and its clock is off") }
        if refused[node.name]?.contains(session.number) == true {
            report("I5", "\(node.name) answers active for s\(session.number), which it had refused as revoked")
        }
    }

    /// Further off than the skew bound from every Redis since before the oldest poll that can make the node fresh. What Redis is
    /// asked in its place (`strict`) does not go by the node's state.
    private func isClockLongOff(_ node: SimulatedNode) -> Bool {
        let since = agenda.now - bound - .milliseconds(10.0)
        guard node.process.clockSteppedAt < since else { return false }
        return deployment.servers.allSatisfy { server in
            server.clockSteppedAt < since
                && abs(node.process.wallOffsetSeconds - server.clockOffsetMicroseconds / 1_000_000) > 32
        }
    }

    private func checkPermissions(
        _ change: TrackedChange, _ session: TrackedSession, _ node: SimulatedNode, _ term: Int?, _ active: ActiveSession
    ) {
        guard case .permissions(let user, _) = change.kind, user == session.user, session.issuedAt < change.askedAt,
            change.reaches(session),
            let version = change.version, active.permissionsVersion < version
        else { return }
        let from = change.bindsFrom(bound: bound) ?? .max
        guard
            isBound(
                change, term: term, in: session.partition, inherited: { $0.versions[user] ?? 0 >= version },
                known: {
                    $0.versions[user] ?? 0 >= version
                })
        else { return }
        report(
            "I2 (permissions)",
            "\(node.name) answers with version \(active.permissionsVersion) for s\(session.number), \(version) is in force "
                + "since \(from / 1_000_000) ms")
    }

    private func checkRefused(
        _ session: TrackedSession, _ claims: Claims, _ node: SimulatedNode, _ reason: RefusalReason
    ) {
        counts.refused += 1
        switch reason {
        case .sessionRevoked:
            if node.knowsRevoked(session) { refused[node.name, default: []].insert(session.number) }
            let isExplained =
                changes.contains { $0.mayEnd(session) }
                || session.mayBeReused(
                    at: agenda.now, grace: 900_000_000,
                    clockSteppedAt: deployment.servers.map(\.clockSteppedAt).max() ?? .min)
                || session.isOfYoungTerm(deployment, bound, changes)
            if !isExplained { report("I6", "\(node.name) refuses s\(session.number), which nothing revoked") }
        case .tokenExpired:
            // Its clock may be wrong by the skew bound.
            let isOver = claims.isOver(at: agenda.wallSeconds)
            let isClockWrong =
                deployment.servers.contains { $0.clockOffsetMicroseconds != 0 } || deployment.hasSteppedClock
            if !isOver, !isClockWrong, abs(node.process.wallOffsetSeconds) <= 30 {
                report("I6", "\(node.name) says that s\(session.number) has expired")
            }
        case .sessionNotFound: break  // strict: the record went with Redis' data
        case .tokenMissing, .tokenMalformed, .tokenSignatureInvalid, .sessionExpired, .refreshTokenReused:
            report("I6", "\(node.name) refuses s\(session.number) as \(reason.rawValue)")
        }
    }

    // MARK: refresh

    /// I5: nothing is renewed that was ended before it was asked for. (In a term's first moments Redis may still lack what living nodes
    /// are about to write again; what is renewed then keeps id and stamp, so it ends with that.)
    func renewed(
        _ session: TrackedSession, on node: SimulatedNode, began: Int64, _ issued: IssuedSession, _ claims: Claims
    ) {
        counts.renewed += 1
        session.renewed(issued, claims)
        let term = term(of: node, session.partition)
        guard let term, began > deployment.terms[term].began + bound else { return }
        for change in changes where change.ends(session) {
            guard let answeredAt = change.answeredAt, began > answeredAt + bound,
                binds(change, session, term: term, in: session.partition)
            else { continue }
            report("I5", "\(node.name) renews s\(session.number), which change #\(change.number) ended")
        }
        if session.claims.stamp != claims.stamp { report("I5", "s\(session.number) was renewed with another stamp") }
    }

    // MARK: the exception

    private func term(of node: SimulatedNode, _ partition: Partition) -> Int? {
        let term = node.table.withPartition(partition) { $0.feed.term }
        return term.flatMap { deployment.index(of: $0) }
    }

    private func binds(_ change: TrackedChange, _ session: TrackedSession, term: Int?, in partition: Partition) -> Bool
    {
        isBound(
            change, term: term, in: partition, inherited: { $0.revoked.contains(session.number) },
            known: { $0.revoked.contains(session.number) })
    }

    private func isBound(
        _ change: TrackedChange, term: Int?, in partition: Partition,
        inherited hasInherited: ((revoked: Set<Int>, versions: [UserID: UInt64])) -> Bool, known: (Arrival) -> Bool
    ) -> Bool {
        guard let term, let written = change.written[partition] else { return true }
        guard term > written.term else { return true }
        if hasInherited(inherited[term]) { return true }
        let latest = deployment.terms[term].began + bound
        return arrivals[term].values.contains { arrival in
            known(arrival) && (arrival.polledAt[partition] ?? .max) <= latest
        }
    }

    // MARK: I4

    /// What a fresh node has applied, up to the head that its last poll named, is in the log of its term's Redis, and in force.
    /// (Before its first poll on a chain, and while it reads the log up to a newer head, it is fresh from what was before; past that
    /// head a late message of a lost fork can pass for the next event until the next poll.)
    private func checkChain(_ node: SimulatedNode, _ partition: Partition) {
        let now = node.parts.service.clock.boot()
        let feed = node.table.withPartition(partition) { $0.feed }
        guard feed.isFresh(at: now), feed.watchedSince != nil, let applied = feed.applied, let head = feed.head,
            applied.seq >= head.seq, let term = term(of: node, partition)
        else { return }
        let events = log.events(in: partition, term: term)
        if let entry = events.last(where: { $0.position.seq == head.seq }), !feed.hasApplied(entry.position) {
            report(
                "I4",
                "\(node.name) has applied \(applied.seq) (\(applied.tag)) of another chain than its Redis' (\(entry.position.tag)) in "
                    + "term \(term)")
        }
        for event in events.suffix(64)
        where event.position.seq <= head.seq && !node.hasInForce(kept(event), in: partition) {
            report("I4", "\(node.name) is at \(head.seq) without event \(event)")
        }
    }

    /// An event that re-asserts sessions says the latest `until` of them: whoever loaded the snapshot has each one's own, and may have
    /// forgotten those whose tokens are over.
    private func kept(_ event: Event) -> Event {
        guard case .sessions(let ids) = event.change, event.reason == "reasserted" else { return event }
        let living = ids.filter { id in sessionsByID[id].map { !$0.isOver(at: agenda.wallSeconds) } ?? false }
        return Event(
            position: event.position, previous: event.previous, asker: event.asker, until: event.until,
            reason: event.reason, change: .sessions(living))
    }

    /// I3: what one ready node knows, all know.
    func checkAgreement(of nodes: [SimulatedNode]) {
        for session in sessions where !session.isOver(at: agenda.wallSeconds) {
            guard let knowing = nodes.first(where: { $0.knowsRevoked(session) }) else { continue }
            for node in nodes where !node.knowsRevoked(session) {
                report("I3", "\(node.name) does not know that s\(session.number) has ended, and \(knowing.name) does")
            }
        }
    }

    /// I3: everything that returned is in force on every node that is ready, once the faults are over.
    func checkEverything(on node: SimulatedNode) {
        for change in changes where change.answeredAt != nil {
            for session in sessions where change.ends(session) && !session.isOver(at: agenda.wallSeconds) {
                let term = term(of: node, session.partition)
                guard binds(change, session, term: term, in: session.partition) else { continue }
                counts.checkedAtEnd += 1
                if !node.knowsRevoked(session) {
                    report("I3", "\(node.name) does not know that change #\(change.number) ended s\(session.number)")
                }
            }
        }
    }

    func noteUnavailable() { counts.unavailable += 1 }
    func noteFailedWrite() { counts.failedWrites += 1 }
    func noteFault() { counts.faults += 1 }
}

extension Checker.Arrival {
    init(_ node: SimulatedNode, _ sessions: [TrackedSession]) {
        revoked = Set(sessions.lazy.filter { node.knowsRevoked($0) }.map(\.number))
        versions = node.permissionVersions(of: Set(sessions.map(\.user)))
    }
}

extension RedisCommand {
    /// Of a script: ARGV[2], behind the digest, the number of keys and the keys.
    fileprivate var mark: UInt64? {
        guard verb == "EVALSHA" || verb == "EVAL", let text = scriptArgument(2) else { return nil }
        return UInt64(text)
    }

    private func scriptArgument(_ number: Int) -> String? {
        guard arguments.count > 1, let keys = Int(String(decoding: arguments[1].bytes, as: UTF8.self)),
            arguments.indices.contains(1 + keys + number)
        else { return nil }
        return String(decoding: arguments[1 + keys + number].bytes, as: UTF8.self)
    }

    /// Of an `issue` call: ARGV[10].
    fileprivate var issuedSession: SessionID? { scriptArgument(10).flatMap { SessionID($0) } }
}
