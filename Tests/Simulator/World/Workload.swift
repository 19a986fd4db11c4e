// The clients: they log in, validate, revoke in every way, change permissions, on any node, and give what they were answered to the
// checker. Few users, devices and tenants, so that everything meets everything.

import CurfewCore
import CurfewNode

// `@unchecked Sendable`: one thread runs the whole simulation.
final class Workload: @unchecked Sendable {
    /// Of every login.
    static let permissions = Permissions(["p0"]) ?? .none
    private let world: World
    private var chance: SeededRandom
    private let users: [UserID]
    private let devices: [DeviceID]
    private let tenants: [TenantID]
    /// The last that a client heard.
    private var lastActive: ActiveSession?
    private static let maximumSessions = 250
    /// Sessions that nothing may have ended: more are issued while there are fewer.
    private static let wantedLive = 12

    init(world: World, chance: SeededRandom) {
        self.world = world
        self.chance = chance
        users = (0..<4).compactMap { UserID("u\($0)") }
        devices = (0..<2).compactMap { DeviceID("d\($0)") }
        tenants = (0..<2).compactMap { TenantID("t\($0)") }
    }

    func begin() {
        world.agenda.after(.milliseconds(5.0)) { [self] in next() }
    }

    private func next() {
        guard !world.isHealing else { return }
        if let node = world.anyNode(&chance) { act(on: node) }
        let pause = Double.random(in: 0...2, using: &chance) * world.scenario.operationPause
        world.agenda.after(.milliseconds(pause)) { [self] in next() }
    }

    /// Asks one node again and again about what was ended: where something is wrong a mistake shows.
    func look(at node: SimulatedNode, rounds: Int) {
        guard rounds > 0, !world.isHealing, !world.checker.sessions.isEmpty else { return }
        validate(pickSession(), on: node)
        world.agenda.after(.milliseconds(Double.random(in: 10...80, using: &chance))) { [self] in
            look(at: node, rounds: rounds - 1)
        }
    }

    /// Whoever changed something asks for at least that of any node, whether it was waited for or not.
    func readBack(_ change: TrackedChange) {
        let concerned = world.checker.sessions.suffix(60).filter { change.concerns($0) }
        for _ in 0..<2 {
            guard let session = concerned.randomElement(using: &chance) else { return }
            world.agenda.after(.milliseconds(chance.pick([0.0, 1, 20, 400]))) { [self] in
                guard !world.isHealing, let node = world.anyNode(&chance) else { return }
                validate(session, on: node, options(), atLeast: change)
            }
        }
    }

    /// What was waited for is in force everywhere now: asked of every node at once, and again a moment later.
    func verify(_ change: TrackedChange) {
        let concerned = world.checker.sessions.filter { change.concerns($0) }
        guard let session = concerned.randomElement(using: &chance) else { return }
        for pause in [0.001, Double.random(in: 1...15, using: &chance)] {
            world.agenda.after(.milliseconds(pause)) { [self] in
                guard !world.isHealing else { return }
                for node in world.nodes { validate(session, on: node) }
            }
        }
    }

    private func act(on node: SimulatedNode) {
        let draw = Int.random(in: 0..<100, using: &chance)
        if world.checker.sessions.isEmpty || (draw < 30 && wantsSessions) {
            issue(on: node)
        } else if draw < 38 {
            if chance.chance(0.25) { rotate(pickSession(), on: node) } else { refresh(pickSession(), on: node) }
        } else if draw < 88 {
            for _ in 0..<Int.random(in: 1...4, using: &chance) {
                if let node = world.anyNode(&chance) { validate(pickSession(), on: node, options()) }
            }
        } else if draw < 97 {
            let session = pickSession()
            if chance.chance(0.2) {
                logout(session, on: node)
            } else {
                revoke(target(session), on: node, waitsForCluster: chance.chance(0.7))
            }
            if chance.chance(0.2) { endAgain(session) }
        } else {
            setPermissions(on: node)
        }
    }

    private var wantsSessions: Bool {
        let sessions = world.checker.sessions
        guard sessions.count < Self.maximumSessions else { return false }
        let live = sessions.suffix(Self.wantedLive * 3).count { session in
            session.claims.expiresAt.seconds > world.agenda.wallSeconds && !session.isIdle && !session.isLost
                && !world.checker.changes.contains { $0.mayEnd(session) }
        }
        return live < Self.wantedLive
    }

    /// Half of them such as something ended: they are what a mistake would show on. The others mostly young.
    private func pickSession() -> TrackedSession {
        let sessions = world.checker.sessions
        guard chance.chance(0.5) else { return chance.pick(Array(sessions.suffix(Self.wantedLive * 2))) }
        if let change = world.checker.changes.last(where: { _ in chance.chance(0.4) }) {
            let ended = sessions.filter { change.mayEnd($0) }
            if !ended.isEmpty { return chance.pick(ended) }
        }
        return chance.pick(sessions)
    }

