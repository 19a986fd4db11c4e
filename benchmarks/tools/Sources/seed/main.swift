// Fills a node with sessions and tombstones through its admin API, and a plain Redis with the same sessions the way an
// application would keep them: one key a session, whose value is what validate answers. Writes a file of tokens and
// one of session ids, a line each, and prints the sizes as JSON.

import Wire

struct Seed {
    let arguments: Arguments
    let apiKey: String
    let admin: Lanes
    let open: Lanes

    init() throws {
        arguments = try Arguments()
        apiKey = try Arguments.secret("CURFEW_API_KEY")
        admin = try Lanes(port: arguments.port("admin-port"))
        open = try Lanes(port: arguments.port("public-port"))
    }

    func run() throws {
        let live = try issue(arguments.number("sessions"), prefix: "u_")
        let ended = try issue(arguments.number("tombstones"), prefix: "gone_")
        _ = try admin.call(
            ended.map { Requests.revoke(session: $0.session, waits: false, apiKey: apiKey) }, expecting: 200)
        let validations = try open.call(live.map { Requests.validate(token: $0.token) }, expecting: 200)
        try keep(zip(live.map(\.session), validations.map(\.body)), in: Redis(path: arguments.text("redis-socket")))
        try writeLines(live.map(\.token), to: arguments.text("tokens"))
        try writeLines(live.map(\.session), to: arguments.text("ids"))
        guard let first = validations.first else { return }
        try writeLines([String(decoding: first.body, as: UTF8.self)], to: arguments.text("body"))
        print(
            "{\"sessions\":\(live.count),\"tombstones\":\(ended.count),\"tokenBytes\":\(live[0].token.utf8.count),"
                + "\"answerBytes\":\(first.byteCount),\"bodyBytes\":\(first.body.count)}")
    }

    /// One session a user: "log out" of one is one tombstone.
    private func issue(_ count: Int, prefix: String) throws -> [(session: String, token: String)] {
        let requests = (0..<count).map { index in
            Requests.issue(user: prefix + String(1_000_000 + index), apiKey: apiKey)
        }
        return try admin.call(requests, expecting: 201).map { (try $0.text("sessionId"), try $0.text("token")) }
    }

    private func keep(_ sessions: some Sequence<(String, [UInt8])>, in redis: Redis) throws {
        for (session, body) in sessions {
            try redis.socket.send(Redis.command([Array("SET".utf8), Array("session:\(session)".utf8), body]))
            try redis.expect(Array("+OK\r\n".utf8))
        }
    }
}

run { try Seed().run() }
