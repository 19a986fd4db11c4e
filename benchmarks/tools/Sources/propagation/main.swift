// How fast a revoke spreads, beside what Redis itself needs to deliver a message: the kinds of round take turns, so
// that whatever else the machine does meets all of them alike. Prints one JSON object; times in microseconds.
//
//     propagation --nodes public:admin:pid,… --redis-socket PATH --rounds N --stops N     (CURFEW_API_KEY set)

import Glibc
import Wire

struct Measurement {
    static let warmUp = 20
    let addresses: [NodeAddress]
    let apiKey: String
    let cluster: Cluster
    let delivery: Delivery
    let rounds: Int
    let stops: Int
    var published = Times()
    var refusal = Refusal()
    var fence = Fence()

    init() throws {
        let arguments = try Arguments()
        addresses = try arguments.text("nodes").split(separator: ",").map { try NodeAddress($0) }
        guard addresses.count == 3 else { throw WireError("--nodes: expected three") }
        apiKey = try Arguments.secret("CURFEW_API_KEY")
        cluster = try Cluster(addresses, apiKey: apiKey)
        delivery = try Delivery(path: arguments.text("redis-socket"), subscribers: addresses.count)
        rounds = try arguments.number("rounds")
        stops = try arguments.number("stops")
    }

    mutating func run() throws {
        try cluster.waitUntilReady()
        usleep(1_500_000)  // until every node trusts what it knows of its peers
        note("  \(rounds) rounds on a healthy cluster")
        try measureRounds(Measurement.warmUp, prefix: "warm")
        (published, refusal, fence) = (Times(), Refusal(), Fence())
        try measureRounds(rounds, prefix: "round")
        note("  \(stops) rounds with one node stopped")
        let sessions = try cluster.issue(stops, prefix: "stop")
        for (index, session) in sessions.enumerated() {
            try fence.measureStopped(
                session, addresses: addresses, apiKey: apiKey, victim: index % addresses.count)
        }
        print(json)
    }

    private mutating func measureRounds(_ count: Int, prefix: String) throws {
        let quick = try cluster.issue(count, prefix: prefix + "_a_")
        let fenced = try cluster.issue(count, prefix: prefix + "_b_")
        for index in 0..<count {
            published.add(try delivery.measure())
            usleep(1_000)
            try refusal.measure(quick[index], on: cluster, asker: index % addresses.count)
            usleep(1_000)
            try fence.measureHealthy(fenced[index], on: cluster, asker: index % addresses.count)
            usleep(1_000)
        }
    }

    private var json: String {
        """
        {"benchmark":"propagation","nodes":\(addresses.count),"unit":"microseconds",\
        "publishToDelivery":\(published.json),"revokeToRefused":\(refusal.refused.json),\
        "revokeAnswered":\(refusal.answered.json),"fencedRevoke":\(fence.healthy.json),\
        "fencedRevokeOneStopped":\(fence.stopped.json),"stoppedAnsweredFenced":\(fence.fencedCount),\
        "healthyNotAcknowledged":\(fence.unacknowledged),"activeAfterRefusal":\(refusal.activeAfterRefusal),\
        "activeAfterFence":\(fence.activeAfterFence)}
        """
    }
}

run {
    var measurement = try Measurement()
    try measurement.run()
}
