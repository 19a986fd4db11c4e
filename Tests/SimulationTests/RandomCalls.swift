// Calls from one seed: every script, in every mode, by nodes that know too little, too much or something else, on so few
// users, devices, tenants and sessions that they meet; and the commands that the product sends beside its scripts.

import CurfewCore
import CurfewRedis
import TestSupport

@testable import CurfewNode

/// One call, to be made on both.
enum RandomCall {
    case script(RedisScriptCall)
    case command(RedisCommand)
    /// Commands, and then the clocks step back. What ran out is looked up before, or whether it is still there would depend on
    /// when Redis last looked.
    case stepBack(RedisCommand, microseconds: Int64)
}

/// Makes calls, and remembers what nodes would.
struct RandomCalls {
    private var random: SeededGenerator
    private let keys = StoreKeys(namespace: "t")
    private let nodes: [ScriptCalls]
    private let users: [UserID]
    private let devices: [DeviceID]
    private let tenants: [TenantID]
    private var sessions: [SessionID] = []
    /// What scripts answered so far, by partition.
    private var positions: [Partition: [LogPosition]] = [:]
    private var incarnations: [Partition: [String]] = [:]

    /// The replication history of both Redis.
    private let history: String

    static let partitions = [Partition(3), Partition(700)]
    static let channels = partitions.map { StoreKeys(namespace: "t").events($0) }

    /// - Parameter trimsLogs: `MAXLEN ~` leaves 6.2 other entries than 7.0.
    init(seed: UInt64, history: String, trimsLogs: Bool) {
        self.history = history
        random = SeededGenerator(seed: seed)
        let window = [2, 30, 100_000][trimsLogs ? random.below(3) : 2]
        nodes = (1...3).map { [keys] number in
            ScriptCalls(
                keys: keys, nodeID: NodeID(random: UInt64(number)),
                habit: ServingHabit(servesStale: number == 3, staleness: .seconds(number)), logWindow: window,
                longestTokenLifetime: [60, 60, 900][number - 1])
        }
        users = ["u_1", "\u{0301}b c", "u:3"].compactMap { UserID($0) }
        devices = ["phone", "a device"].compactMap { DeviceID($0) }
        tenants = ["acme", "ä"].compactMap { TenantID($0) }
        for partition in Self.partitions {
            for number in 1...6 { sessions.append(SessionID(partition: partition, high: 7, low: UInt64(number))) }
        }
    }

    /// How far the clocks go on before the next call.
    mutating func pause() -> Int64 {
        [0, 1, 999, 20_000, 1_000_000, 1_000_000, 7_000_001, 60_000_000, 200_000_000][random.below(9)]
    }

    mutating func next(now: Int64) -> RandomCall {
        let partition = random.element(Self.partitions)
        let known = known(partition, now: now)
        let node = random.element(nodes)
        switch random.below(46) {
        case 0...1: return script(node.open(partition, known))
        case 2...6: return script(node.poll(partition, known, applied: position(partition)))
        case 7...11: return script(issue(node, known))
        case 12:
            let session = random.element(sessions)
            let fields = random.element([[], ["N", "x"], ["N", "", "j", "{}"], ["P", ""]])
            return script(node.patch(session, revision: UInt64(random.below(3)), fields: fields, known))
        case 13: return script(renew(node, known))
        case 14...16:
            return script(
                node.read(
                    random.element(sessions).rotated(to: random.element([0, 0, 1, 2])), user: random.element(users),
                    tenant: random.chance(2) ? random.element(tenants) : nil, known))
        case 17...22:
            return script(node.revoke(target(partition), in: partition, options: options(), known))
        case 23...25:
            return script(
                node.permissions(
                    of: random.element(users), to: permissions(), in: partition, options: options(), known))
        case 26...28:
            let entries = (0..<random.below(5)).map { _ in entry(partition, now: now) }
            return script(node.reassert(entries[...], in: partition, known))
        case 29...30: return script(sweep(node, partition, known, now: now))
        case 31: return stepBack()
        case 32: return script(touch(node, partition, known))
        case 33: return script(expire(node, partition, known, now: now))
        case 34: return script(rotate(node, known))
        case 35...37: return script(limit(node, partition, known))
        default: return .command(command(partition))
        }
    }

