// Calls nodes and writes down each call. The one place that turns an HTTP answer, or the want of one, into the history's.

import Synchronization
import TestSupport

extension JSON {
    /// Of a list of strings.
    var names: [String]? {
        guard case .array(let names) = self else { return nil }
        return names.compactMap(\.string)
    }
}

final class Caller: Sendable {
    let nodes: [NodeProcess]
    let recorder: Recorder
    /// When the oldest unanswered call of each node was sent: a stopped node would soon hold every client.
    private let owed: Mutex<[[Int64]]>

    init(nodes: [NodeProcess], recorder: Recorder) {
        self.nodes = nodes
        self.recorder = recorder
        owed = Mutex(Array(repeating: [], count: nodes.count))
    }

    /// A node that has not owed anybody an answer for long; any, when all have.
    func answeringNode(using random: inout SeededGenerator) -> Int {
        let limit = BootClock.now - 300_000_000
        let owed = owed.withLock { $0 }
        let answering = nodes.indices.filter { node in !owed[node].contains { $0 < limit } }
        return answering.randomElement(using: &random) ?? Int.random(in: nodes.indices, using: &random)
    }

    /// One call: sends it, waits, writes it down. Gives the answer and its place in the history.
    @discardableResult func call(
        _ node: Int, _ action: (HTTPAnswer?) -> Action, _ send: (APIClient) async throws -> HTTPAnswer
    ) async -> (answer: Answer, body: JSON, index: Int, time: Interval) {
        let began = BootClock.now
        owed.withLock { $0[node].append(began) }
        var received: HTTPAnswer?
        var answer = Answer.none
        do {
            received = try await send(nodes[node].api)
        } catch {
            if error as? SocketError == .refused { answer = .unreachable }
        }
        let time = Interval(began: began, ended: BootClock.now)
        owed.withLock { owed in
            if let index = owed[node].firstIndex(of: began) { owed[node].remove(at: index) }
        }
        let body = received?.json ?? .null
        if let received {
            answer = Answer(
                status: received.status, code: received.code, propagation: body["propagation"]["state"].string,
                version: body["permissionsVersion"].int, names: body["permissions"].names)
        }
        let index = recorder.add(Operation(node: node, time: time, action: action(received), answer: answer))
        return (answer, body, index, time)
    }
}
