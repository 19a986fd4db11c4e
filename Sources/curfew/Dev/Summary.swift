// What `curfew dev` prints once everything is up: where, with which key, and what to try.

import CurfewRedis
import Foundation

struct Summary {
    let cluster: DevCluster

    func show() {
        var table = Table()
        for node in cluster.nodes.indices {
            table.add("  node\(node + 1)", cluster.publicURL(node), "admin \(cluster.adminURL(node))")
        }
        table.add("  demo", cluster.demoURL, "two devices on two nodes, for your browser")
        let ownership = cluster.redis == nil ? "" : "private, ends with this command"
        table.add("  redis", RedisAddress.masked(cluster.redisURL), ownership)
        table.add("  key", cluster.apiKey)
        let curfew = CommandLine.arguments.first ?? "curfew"
        let other = cluster.publicURL(min(1, cluster.nodes.count - 1))
        Terminal.say(
            """

            \(Terminal.bold("Curfew is up: \(count(cluster.nodes.count)), one truth."))

            \(table.text)

            Try in another terminal, in this folder:

              TOKEN=$(\(curfew) issue --user u_42 --device phone --only-token)
              \(curfew) validate "$TOKEN"
              curl -s \(other)/v1/validate -H "Authorization: Bearer $TOKEN"
              \(curfew) revoke --user u_42 --wait cluster
              \(curfew) cluster

            \(Terminal.dim("Ctrl-C ends all of it."))

            """)
    }

    private func count(_ nodes: Int) -> String { nodes == 1 ? "1 node" : "\(nodes) nodes" }
}
