// Small histories for the checker's tests, written down one call a line. Times are milliseconds; Δ is 1,000 of them.

struct HandMade {
    private(set) var history = History(stalenessBound: 1_000_000_000)

    /// A session of `user`, issued in these milliseconds.
    mutating func session(
        _ user: String = "u", device: String? = nil, tenant: String? = nil, at began: Int64 = 0, _ ended: Int64 = 10
    ) -> Int {
        history.subjects.append(
            Subject(user: user, device: device, tenant: tenant, issued: Self.interval(began, ended)))
        let session = history.subjects.count - 1
        add(began, ended, .issue(session: session), Answer(status: 201))
        return session
    }

    /// A change, answered 200 unless said. Gives its place.
    @discardableResult mutating func change(
        _ target: Target, _ began: Int64, _ ended: Int64, status: Int = 200, propagation: String? = "published",
        code: String? = nil, version: Int? = nil
    ) -> Int {
        add(
            began, ended, .change(target),
            Answer(
                status: status, code: code, propagation: (200...202).contains(status) ? propagation : nil,
                version: version))
    }

    mutating func active(
        _ session: Int, _ began: Int64, _ ended: Int64, node: Int = 0, atLeast: Int? = nil, version: Int = 0,
        names: [String]? = nil, isLast: Bool = false
    ) {
        add(
            began, ended, .validate(session: session, atLeast: atLeast, isLast: isLast),
            Answer(status: 200, version: version, names: names), node: node)
    }

    mutating func refused(
        _ session: Int, _ began: Int64, _ ended: Int64, code: String = "session_revoked", isStrict: Bool = false,
        isLast: Bool = false
    ) {
        add(
            began, ended, .validate(session: session, isStrict: isStrict, isLast: isLast),
            Answer(status: 401, code: code))
    }

    /// Answered with a new token, or refused.
    mutating func renewal(_ session: Int, _ began: Int64, _ ended: Int64, refused code: String? = nil) {
        add(began, ended, .renew(session: session), Answer(status: code == nil ? 200 : 401, code: code))
    }

    mutating func unavailable(_ session: Int, _ began: Int64, _ ended: Int64, isLast: Bool = false) {
        add(
            began, ended, .validate(session: session, isLast: isLast),
            Answer(status: 503, code: "revocation_state_stale"))
    }

    /// Redis may have lost data in these milliseconds.
    mutating func loss(_ began: Int64, _ ended: Int64) { history.losses.append(Self.interval(began, ended)) }

    mutating func settled(_ moment: Int64) { history.settled.append(moment * 1_000_000) }

    @discardableResult mutating func add(
        _ began: Int64, _ ended: Int64, _ action: Action, _ answer: Answer, node: Int = 0
    ) -> Int {
        history.operations.append(
            Operation(node: node, time: Self.interval(began, ended), action: action, answer: answer))
        return history.operations.count - 1
    }

    /// The rules that the checker finds broken.
    var broken: [Violation.Rule] { Checker(history).violations().map(\.rule) }

    private static func interval(_ began: Int64, _ ended: Int64) -> Interval {
        Interval(began: began * 1_000_000, ended: ended * 1_000_000)
    }
}
