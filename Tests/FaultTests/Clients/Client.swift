// A client that goes from node to node: logs users in, looks at sessions, ends them in every way there is, changes what users
// may do, and looks again at once on every node. Beside it the watcher, which only validates, at one node.

import Synchronization
import TestSupport

/// What the clients share.
final class ClientContext: Sendable {
    let caller: Caller
    let population = Population()
    private let over = Mutex(false)

    init(caller: Caller) { self.caller = caller }

    var isOver: Bool { over.withLock { $0 } }

    /// Every client ends with the call that it is in.
    func end() { over.withLock { $0 = true } }
}

struct Client: Sendable {
    let context: ClientContext
    private var random: SeededGenerator
    /// Tokens to look at again once Δ has passed since their revoke was answered.
    private var due: [(at: Int64, member: Population.Member)] = []

    private var caller: Caller { context.caller }
    private var population: Population { context.population }

    /// Long enough for every deadline of a node and every stop that the nemesis makes: who gets no answer within it has none.
    private static let patience = Duration.seconds(30)
    static let glance = Duration.milliseconds(700)

    init(_ context: ClientContext, random: SeededGenerator) {
        self.context = context
        self.random = random
    }

    mutating func run() async {
        while !context.isOver {
            let node = caller.answeringNode(using: &random)
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<14: await issue(node)
            case 14..<26: await revoke(node)
            case 26..<29: await changePermissions(node)
            case 29..<31: await logout(node)
            case 31..<37: await renew(node)
            default: await look(node)
            }
            await lookAgain()
            try? await Task.sleep(for: random.milliseconds(2...10))
        }
    }

    private mutating func issue(_ node: Int) async {
        let user = population.user(isNew: random.happens(perMille: 500), using: &random)
        let device = ["phone", "laptop", nil].randomElement(using: &random) ?? nil
        let tenant = ["t_1", "t_2", "t_3", "t_4", "t_5", nil, nil].randomElement(using: &random) ?? nil
        var body: [String: JSON] = [
            "userId": .string(user), "permissions": .array(Subject.permissions.map(JSON.string)),
        ]
        body["deviceId"] = device.map(JSON.string)
        body["tenantId"] = tenant.map(JSON.string)
        let kind = ["web", "remember", "api"].randomElement(using: &random) ?? "web"
        body["kind"] = .string(kind)
        let began = BootClock.now
        var issued: Population.Member?
        await caller.call(
            node,
            { answer in
                guard let answer, answer.status == 201, let id = answer.json["sessionId"].string,
                    let token = answer.json["token"].string
                else { return .issue(session: nil) }
                let subject = Subject(
                    user: user, device: device, tenant: tenant, issued: Interval(began: began, ended: BootClock.now))
                let session = caller.recorder.add(subject)
                issued = Population.Member(
                    session: session, id: id, token: token, isRenewable: kind != "api", subject: subject)
                return .issue(session: session)
            },
            { try await $0.call("POST", "/v1/issue", body: .object(body), timeout: Self.patience) })
        if let issued { population.add(issued) }
    }

    private mutating func look(_ node: Int) async {
        if random.happens(perMille: 550), let member = population.live(using: &random) {
            await caller.validate(member, node: node, isStrict: random.happens(perMille: 60))
        } else if let ended = population.ended(using: &random) {
            let change = random.happens(perMille: 250) ? ended.change : nil
            await caller.validate(
                ended.member, node: node, isStrict: random.happens(perMille: 60), atLeast: change)
        }
    }

    private mutating func revoke(_ node: Int) async {
        guard let member = population.live(using: &random) else { return }
        let target = drawTarget(member)
        let waits = random.happens(perMille: 500)
        let options = RevokeOptions(
            waits: waits,
            timeoutMilliseconds: waits && random.happens(perMille: 200) ? Int.random(in: 1...400, using: &random) : nil,
            durability: random.happens(perMille: 100) ? "replica" : nil)
        let meant = population.end { target.names($0.session, $0.subject) }
        let outcome = await caller.call(
            node, { _ in .change(target) },
            { try await $0.revoke(target.body(member), options, timeout: Self.patience) })
        if let fence = outcome.body["fence"].string { population.note((outcome.index, fence), of: meant) }
        guard outcome.answer.isDone, let seen = ([member] + meant).randomElement(using: &random) else { return }
        await look(at: seen, after: outcome.answer, outcome.time)
    }

    private mutating func logout(_ node: Int) async {
        guard let member = population.live(using: &random) else { return }
        let options = RevokeOptions(waits: random.happens(perMille: 500))
        let meant = population.end { $0.session == member.session }
        let outcome = await caller.call(
            node, { _ in .logout(session: member.session) },
            {
                try await $0.call(
                    "POST", "/v1/logout", on: .public, body: .object(options.members),
                    headers: [("Authorization", "Bearer \(member.token)")], timeout: Self.patience)
            })
        if let fence = outcome.body["fence"].string { population.note((outcome.index, fence), of: meant) }
        if outcome.answer.isDone { await look(at: member, after: outcome.answer, outcome.time) }
    }

    /// What lives, and what was ended: that above all must get no new token.
    private mutating func renew(_ node: Int) async {
        let member =
            random.happens(perMille: 650)
            ? population.live(using: &random) : population.ended(using: &random)?.member
        guard let member, member.isRenewable else { return }
        let token = random.happens(perMille: 200) ? member.firstToken : member.token
        let outcome = await caller.call(
            node, { _ in .renew(session: member.session) },
            {
                try await $0.call(
                    "POST", "/v1/refresh", on: .public, headers: [("Authorization", "Bearer \(token)")],
                    timeout: Self.patience)
            })
        if let token = outcome.body["token"].string { population.renewed(member.session, to: token) }
    }

    private mutating func drawTarget(_ member: Population.Member) -> Target {
        let user = member.subject.user
        switch Int.random(in: 0..<1000, using: &random) {
        // A revoke of everyone hides whatever went wrong before it.
        case 0: return .everyone
        case 1..<24: return member.subject.tenant.map(Target.tenant) ?? .token(member.session)
        case 24..<250: return .user(user)
        case 250..<400: return member.subject.device.map { .device(user: user, device: $0) } ?? .session(member.session)
        case 400..<550: return .others(user: user, kept: member.session)
        case 550..<750: return .token(member.session)
        default: return .session(member.session)
        }
    }

    private mutating func changePermissions(_ node: Int) async {
        guard let member = population.live(using: &random) else { return }
        let user = member.subject.user
        let waits = random.happens(perMille: 500)
        let names = ["docs:read", "docs:write"].filter { _ in random.happens(perMille: 500) }
        let outcome = await caller.call(
            node, { _ in .change(.permissions(user: user, names: names)) },
            { try await $0.setPermissions(of: user, to: names, waits: waits, timeout: Self.patience) })
        if outcome.answer.isDone { await look(at: member, after: outcome.answer, outcome.time) }
    }

    /// What a change that was done named: on every node now, where it is in force there, and once Δ has passed.
    private mutating func look(at member: Population.Member, after answer: Answer, _ time: Interval) async {
        due.append((time.ended + caller.recorder.stalenessBound, member))
        if answer.isInForceEverywhere { await lookEverywhere(at: member) }
    }

    /// What was revoked a staleness bound ago is looked at on every node.
    private mutating func lookAgain() async {
        while let next = due.first, next.at < BootClock.now {
            due.removeFirst()
            await lookEverywhere(at: next.member)
        }
    }

    private mutating func lookEverywhere(at member: Population.Member) async {
        for node in caller.nodes.indices.shuffled(using: &random) { await caller.validate(member, node: node) }
    }
}

/// Validates at one node without pause, also where that takes long: a stopped node answers when it goes on.
struct Watcher: Sendable {
    let context: ClientContext
    let node: Int
    private var random: SeededGenerator

    init(_ context: ClientContext, node: Int, random: SeededGenerator) {
        self.context = context
        self.node = node
        self.random = random
    }

    mutating func run() async {
        while !context.isOver {
            let member =
                random.happens(perMille: 500)
                ? context.population.live(using: &random) : context.population.ended(using: &random)?.member
            if let member { await context.caller.validate(member, node: node, timeout: .seconds(8)) }
            try? await Task.sleep(for: random.milliseconds(2...10))
        }
    }
}

extension Caller {
    func validate(
        _ member: Population.Member, node: Int, isStrict: Bool = false,
        atLeast change: (operation: Int, fence: String)? = nil, timeout: Duration = Client.glance
    ) async {
        await call(
            node, { _ in .validate(session: member.session, isStrict: isStrict, atLeast: change?.operation) },
            {
                try await $0.validate(member.token, atLeast: change?.fence, strict: isStrict, timeout: timeout)
            })
    }
}