    private func options() -> ValidateOptions {
        var options = ValidateOptions()
        options.isStrict = chance.chance(0.06)
        options.countsAsActivity = chance.chance(0.3)
        return options
    }

    private func issue(on node: SimulatedNode) {
        var request = IssueRequest(user: chance.pick(users))
        if chance.chance(0.8) { request.device = chance.pick(devices) }
        if chance.chance(0.5) { request.tenant = chance.pick(tenants) }
        request.permissions = Self.permissions
        request.kind = chance.pick([.web, .web, .remember, .api, .api])
        let (askedAt, world) = (world.agenda.now, world)
        world.trace.note("client", "login of \(request.user) on \(node.name)")
        node.run { [request] in
            do {
                let issued = try await node.parts.service.issue(request)
                guard let claims = try? node.keyRing.decode(Array(issued.token.utf8)) else {
                    return world.checker.report("I6", "\(node.name) issued a token that it refuses")
                }
                let session = world.checker.issued(issued, claims, askedAt: askedAt)
                world.trace.note(
                    node.name, "issued s\(session.number) of \(issued.user), stamp \(claims.stamp.microseconds)")
            } catch {
                world.checker.noteFailedWrite()
            }
        }
    }

    /// By the newest refresh token, rarely by the first there was.
    private func refresh(_ session: TrackedSession, on node: SimulatedNode) {
        var credential = RefreshCredential.token(session.token)
        if let newest = session.refreshTokens.last {
            let isOld = chance.chance(0.05) && session.refreshTokens.count > 1
            if isOld { session.isStolen = true }
            let used = isOld ? session.refreshTokens[0] : newest
            session.uses(used, at: world.agenda.now)
            credential = .refreshToken(used)
        }
        let world = world
        node.run { [credential] in
            let began = world.agenda.now
            do {
                let issued = try await node.parts.service.refresh(credential, from: .notAsked)
                guard let claims = try? node.keyRing.decode(Array(issued.token.utf8)) else {
                    return world.checker.report("I6", "\(node.name) renewed a token that it refuses")
                }
                world.trace.note(node.name, "renews s\(session.number)")
                if case .refreshToken(let token) = credential { session.used(token, at: world.agenda.now) }
                world.checker.counts.renewed += 1
                world.checker.renewed(session, on: node, began: began, issued, claims)
            } catch {
                world.trace.note(node.name, "does not renew s\(session.number): \(error)")
                world.checker.notRenewed(session, nil, on: node, began: began, error)
            }
        }
    }

    /// From its newest id, rarely from its first.
    private func rotate(_ session: TrackedSession, on node: SimulatedNode) {
        let id = chance.chance(0.1) ? session.id : session.claims.session
        var request = RotateRequest()
        let grace = chance.pick([Duration.zero, .milliseconds(200), .seconds(1)])
        request.grace = grace
        session.asksForRotation(of: id)
        let world = world
        node.run { [request] in
            let began = world.agenda.now
            do {
                let issued = try await node.parts.service.rotate(id, request)
                guard let claims = try? node.keyRing.decode(Array(issued.token.utf8)) else {
                    return world.checker.report("I6", "\(node.name) rotated to a token that it refuses")
                }
                world.trace.note(node.name, "rotates s\(session.number) to \(issued.session.rotation)")
                world.checker.rotated(
                    session, from: id, grace: grace.wholeNanoseconds, on: node, began: began, issued, claims)
            } catch {
                world.trace.note(node.name, "does not rotate s\(session.number): \(error)")
                world.checker.notRenewed(session, id, on: node, began: began, error)
            }
        }
    }