    /// Learns what a node would from the answer.
    mutating func learn(from reply: RedisValue, of call: RedisScriptCall) {
        guard case .array(let fields) = reply,
            let partition = Self.partitions.first(where: { keys.head($0) == call.keys[0] })
        else { return }
        let texts = fields.map { (try? $0.text(for: "")) ?? "" }
        func note(_ seq: Int, _ tag: Int, _ incarnation: Int) {
            if let seq = UInt64(texts[seq]), let tag = EventTag(texts[tag]) {
                positions[partition, default: []].append(LogPosition(seq: seq, tag: tag))
            }
            incarnations[partition, default: []].append(texts[incarnation])
        }
        switch call.script.name {
        case "open": note(0, 1, 2)
        case "poll": note(1, 2, 3)
        case "revoke", "permissions": note(2, 3, 0)
        case "reassert": note(1, 2, 3)
        default: break
        }
    }

    private mutating func limit(
        _ node: ScriptCalls, _ partition: Partition, _ known: ScriptCalls.Known
    ) -> RedisScriptCall {
        let key =
            random.chance(2)
            ? keys.issueLimit(random.element(users), in: partition)
            : keys.refreshLimit(random.element(sessions.filter { $0.partition == partition }))
        let limit = RateLimit(count: 1 + random.below(3), window: .milliseconds(random.element([1, 1_500, 60_000])))
        return node.limit(key, limit, name: random.chance(4) ? "" : String(random.next()), in: partition, known)
    }

    /// The tags are drawn here, so that a seed gives the same bytes.
    private mutating func script(_ call: RedisScriptCall) -> RandomCall {
        var arguments = call.arguments
        arguments[3] = RedisArgument(EventTag(random.next() | 1).description)
        arguments[4] = RedisArgument(EventTag(random.next() | 1).description)
        return .script(RedisScriptCall(call.script, keys: call.keys, arguments: arguments))
    }

    private mutating func known(_ partition: Partition, now: Int64) -> ScriptCalls.Known {
        let marks = [0, 0, UInt64(now), UInt64(now) + 5_000_000, 1]
        let incarnations = (incarnations[partition] ?? []).suffix(3) + ["", "00000000000000ff"]
        return ScriptCalls.Known(
            mark: Stamp(random.element(marks)), incarnation: random.element(Array(incarnations)),
            longestTokenLifetime: random.element([0, 0, 61, 1000]),
            settledHistory: random.element([nil, history, "0"]),
            wall: WallTime(
                seconds: random.element([0, now / 1_000_000 + 100, now / 1_000_000 + 200_000])))
    }

    private mutating func position(_ partition: Partition) -> LogPosition {
        let seen = positions[partition] ?? []
        guard let last = seen.last, !random.chance(8) else { return LogPosition(seq: 1, tag: EventTag(9)) }
        switch random.below(6) {
        case 0: return LogPosition(seq: last.seq + 1, tag: last.tag)
        case 1: return LogPosition(seq: last.seq, tag: EventTag(random.next()))
        case 2...3: return random.element(seen)
        default: return last
        }
    }

    private mutating func issue(_ node: ScriptCalls, _ known: ScriptCalls.Known) -> RedisScriptCall {
        let user = random.element(users)
        var request = IssueRequest(user: user)
        request.device = random.chance(3) ? nil : random.element(devices)
        request.tenant = random.chance(2) ? random.element(tenants) : nil
        request.permissions = permissions()
        return node.issue(
            random.element(sessions), user: user, device: request.device, tenant: request.tenant,
            lifetime: SessionLifetime(
                seconds: random.element([0, 1, 5, 60, 100, 900]), absoluteSeconds: random.element([1, 100, 1000]),
                idleSeconds: random.element([nil, nil, 0, 3, 200])),
            hasRefreshToken: random.chance(2), mayBeRepeated: random.chance(2),
            begunAt: random.chance(3) ? known.mark : nil, room: room(user),
            replaces: random.chance(5) ? IndexMember(session: random.element(sessions), device: nil) : nil,
            limits: random.chance(2) ? limits() : LoginLimits(), record: SessionRecord.fields(of: request), known)
    }

    private mutating func limits() -> LoginLimits {
        let window = Duration.milliseconds(random.element([1, 50, 5_000]))
        return LoginLimits(
            maximumFailures: random.element([nil, 1, 3]),
            logins: random.element([nil, RateLimit(count: random.element([1, 2, 5]), window: window)]),
            name: String(random.next()))
    }

