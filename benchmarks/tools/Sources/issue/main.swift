// Issues sessions with the details that an application knows at a login, one session a user. Writes a file of tokens, a
// line each, and prints one session, its user, and how many bytes validate answers for it, as JSON.
//
//     issue --public-port PORT --admin-port PORT --sessions N --prefix TEXT --user-agent TEXT --tokens PATH
//                                                                 (CURFEW_API_KEY set; '' for no user agent)

import Wire

struct Issue {
    let arguments: Arguments
    let apiKey: String
    let admin: Lanes
    let open: HTTPConnection

    init() throws(WireError) {
        arguments = try Arguments()
        apiKey = try Arguments.secret("CURFEW_API_KEY")
        admin = try Lanes(port: arguments.port("admin-port"))
        open = try HTTPConnection(port: arguments.port("public-port"))
    }

    func run() throws(WireError) {
        let prefix = try arguments.text("prefix")
        let agent = try arguments.text("user-agent")
        let requests = (0..<(try arguments.number("sessions"))).map { index in
            Requests.login(user: prefix + String(1_000_000 + index), userAgent: agent, apiKey: apiKey)
        }
        var tokens: [String] = []
        var sessions: [String] = []
        for answer in try admin.call(requests, expecting: 201) {
            tokens.append(try answer.text("token"))
            sessions.append(try answer.text("sessionId"))
        }
        try writeLines(tokens, to: arguments.text("tokens"))
        guard let token = tokens.last, let session = sessions.last else { return }
        let answer = try open.call(Requests.validate(token: token)).expecting(200)
        print(
            "{\"issued\":\(sessions.count),\"session\":\"\(session)\",\"user\":\"\(try answer.text("userId"))\","
                + "\"bodyBytes\":\(answer.body.count)}")
    }
}

run { try Issue().run() }