    func validate(
        _ session: TrackedSession, on node: SimulatedNode, _ options: ValidateOptions = ValidateOptions(),
        atLeast change: TrackedChange? = nil
    ) {
        let world = world
        var options = options
        options.atLeast = change?.fence ?? []
        let old = session.oldTokens.isEmpty || chance.chance(0.7) ? nil : chance.pick(session.oldTokens)
        node.run { [self, options] in
            let began = world.agenda.now
            let (token, claims) = old ?? (session.token, session.claims)
            do {
                let result = hear(try await node.parts.service.validate(token: token, options: options))
                world.trace.note(
                    node.name,
                    "validate s\(session.number): \(result.word)\(options.isStrict ? " (strict)" : "")\(change.map { " (at least #\($0.number))" } ?? "")"
                )
                if options.countsAsActivity, case .active = result { session.isUsed(at: began) }
                world.checker.validated(
                    session, claims, atLeast: change, isStrict: options.isStrict, on: node, began: began, result)
            } catch {
                world.trace.note(node.name, "validate s\(session.number): unavailable")
                world.checker.noteUnavailable()
            }
        }
    }

    private func hear(_ result: ValidateResult) -> ValidateResult {
        if case .active(let active) = result { lastActive = active }
        guard world.isMisheard, case .refused(.sessionRevoked) = result, let lastActive else { return result }
        return .active(lastActive)
    }

    private func target(_ session: TrackedSession) -> RevokeTarget {
        switch Int.random(in: 0..<100, using: &chance) {
        case ..<55: return .session(chance.chance(0.3) ? session.id : session.claims.session)
        case ..<75: return .token(String(decoding: session.token, as: UTF8.self))
        case ..<83: return .user(session.user)
        case ..<91: return .device(session.user, session.device ?? chance.pick(devices))
        case ..<96: return .userExcept(session.user, chance.chance(0.3) ? session.id : session.claims.session)
        case ..<99: return .tenant(chance.pick(tenants))
        default: return .everyone
        }
    }

    private func changeOptions(_ change: TrackedChange) -> ChangeOptions {
        var options = ChangeOptions()
        options.waitsForCluster = change.waitsForCluster
        options.reason = "#\(change.number)"
        if change.waitsForCluster, chance.chance(0.1) { options.timeoutMilliseconds = 300 }
        options.waitsForReplica = chance.chance(0.03)
        return options
    }

    /// Ends what another node is just ending, and waits: it finds nothing left, and must hold for what the other one ended.
    private func endAgain(_ session: TrackedSession) {
        world.agenda.after(.milliseconds(Double.random(in: 0...20, using: &chance))) { [self] in
            guard !world.isHealing, let node = world.anyNode(&chance) else { return }
            let target =
                chance.chance(0.5)
                ? RevokeTarget.device(session.user, session.device ?? chance.pick(devices))
                : .userExcept(session.user, pickSession().id)
            revoke(target, on: node, waitsForCluster: true)
        }
    }

    private func revoke(_ target: RevokeTarget, on node: SimulatedNode, waitsForCluster: Bool) {
        let change = world.checker.asked(.revoke(target), waitsForCluster: waitsForCluster)
        perform(change, on: node) { service, options throws(ServiceError) in
            try await service.revoke(target, options: options)
        }
    }

    /// By the session's own token, which this node has to find active first.
    private func logout(_ session: TrackedSession, on node: SimulatedNode) {
        let (scope, target) = chance.pick([
            (LogoutScope.current, RevokeTarget.session(session.claims.session)),
            (.others, .userExcept(session.user, session.claims.session)), (.all, .user(session.user)),
        ])
        let (token, world, waits) = (session.token, world, chance.chance(0.7))
        node.run { [self] in
            guard
                case .active(let caller)? = try? await node.parts.service.validate(
                    token: token, options: ValidateOptions())
            else { return world.checker.noteUnavailable() }
            let change = world.checker.asked(.revoke(target), waitsForCluster: waits)
            world.checker.counts.logouts += 1
            perform(change, on: node) { service, options throws(ServiceError) in
                try await service.logout(caller, scope, options: options)
            }
        }
    }

    private func setPermissions(on node: SimulatedNode) {
        let user = chance.pick(users)
        guard let permissions = Permissions(["p\(Int.random(in: 0..<5, using: &chance))"]) else { return }
        let change = world.checker.asked(.permissions(user, permissions), waitsForCluster: chance.chance(0.7))
        perform(change, on: node) { service, options throws(ServiceError) in
            try await service.setPermissions(of: user, to: permissions, options: options)
        }
    }

    private func perform(
        _ change: TrackedChange, on node: SimulatedNode,
        _ call: @escaping @Sendable (SessionService, ChangeOptions) async throws(ServiceError) -> ChangeAnswer
    ) {
        let options = changeOptions(change)
        world.trace.note(
            "client", "#\(change.number) \(change.word)\(change.waitsForCluster ? ", waits" : "") on \(node.name)")
        let world = world
        node.run {
            do {
                let answer = try await call(node.parts.service, options)
                world.trace.note(node.name, "#\(change.number) returns \(answer.propagation), fence \(answer.fence)")
                world.checker.answered(change, answer)
                world.onChanged(change)
            } catch {
                world.trace.note(node.name, "#\(change.number) fails: \(error)")
                world.checker.noteFailedWrite()
            }
        }
    }
}

extension ValidateResult {
    var word: String {
        switch self {
        case .active(let active): "active, \(active.ageMilliseconds) ms"
        case .refused(let reason): reason.rawValue
        }
    }
}

extension TrackedChange {
    var word: String {
        switch kind {
        case .permissions(let user, let permissions): "permissions of \(user) to \(permissions.names)"
        case .revoke(let target):
            switch target {
            case .session(let id): "revoke \(id)"
            case .token: "revoke by token"
            case .user(let user): "revoke \(user)"
            case .userExcept(let user, let id): "revoke \(user) but \(id)"
            case .device(let user, let device): "revoke \(user) on \(device)"
            case .tenant(let tenant): "revoke \(tenant)"
            case .everyone: "revoke everyone"
            }
        }
    }
}