    private mutating func room(_ user: UserID) -> SessionRoom? {
        guard random.chance(3) else { return nil }
        let limit = SessionLimit(maximum: random.element([1, 2, 3]), evictsOldest: random.chance(2))
        // Of other partitions, too: a user's sessions are all of one, but the script need not know that.
        let read = sessions.filter { _ in random.chance(2) }.map { session in
            (IndexMember(session: session, device: random.chance(3) ? nil : random.element(devices)), random.chance(2))
        }
        return SessionRoom(limit: limit, sessions: read)
    }

    private mutating func living() -> LivingSession {
        LivingSession(
            session: random.element(sessions).rotated(to: random.element([0, 0, 0, 1, 1, 2])),
            user: random.element(users), device: random.chance(3) ? nil : random.element(devices),
            tenant: random.chance(2) ? random.element(tenants) : nil)
    }

    private mutating func rotate(_ node: ScriptCalls, _ known: ScriptCalls.Known) -> RedisScriptCall {
        node.rotate(
            living(),
            lifetime: SessionLifetime(
                seconds: random.element([1, 60, 900]), absoluteSeconds: random.element([1, 100, 10_000])),
            graceMilliseconds: random.element([0, 1000, 10_000]),
            reauthenticatedAt: random.element([nil, known.wall]), drawn: random.element([nil, 1, 2]),
            permissions: random.chance(2) ? permissions() : nil, fields: random.element([[], ["m", "pwd,otp"]]), known)
    }

    private mutating func renew(_ node: ScriptCalls, _ known: ScriptCalls.Known) -> RedisScriptCall {
        node.renew(
            living(), lifetimeSeconds: random.element([1, 60, 900]), generation: random.element([nil, 1, 1, 2, 3, 7]),
            graceMilliseconds: random.element([0, 1000, 10_000]), known)
    }

    /// Sometimes so many that one event fills much of a node of the stream.
    private mutating func permissions() -> Permissions {
        let count = random.element([0, 1, 2, 2, 60])
        return Permissions((0..<count).map { "permission:\($0):" + String(repeating: "x", count: random.below(40)) })
            ?? .none
    }

    private mutating func target(_ partition: Partition) -> PartitionTarget {
        let session = random.element(sessions.filter { $0.partition == partition })
        let (user, device) = (random.element(users), random.element(devices))
        switch random.below(8) {
        case 0: return .session(session, user: nil, device: nil)
        case 1...2: return .session(session, user: user, device: random.chance(2) ? device : nil)
        case 3: return .device(user, device)
        case 4: return .except(user, session)
        case 5: return .user(user)
        case 6: return .tenant(random.element(tenants))
        default: return .everyone
        }
    }

    private mutating func options() -> ChangeOptions {
        var options = ChangeOptions()
        options.waitsForCluster = random.chance(2)
        options.reason = random.element(["admin", "stolen", ""])
        return options
    }

    private mutating func entry(_ partition: Partition, now: Int64) -> ReplicatedEntry {
        let stamp = Stamp(UInt64(now + random.element([-1_000_000, 0, 3_000_000])))
        let changes: [Change] = [
            .sessions([random.element(sessions.filter { $0.partition == partition })]),
            .expired([random.element(sessions.filter { $0.partition == partition })]),
            .superseded(
                random.element(sessions.filter { $0.partition == partition }).rotated(to: 1), graceMilliseconds: 0),
            .user(random.element(users), stamp), .tenant(random.element(tenants), stamp), .everyone(stamp),
            .permissions(random.element(users), permissions(), stamp),
        ]
        let until = WallTime(seconds: now / 1_000_000 + random.element([-5, 0, 90, 1000]))
        return ReplicatedEntry(change: random.element(changes), until: until)
    }

