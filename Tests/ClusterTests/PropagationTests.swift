// Each revoke target and each change of permissions reaches every node, ends what it names and nothing else.

import TestSupport
import Testing

extension ClusterTests {
    @Suite(.cluster()) struct Propagation {
        /// The seven things that a revoke can name.
        enum Target: String, CaseIterable, Sendable { case session, token, user, userExcept, device, tenant, everyone }

        /// Two sessions of one user and tenant on two devices, and one of somebody else elsewhere.
        struct Cast {
            let phone: TestSession
            let laptop: TestSession
            let stranger: TestSession
            let tenant: String

            init(_ cluster: ClusterHarness) async throws {
                let user = ClusterHarness.newUser()
                tenant = "t" + ClusterHarness.newUser()
                phone = try await cluster.nodes[0].api.issue(user, device: "phone", tenant: tenant)
                laptop = try await cluster.nodes[1].api.issue(user, device: "laptop", tenant: tenant)
                stranger = try await cluster.nodes[2].api.issue(
                    ClusterHarness.newUser(), device: "phone", tenant: "t" + ClusterHarness.newUser())
            }

            func body(_ target: Target) -> [String: JSON] {
                let user = JSON.string(phone.user)
                return switch target {
                case .session: ["sessionId": .string(phone.id)]
                case .token: ["token": .string(phone.token)]
                case .user: ["userId": user]
                case .userExcept: ["userId": user, "exceptSessionId": .string(laptop.id)]
                case .device: ["userId": user, "deviceId": "phone"]
                case .tenant: ["tenantId": .string(tenant)]
                case .everyone: ["everyone": true]
                }
            }

            /// Who is over, who goes on, how many the answer counts.
            func outcome(_ target: Target) -> (over: [TestSession], live: [TestSession], count: JSON) {
                switch target {
                case .session, .token, .userExcept, .device: ([phone], [laptop, stranger], 1)
                case .user: ([phone, laptop], [stranger], 2)
                case .tenant: ([phone, laptop], [stranger], nil)
                case .everyone: ([phone, laptop, stranger], [], nil)
                }
            }
        }

        @Test("a revoke of each target reaches every node", arguments: Target.allCases, rounds)
        func reachesEveryNode(target: Target, round: Int) async throws {
            let cluster = try await SharedCluster.ready()
            let cast = try await Cast(cluster)
            try await cluster.expectActive([cast.phone, cast.laptop, cast.stranger])
            let answer = try await revoke(cast.body(target), on: cluster.nodes[round % 3])
            let (over, live, count) = cast.outcome(target)
            #expect(answer["revoked"] == count)
            #expect(answer["propagation"]["state"] == "published")
            try await cluster.expectRevoked(over)
            try await cluster.expectActive(live)
        }

        @Test(
            "a fenced revoke of each target is in force on every node when it returns", arguments: Target.allCases,
            rounds)
        func inForceOnReturn(target: Target, round: Int) async throws {
            let cluster = try await SharedCluster.ready()
            let cast = try await Cast(cluster)
            try await cluster.expectActive([cast.phone, cast.laptop, cast.stranger])
            let answer = try await revoke(cast.body(target), on: cluster.nodes[(round + 1) % 3], .cluster)
            let (over, live, count) = cast.outcome(target)
            try await cluster.expectRevokedNow(over)
            #expect(answer["revoked"] == count)
            #expect(answer["propagation"]["state"] == "acknowledged")
            #expect(answer["propagation"]["nodes"] == 3)
            let fences = answer["fence"].string?.split(separator: ",").count
            #expect(fences == (target == .tenant || target == .everyone ? cluster.options.partitions : 1))
            try await cluster.expectActive(live)
        }

        @Test(
            "who logs in after everything of theirs was revoked is let in",
            arguments: [Target.user, .tenant, .everyone])
        func loginAfterwards(target: Target) async throws {
            let cluster = try await SharedCluster.ready()
            let cast = try await Cast(cluster)
            try await revoke(cast.body(target), on: cluster.nodes[0], .cluster)
            let again = try await cluster.nodes[1].api.issue(cast.phone.user, device: "phone", tenant: cast.tenant)
            try await cluster.expectActive([again])
            try await cluster.expectRevokedNow([cast.phone])
        }

        @Test("changed permissions reach every node and every session of the user", arguments: rounds)
        func permissions(round: Int) async throws {
            let cluster = try await SharedCluster.ready()
            let user = ClusterHarness.newUser()
            let first = try await cluster.nodes[0].api.issue(user, permissions: ["docs:read"])
            let second = try await cluster.nodes[1].api.issue(user)
            try await cluster.expectActive([first, second])
            let before = try await cluster.nodes[2].api.validate(first.token)
            #expect(before.json["permissions"] == ["docs:read"])
            #expect(before.json["permissionsVersion"] == 0)
            let answer = try await cluster.nodes[round % 3].api.setPermissions(
                of: user, to: ["docs:write", "x"], waits: true)
            #expect(answer.status == 200)
            #expect(answer.json["revoked"] == 0)
            #expect(answer.json["propagation"]["state"] == "acknowledged")
            let version = try #require(answer.json["permissionsVersion"].int)
            #expect(version > 0)
            for node in cluster.nodes {
                for session in [first, second] {
                    let validated = try await node.api.validate(session.token)
                    #expect(validated.json["permissions"] == ["docs:write", "x"])
                    #expect(validated.json["permissionsVersion"].int == version)
                }
            }
            // Without waiting, and taking all of them away.
            _ = try await cluster.nodes[0].api.setPermissions(of: user, to: [])
            for node in cluster.nodes {
                try await eventually("\(node.name) has the empty permissions") {
                    try await node.api.validate(first.token).json["permissions"] == []
                }
            }
        }

        @Test("Curfew-At-Least reads your own revoke on any node, without waiting, 300 times")
        func atLeast() async throws {
            let cluster = try await SharedCluster.ready()
            for round in 0..<300 {
                let session = try await cluster.nodes[round % 3].api.issue(ClusterHarness.newUser())
                let answer = try await revoke(["sessionId": .string(session.id)], on: cluster.nodes[(round / 3) % 3])
                let fence = try #require(answer["fence"].string)
                let validated = try await cluster.nodes[(round / 9) % 3].api.validate(session.token, atLeast: fence)
                #expect(validated.status == 401, "round \(round)")
                #expect(validated.code == "session_revoked", "round \(round)")
            }
        }

        @Test("Curfew-At-Least catches up on a node that hears everything late", arguments: rounds)
        func atLeastOnSlowLine(round: Int) async throws {
            let cluster = try await SharedCluster.ready()
            try await cluster.proxies[1].set(.delay(.milliseconds(60)))
            for target in [Propagation.Target.session, .user, .everyone] {
                let cast = try await Cast(cluster)
                let answer = try await revoke(cast.body(target), on: cluster.nodes[0])
                let fence = try #require(answer["fence"].string)
                let validated = try await cluster.nodes[1].api.validate(cast.phone.token, atLeast: fence)
                #expect(validated.status == 401)
            }
            try await cluster.proxies[1].set(.forward)
        }

        @Test("Curfew-At-Least on a node that can't reach the event is 503, however fresh it still is")
        func atLeastOutOfReach() async throws {
            let cluster = try await SharedCluster.ready()
            let session = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            try await cluster.expectActive([session])
            let reached = try #require(
                try await revoke(
                    ["userId": .string(session.user), "deviceId": "none"], on: cluster.nodes[1], .cluster)[
                        "fence"
                    ].string)
            #expect(try await cluster.nodes[1].api.validate(session.token, atLeast: reached).status == 200)
            try await cluster.proxies[1].set(.blackhole)
            let answer = try await revoke(["userId": .string(session.user), "deviceId": "none"], on: cluster.nodes[0])
            let fence = try #require(answer["fence"].string)
            // Of several each must be reached, whichever comes first.
            for fences in ["\(reached),\(fence)", "\(fence),\(reached)", fence] {
                let validated = try await cluster.nodes[1].api.validate(session.token, atLeast: fences)
                #expect(validated.status == 503, "\(fences)")
                #expect(validated.code == "revocation_state_stale", "\(fences)")
            }
            try await cluster.proxies[1].set(.forward)
            try await cluster.expectActive([session])
        }

