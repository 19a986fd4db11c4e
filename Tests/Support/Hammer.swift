// Validates without pause and writes down what it was told and when, for promises of the kind "at no moment". A sample's
// times are the client's: an answer that was decided inside [began, ended] is judged by the one that makes the test strict.

import Foundation
import Synchronization

/// One validate by the hammer.
package struct Sample: Sendable {
    package let node: Int
    package let token: String
    /// CLOCK_BOOTTIME before the request was sent, and after the answer was read.
    package let began: Int64
    package let ended: Int64
    /// 0 when no answer came (refused, closed, timed out).
    package let status: Int
    package let code: String?

    package var isActive: Bool { status == 200 }
}

/// A thread for each node that validates the given tokens in turn, until told to stop.
package final class Hammer: Sendable {
    private struct State {
        var tokens: [String]
        var isStopping = false
        var running = 0
        var samples: [Sample] = []
    }

    /// How many nodes it validates at; they are counted from 0.
    package let nodeCount: Int
    private let state: Mutex<State>
    private let pauseMilliseconds: Int32

    /// Starts at once. `pauseMilliseconds` lies between two requests of a thread, so that two cores have time for the nodes.
    package init(ports: [Int], tokens: [String], pauseMilliseconds: Int32 = 1) {
        nodeCount = ports.count
        state = Mutex(State(tokens: tokens, running: ports.count))
        self.pauseMilliseconds = pauseMilliseconds
        for (index, port) in ports.enumerated() {
            let thread = Thread { self.run(node: index, port: port) }
            thread.name = "hammer-\(index + 1)"
            thread.start()
        }
    }

    /// Hammers other tokens from now on.
    package func aim(at tokens: [String]) { state.withLock { $0.tokens = tokens } }

    /// What was found so far.
    package var samples: [Sample] { state.withLock { $0.samples } }

    /// How many samples there are of this node that began after `moment`.
    package func count(node: Int, since moment: Int64) -> Int {
        state.withLock {
            $0.samples.reversed().prefix { $0.ended > moment }.count { $0.node == node && $0.began > moment }
        }
    }

    /// Ends it and gives everything it saw.
    package func stop() async -> [Sample] {
        state.withLock { $0.isStopping = true }
        try? await eventually(deadline: .seconds(12), "the hammer's threads end") {
            self.state.withLock { $0.running == 0 }
        }
        return samples
    }

    private func run(node: Int, port: Int) {
        var connection: RawConnection?
        var next = 0
        while let tokens = state.withLock({ $0.isStopping ? nil : $0.tokens }) {
            if !tokens.isEmpty {
                let token = tokens[next % tokens.count]
                next += 1
                let sample = validate(token, node: node, port: port, over: &connection)
                state.withLock { $0.samples.append(sample) }
            }
            if pauseMilliseconds > 0 { poll(nil, 0, pauseMilliseconds) }
        }
        state.withLock { $0.running -= 1 }
    }

    private func validate(_ token: String, node: Int, port: Int, over connection: inout RawConnection?) -> Sample {
        let began = BootClock.now
        let request = "GET /v1/validate HTTP/1.1\r\nHost: curfew\r\nAuthorization: Bearer \(token)\r\n\r\n"
        do {
            let open = try connection ?? RawConnection(port: port)
            connection = open
            open.send(Array(request.utf8))
            let answer = try open.answer(withinMilliseconds: 10_000)
            if answer.header("connection")?.lowercased() == "close" { connection = nil }
            return Sample(
                node: node, token: token, began: began, ended: BootClock.now, status: answer.status,
                code: answer.status == 200 ? nil : answer.code)
        } catch {
            connection = nil
            return Sample(node: node, token: token, began: began, ended: BootClock.now, status: 0, code: nil)
        }
    }
}

extension [Sample] {
    /// The `active` answers to requests that began after a moment.
    package func active(beganAfter moment: Int64, of token: String? = nil) -> [Sample] {
        filter { $0.isActive && $0.began > moment && (token == nil || $0.token == token) }
    }

    package var allActive: Bool { allSatisfy { $0.isActive } }
    package var noneActive: Bool { !contains { $0.isActive } }

    /// Each kind of answer and how often it came: `200`, `401 session_revoked`, …
    package var tally: [String: Int] {
        reduce(into: [:]) { $0["\($1.status)" + ($1.code.map { " \($0)" } ?? ""), default: 0] += 1 }
    }
}