    private mutating func sweep(
        _ node: ScriptCalls, _ partition: Partition, _ known: ScriptCalls.Known, now: Int64
    ) -> RedisScriptCall {
        let wall = WallTime(seconds: now / 1_000_000 + random.element([0, 0, 1, -10, 31, -31, 400]))
        let idle = random.chance(3) ? [(random.element(nodes).nodeID, "1:0:0000000000000000:r1000")] : []
        let members = ["e"] + users.flatMap { ["u:\($0.text)", "p:\($0.text)"] } + tenants.map { "t:\($0.text)" }
        let entries = (0..<random.below(4)).map { _ in
            let own = sessions.filter { $0.partition == partition }
            let session = random.element(own)
            let member = random.chance(2) ? random.element(["s", "s", "x"]) + ":\(session)" : random.element(members)
            let concerned =
                member.hasPrefix("s:") || member.hasPrefix("x:")
                ? [session] : Array(own.shuffled(using: &random).prefix(3))
            return SweptEntry(member: member, sessions: concerned, isAll: !random.chance(4))
        }
        let past = random.chance(4) ? nil : WallTime(seconds: wall.seconds + random.element([0, 0, 5, -100]))
        return node.sweep(
            partition, entries, wall: wall, past: past, idle: idle, known)
    }

    private mutating func touch(
        _ node: ScriptCalls, _ partition: Partition, _ known: ScriptCalls.Known
    ) -> RedisScriptCall {
        let own = sessions.filter { $0.partition == partition }.shuffled(using: &random).prefix(1 + random.below(3))
        return node.touch(own.map { ($0, random.element([0, 0, 1, 50])) }, in: partition, known)
    }

    private mutating func expire(
        _ node: ScriptCalls, _ partition: Partition, _ known: ScriptCalls.Known, now: Int64
    ) -> RedisScriptCall {
        var known = known
        known.wall = WallTime(seconds: now / 1_000_000 + random.element([0, 0, 0, 1, -10, 31, -31]))
        let own = sessions.filter { $0.partition == partition }.shuffled(using: &random).prefix(1 + random.below(3))
        return node.expire(
            own.map { session in
                (
                    session, random.chance(4) ? nil : random.element(users),
                    random.chance(3) ? nil : random.element(devices)
                )
            }, in: partition, known)
    }

    private mutating func stepBack() -> RandomCall {
        let perishable =
            sessions.map(keys.record)
            + Self.partitions.flatMap { partition in users.map { keys.index($0, in: partition) } }
        return .stepBack(
            RedisCommand("EXISTS", perishable.map { RedisArgument($0) }), microseconds: random.element([1, 3_000_000]))
    }

    private mutating func command(_ partition: Partition) -> RedisCommand {
        let record = RedisArgument(keys.record(random.element(sessions)))
        let index = RedisArgument(keys.index(random.element(users), in: partition))
        let seq = RedisArgument("\(position(partition).seq)-0")
        let node = RedisArgument(random.element(nodes).nodeID.text)
        switch random.below(16) {
        case 0: return RedisCommand("HMGET", [record, "u", "d", "none"])
        case 1: return RedisCommand("HGETALL", [record])
        case 2: return RedisCommand("UNLINK", [record, record, "nothing"])
        case 3...4: return RedisCommand("ZRANGE", [index, "0", "-1"])
        case 5:
            let ends = ["0", "1", "-1", "-2", "5", "-9"].map { RedisArgument($0) }
            return RedisCommand("ZRANGE", [index, random.element(ends), random.element(ends), "WITHSCORES"])
        case 6: return RedisCommand("SET", [RedisArgument(keys.partitionCount), seq, "NX"])
        case 7: return RedisCommand("GET", [RedisArgument(keys.partitionCount)])
        case 8: return RedisCommand("HDEL", [RedisArgument(keys.nodes(partition)), node])
        case 9: return RedisCommand("ZSCAN", [RedisArgument(keys.revoked(partition)), "0", "COUNT", "1000"])
        case 10: return RedisCommand("HMGET", [RedisArgument(keys.values(partition)), "e", "u:u_1", "t:acme", "p:u:3"])
        case 11...12: return RedisCommand("XRANGE", [RedisArgument(keys.log(partition)), seq, "+", "COUNT", "5"])
        case 13: return RedisCommand("SCRIPT", ["FLUSH"])
        case 14: return random.chance(4) ? RedisCommand("FLUSHALL") : RedisCommand("TIME")
        default: return RedisCommand("GET", [RedisArgument(keys.head(partition))])
        }
    }
}

extension SeededGenerator {
    fileprivate mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }
    fileprivate mutating func chance(_ one: Int) -> Bool { below(one) == 0 }
    fileprivate mutating func element<Element>(_ elements: [Element]) -> Element { elements[below(elements.count)] }
}