        @Test("strict consistency reads Redis: the record must be there and not revoked")
        func strict() async throws {
            let cluster = try await SharedCluster.ready()
            for round in 0..<30 {
                let session = try await cluster.nodes[round % 3].api.issue(ClusterHarness.newUser())
                let node = cluster.nodes[(round + 1) % 3]
                #expect(try await node.api.validate(session.token, strict: true).status == 200)
                try await revoke(["userId": .string(session.user)], on: cluster.nodes[round % 3])
                let validated = try await node.api.validate(session.token, strict: true)
                #expect(validated.status == 401)
                #expect(validated.code == "session_revoked")
            }
            let forgotten = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            let keys = try cluster.redis.call(["KEYS", "\(cluster.namespace):*:s:\(forgotten.id)"])
            #expect(try cluster.redis.call(["DEL", keys]) == "1")
            let validated = try await cluster.nodes[0].api.validate(forgotten.token, strict: true)
            #expect(validated.status == 401)
            #expect(validated.code == "session_not_found")
            #expect(try await cluster.nodes[0].api.validate(forgotten.token).status == 200)
        }
    }

    @Suite(.cluster()) struct Durability {
        @Test("durability replica says how many took it: 202 and none without a replica, 200 and one with it")
        func replica() async throws {
            let cluster = try await SharedCluster.ready()
            let options = RevokeOptions(waits: true, durability: "replica")
            let lonely = try await cluster.nodes[0].api.revoke(["userId": .string(ClusterHarness.newUser())], options)
            #expect(lonely.status == 202)
            #expect(lonely.json["durability"]["replicas"] == 0)
            // A first replica changes Redis' replication id, not the term: nobody loses a moment.
            let live = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            let hammer = Hammer(cluster.nodes, [live])
            let replica = try await RedisServer.start(replicaOptions(of: cluster.redis))
            defer { replica.stop() }
            try await eventually("Redis has the replica") {
                try cluster.redis.call(["INFO", "replication"]).contains("state=online")
            }
            let answer = try await cluster.nodes[0].api.revoke(["userId": .string(ClusterHarness.newUser())], options)
            #expect(answer.status == 200)
            #expect(answer.json["durability"]["replicas"] == 1)
            #expect(answer.json["propagation"]["state"] == "acknowledged")
            let primary = try await cluster.nodes[1].api.revoke(["userId": .string(ClusterHarness.newUser())], .cluster)
            #expect(primary.json["durability"] == nil)
            let started = BootClock.now
            try await eventually("Δ and the margin have passed") { BootClock.now > started + cluster.fenceBound }
            let samples = await hammer.stop()
            #expect(samples.allActive, "\(samples.tally)")
        }
    }
}

/// Options of a server that follows another.
func replicaOptions(of primary: RedisServer) -> RedisServerOptions {
    var options = RedisServerOptions()
    options.configuration = ["replicaof 127.0.0.1 \(primary.port)"]
    return options
}
