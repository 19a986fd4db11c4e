// A connection's bytes, as `ConnectionHandler` drives the machine: what comes out is the same wherever the bytes were
// cut, what waits stays below its bound, and a request that is taken is the one that every other reader would see
// (`LenientHead`).

import Foundation
import HTTPTypes
import NIOCore

@testable import CurfewCore
@testable import CurfewNode

struct HTTPTarget: FuzzTarget {
    private static let mutation = Mutation([
        "\r\n", "\r\n\r\n", "\r", "\n", "\n\n", " ", "\t", ":", " :", "\u{0}", "\u{7f}", "é", "\r\n ", "0\r\n\r\n",
        "5\r\nhello\r\n",
        "5;x=y\r\n", "+5\r\n", "0x5\r\n", "Content-Length: 5\r\n", "content-length:0\r\n", "Content-Length: +5\r\n",
        "Content-Length: 5, 5\r\n", "Content-Length : 5\r\n", "Content_Length: 5\r\n", "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n", "Transfer-Encoding:\u{b}chunked\r\n", "Transfer-Encoding: x\r\n",
        "Connection: close\r\n", "Connection: content-length, keep-alive\r\n", "Expect: 100-continue\r\n",
        "Host: b\r\n",
        "Authorization: Bearer x.y.z\r\n", "Cookie: __Host-curfew=x; __Host-curfew=y\r\n", "Curfew-Activity: none\r\n",
        "Curfew-At-Least: 1\r\n", "X-CSRF-Token: a\r\n", "HTTP/1.0", "HTTP/1.2",
        "GET /v1/validate HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://a/ HTTP/1.1\r\n", "POST", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ])

    private let room: GuardedMemory
    private let scratch: GuardedMemory
    private let path: FastPath
    private let turn: FastTurn
    private let token: String

    init() throws {
        room = try GuardedMemory(byteCount: 64 * 1024)
        scratch = try GuardedMemory(byteCount: KeyRing.scratchBytes)
        let key = try SigningKey(id: "k", secret: Array("a secret of at least 32 bytes, for this".utf8))
        guard let ring = KeyRing([key], issuer: "curfew", audience: "curfew"), let count = PartitionCount(1),
            let user = UserID("u\"é"), let permissions = Permissions(["a:b", "c"])
        else { throw Finding("no key ring") }
        let claims = Claims(
            issuer: "curfew", audience: "curfew", user: user,
            session: SessionID(partition: Partition(0), high: 1, low: 2), issuedAt: WallTime(seconds: 0),
            expiresAt: WallTime(seconds: .max), kind: .web, stamp: Stamp(5), permissions: permissions)
        token = String(decoding: try ring.encode(claims), as: UTF8.self)
        let table = PartitionTable(count: count, bounds: FeedBounds(staleness: .seconds(3600)))
        let clock = NodeClock()
        table.withPartition(Partition(0)) { Self.freshen(&$0.feed, at: clock.boot()) }
        path = FastPath(
            keyRing: CurrentKeyRing(ring), table: table, clock: clock, activity: Activity(count: table.count),
            configuration: NodeConfiguration())
        let settings = ConnectionSettings(head: Self.limits, bodyLimit: { _ in Self.bodyLimit }, fastPath: path)
        guard let turn = FastTurn(settings) else { throw Finding("no turn") }
        self.turn = turn
    }

    private static let limits = HeadLimits(maximumBytes: 2048, maximumFields: 20, acceptsInsecureCookie: true)
    private static let bodyLimit = 64

    private static func freshen(_ feed: inout PartitionFeed, at now: BootTime) {
        let reign = Reign(runID: "r", replicationID: "r")
        let head = LogPosition(seq: 1, tag: EventTag(1))
        _ = feed.handle(.connected(reign))
        _ = feed.handle(
            .snapshotLoaded(
                SnapshotHead(position: head, incarnation: "i", readAt: now + .seconds(-7200), age: now), lacked: false))
        let reply = PollReply(
            sentAt: now, repliedAt: now, reign: reign, incarnation: "i", verdict: .same, head: head)
        _ = feed.handle(.polled(reply))
    }

    // MARK: Inputs

