// When all faults are over: every token that was ever given is shown to every node, and to one that starts only now and knows
// nothing but what Redis has (I3, I6). And the log itself is read: gapless, chained, and where the nodes say they are (I4, as
// far as it can be seen from outside).

import TestSupport
import Testing

struct LastLook {
    let stage: Stage
    let population: Population
    let recorder: Recorder

    private var cluster: ClusterHarness { stage.cluster }
    private static let batchTokens = 1_000

    func run() async throws {
        let newcomer = try cluster.makeNode("newcomer")
        try newcomer.start()
        try await newcomer.ready(within: .seconds(30))
        let nodes = cluster.nodes + [newcomer]
        let members = population.everyone
        for (index, node) in nodes.enumerated() {
            for first in stride(from: 0, to: members.count, by: Self.batchTokens) {
                try await look(at: members[first..<min(first + Self.batchTokens, members.count)], on: node, index)
            }
        }
        for partition in 0..<cluster.options.partitions {
            let head = try expectChained(partition)
            for node in nodes { try await expectFollowing(node, partition, head: head) }
        }
    }

    private func look(at members: ArraySlice<Population.Member>, on node: NodeProcess, _ index: Int) async throws {
        let body: JSON = ["tokens": .array(members.map { .string($0.token) })]
        var results: [JSON] = []
        var time = Interval(began: 0, ended: 0)
        try await eventually("\(node.name) validates \(members.count) tokens") {
            time.began = BootClock.now
            let answer = try await node.api.call(
                "POST", "/v1/validate/batch", body: body, timeout: .seconds(30))
            time.ended = BootClock.now
            results = answer.json["results"].array
            return answer.status == 200 && results.count == members.count
        }
        for (member, result) in zip(members, results) {
            let isActive = result["active"].bool == true
            recorder.add(
                Operation(
                    node: index, time: time, action: .validate(session: member.session, isLast: true),
                    answer: Answer(
                        status: isActive ? 200 : 401, code: result["code"].string,
                        version: result["permissionsVersion"].int, names: result["permissions"].names)))
        }
    }

    /// Every entry follows the one before it. Gives the last number.
    private func expectChained(_ partition: Int) throws -> Int {
        let key = cluster.key("{\(partition)}:log")
        // Id, the field's name and the event's text, in turn.
        let lines = try stage.redis.primary.call(["XRANGE", key, "-", "+"]).split(separator: "\n")
        var last: (seq: Int, tag: Substring)?
        for text in stride(from: 2, to: lines.count, by: 3).map({ lines[$0] }) {
            let fields = text.split(separator: "\t")
            let seq = try #require(Int(fields[0]))
            if let last {
                #expect(seq == last.seq + 1 && fields[2] == last.tag, "partition \(partition) at \(seq)")
            }
            last = (seq, fields[1])
        }
        return try #require(last, "partition \(partition) has a log").seq
    }

    private func expectFollowing(_ node: NodeProcess, _ partition: Int, head: Int) async throws {
        let view = try await node.api.call("GET", "/v1/cluster").json["partitions"][partition]
        #expect(view["fresh"] == true && view["seq"].int == head, "\(node.name), partition \(partition): \(view.text)")
    }
}