    func input(_ random: inout Randomness) -> [UInt8] {
        if random.isOne(in: 40) { return random.bytes(upTo: 80) }
        let requests = (0..<random.pick([1, 1, 2, 3])).map { _ in request(&random) }
        return Self.mutation.applied(to: Array(requests.joined().utf8), &random)
    }

    private func request(_ random: inout Randomness) -> String {
        let target = random.pick(["/v1/validate", "/v1/validate", "/v1/sessions", "/v1/sessions?user=a%20b", "/"])
        let version = random.isOne(in: 6) ? "1.0" : "1.1"
        var fields = ["Host: a.example:80"]
        if random.isOne(in: 2) {
            fields.append("Authorization: \(random.pick(["Bearer ", "bearer  ", "Basic "]))\(token)")
        }
        if random.isOne(in: 2) { fields.append("Cookie: a=b; \(random.pick(["__Host-curfew", "curfew"]))=\(token)") }
        for _ in 0..<random.below(3) {
            fields.append(
                random.pick([
                    "Connection: close", "Connection: keep-alive", "Curfew-Activity: none", "X-CSRF-Token: a",
                    "Expect: 100-continue", "Accept: */*", "Curfew-Consistency: strict",
                    "X-\(random.below(9)): \(random.identifier())",
                ]))
        }
        var body = ""
        switch random.below(5) {
        case 0:
            body = String(repeating: "b", count: random.pick([0, 1, 5, 70]))
            fields.append("Content-Length: \(body.utf8.count)")
        case 1:
            let chunks = (0..<random.below(3)).map { _ in String(repeating: "c", count: 1 + random.below(20)) }
            body = chunks.map { "\(String($0.utf8.count, radix: 16))\r\n\($0)\r\n" }.joined() + "0\r\n\r\n"
            fields.append("Transfer-Encoding: chunked")
        default: break
        }
        fields.shuffle(using: &random)
        let method = random.pick(["GET", "POST", "HEAD", "DELETE"])
        return "\(method) \(target) HTTP/\(version)\r\n\(fields.joined(separator: "\r\n"))\r\n\r\n\(body)"
    }

    // MARK: What must hold

    func check(_ input: [UInt8]) throws {
        guard input.count <= room.memory.count else { return }
        let whole = try drive([input[...]])
        try demandSameTurn(input, whole)
        var random = Randomness(of: input)
        for _ in 0..<2 {
            let cuts = (0..<random.below(4)).map { _ in random.below(input.count + 1) }.sorted()
            let chunks = zip([0] + cuts, cuts + [input.count]).map { input[$0..<$1] }
            let cut = try drive(chunks)
            try demand(cut == whole, "cut at \(cuts): \(cut), at once: \(whole)")
        }
        if input.count < 400 {
            let bytewise = try drive(input.indices.map { input[$0...$0] })
            try demand(bytewise == whole, "byte by byte: \(bytewise), at once: \(whole)")
        }
    }

    private enum Sight: Equatable {
        case head(RequestHead)
        case fastAnswer(status: String)
        case body([UInt8])
        case end
        case refusal(Refusal, mayAnswer: Bool)
    }

    /// What the machine makes of the bytes, chunk by chunk; every request's answer ends as soon as the request did.
    private func drive(_ chunks: [ArraySlice<UInt8>]) throws -> [Sight] {
        let (limits, bodyLimit) = (Self.limits, Self.bodyLimit)
        var machine = ConnectionMachine(limits: limits)
        var waiting: [UInt8] = []
        var sights: [Sight] = []
        for chunk in chunks {
            waiting += chunk
            stepping: while true {
                let bytes = room.placing(waiting)
                switch machine.step(bytes) {
                case .needsMore, .awaitsAnswer: break stepping
                case .closed: return sights
                case .request(let head):
                    sights.append(.head(head))
                    try LenientHead(Array(bytes[..<head.length])).demandAgreement(with: head)
                    try demandOneToken(head, bytes)
                    if head.isPlainValidate(in: bytes) {
                        sights.append(.fastAnswer(status: try fastAnswer(head, bytes)))
                        machine.answered()
                    } else if let refusal = machine.handedOn(bodyLimit: bodyLimit) {
                        return sights + [.refusal(refusal, mayAnswer: true)]
                    } else if !machine.isReceivingBody {
                        sights.append(.end)
                        machine.answerBegan()
                        machine.answerEnded()
                    }
                    waiting.removeFirst(head.length)
                case .body(let count):
                    // How content is cut up is no promise, only what it says.
                    if case .body(let before) = sights.last {
                        sights[sights.count - 1] = .body(before + waiting[..<count])
                    } else {
                        sights.append(.body(Array(waiting[..<count])))
                    }
                    waiting.removeFirst(count)
                case .skip(let count): waiting.removeFirst(count)
                case .requestEnded:
                    sights.append(.end)
                    machine.answerBegan()
                    machine.answerEnded()
                case .refuse(let refusal, let mayAnswer): return sights + [.refusal(refusal, mayAnswer: mayAnswer)]
                }
                if case .body(let content) = sights.last {
                    try demand(content.count <= bodyLimit, "a body of \(content.count) bytes past \(bodyLimit)")
                }
            }
            try demand(waiting.count < limits.maximumBytes, "\(waiting.count) bytes wait for a decision")
        }
        return sights
    }

    /// A reactor answers just those requests at the front that a connection would answer so, in order and the same way, and leaves the first that
    /// is anything else, with all behind it.
    private func demandSameTurn(_ input: [UInt8], _ sights: [Sight]) throws {
        var (length, statuses, rest) = (0, [String](), sights[...])
        while case .head(let head)? = rest.popFirst(), !head.closes, case .fastAnswer(let status)? = rest.popFirst() {
            length += head.length
            statuses.append(status)
        }
        var output = ByteBuffer()
        let answered = turn.answer(room.placing(input), scratch: .ofThisThread(), into: &output)
        let lines = try Self.statuses(of: String(buffer: output))
        try demand(
            answered == length && lines == statuses,
            "a reactor answers \(answered) bytes with \(lines), a connection \(length) with \(statuses)")
    }

    /// The status lines of whole answers, one behind the other.
    private static func statuses(of answers: String) throws -> [String] {
        var (rest, statuses) = (Substring(answers), [String]())
        while !rest.isEmpty {
            guard let end = rest.range(of: "\r\n\r\n") else { throw Finding("half an answer: \(rest)") }
            let lines = rest[..<end.lowerBound].components(separatedBy: "\r\n")
            guard
                let length = lines.first(where: { $0.hasPrefix("Content-Length: ") }).flatMap({ Int($0.dropFirst(16)) }
                ),
                let next = rest.utf8.index(end.upperBound, offsetBy: length, limitedBy: rest.endIndex)
            else { throw Finding("an answer without its body: \(rest)") }
            statuses.append(lines[0])
            rest = rest[next...]
        }
        return statuses
    }

    /// Both paths find the same token, or none.
    private func demandOneToken(_ head: RequestHead, _ bytes: UnsafeRawBufferPointer) throws {
        guard let request = HTTPRequest(head, in: bytes) else { throw Finding("a head that no request can say") }
        let fast = FastPath.token(of: head, in: bytes).map { Array($0) }
        let fields = request.headerFields
        let slow = Credential.token(
            authorization: fields[.authorization], cookies: fields[values: .cookie], acceptsInsecureName: true)
        // What is no UTF-8 becomes another text on the slow path; no such token is good on either.
        if let fast, fast.contains(where: { $0 > 0x7f }) { return }
        try demand(fast == slow, "the fast path finds the token \(fast ?? []), the slow one \(slow ?? [])")
    }

    private func fastAnswer(_ head: RequestHead, _ bytes: UnsafeRawBufferPointer) throws -> String {
        var buffer = ByteBuffer()
        guard
            path.answer(
                head, in: bytes, ring: path.keyRing.value, scratch: scratch.memory, connection: .silent, into: &buffer)
        else {
            throw Finding("a fresh partition was stale")
        }
        let answer = String(buffer: buffer)
        let lines = answer.components(separatedBy: "\r\n")
        let length = lines.first { $0.hasPrefix("Content-Length: ") }.flatMap { Int($0.dropFirst(16)) }
        guard let length, let end = answer.range(of: "\r\n\r\n") else { throw Finding("no answer: \(answer)") }
        let body = Array(answer[end.upperBound...].utf8)
        try demand(body.count == length, "an answer of \(body.count) bytes that says \(length)")
        _ = try body.withUnsafeBytes { try JSONParser.parse($0) }
        return lines[0]
    }
}
