// Rotation: another id and token for the same login, the old one over after its grace on every node, and nothing that ends a login
// missed by any of its ids, however the two race.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite(.cluster()) struct Rotate {
        private func rotate(
            _ id: String, on node: NodeProcess, _ body: [String: JSON]? = [:], key: String? = nil
        ) async throws -> HTTPAnswer {
            try await node.api.call(
                "POST", "/v1/sessions/\(id)/rotate", body: body.map(JSON.object),
                headers: key.map { [("Idempotency-Key", $0)] } ?? [])
        }

        private func rotated(_ answer: HTTPAnswer) throws -> TestSession {
            guard answer.status == 200, let session = TestSession(answer.json) else {
                throw UnexpectedAnswer("rotate", answer)
            }
            return session
        }

        /// Refused on every node at last, and as what.
        private func expectSuperseded(_ session: TestSession) async throws {
            let cluster = try await SharedCluster.ready()
            for node in cluster.nodes {
                try await eventually("the old id is over") { try await node.api.validate(session.token).status == 401 }
                #expect(try await node.api.validate(session.token).code == "session_superseded")
                #expect(try await node.api.validate(session.token, strict: true).code == "session_superseded")
            }
        }

        @Test("gives a new id, token and cookie for the same login; the old one is good for the grace, then superseded")
        func next() async throws {
            let cluster = try await SharedCluster.ready()
            let issued = try await cluster.nodes[0].api.call(
                "POST", "/v1/issue",
                body: [
                    "userId": .string(ClusterHarness.newUser()), "deviceId": "phone", "permissions": ["a"],
                    "attributes": ["plan": "pro"],
                ])
            let old = try #require(TestSession(issued.json))
            let answer = try await rotate(old.id, on: cluster.nodes[1], ["grace": "60s"])
            let new = try rotated(answer)
            #expect(new.id != old.id && new.token != old.token && new.user == old.user)
            #expect(new.crossSiteToken != old.crossSiteToken)
            #expect(answer.json["deviceId"] == "phone" && answer.json["kind"] == "web")
            #expect(answer.header("set-cookie")?.hasPrefix("__Host-curfew=\(new.token); Path=/; Secure;") == true)
            #expect(answer.json.members.keys.sorted() == issued.json.members.keys.sorted())
            // In the grace both are good, everywhere.
            try await cluster.expectActive([new, old])
            for node in cluster.nodes {
                #expect(try await node.api.validate(old.token, strict: true).status == 200)
                #expect(try await node.api.validate(new.token).json["sessionId"].string == new.id)
            }
            let none = try rotated(try await rotate(new.id, on: cluster.nodes[2], ["grace": "0s"]))
            try await expectSuperseded(new)
            for node in cluster.nodes {
                #expect(try await node.api.validate(old.token, strict: true).code == "session_superseded")
            }
            try await cluster.expectActive([none])
            // One login in the inventory, under its newest id.
            let list = try await cluster.nodes[0].api.call("GET", "/v1/users/\(old.user)/sessions").json["sessions"]
            #expect(list.array.map { $0["sessionId"].string } == [none.id])
            #expect(list[0]["attributes"] == ["plan": "pro"])
            #expect(try await cluster.nodes[1].api.call("GET", "/v1/sessions/\(old.id)").status == 404)
            #expect(try await cluster.nodes[1].api.call("GET", "/v1/sessions/\(none.id)").status == 200)
        }

        @Test(
            "an old id and what belongs to it renew nothing; the new ones do, of each kind", arguments: ["web", "api"])
        func renewal(kind: String) async throws {
            let cluster = try await SharedCluster.ready()
            let old = try await cluster.nodes[0].api.issue(ClusterHarness.newUser(), kind: kind)
            let new = try rotated(try await rotate(old.id, on: cluster.nodes[1], nil))
            func refresh(_ session: TestSession, _ node: NodeProcess) async throws -> HTTPAnswer {
                if let refreshToken = session.refreshToken { return try await node.api.refresh(refreshToken) }
                return try await node.api.refresh(bearing: session.token)
            }
            for node in cluster.nodes {
                let late = try await refresh(old, node)
                #expect(late.status == 401 && late.code == "session_superseded", "\(late.everything)")
            }
            let renewed = try await refresh(new, cluster.nodes[2])
            #expect(renewed.status == 200 && renewed.json["sessionId"].string == new.id, "\(renewed.everything)")
            let again = try await rotate(old.id, on: cluster.nodes[0])
            #expect(again.status == 409 && again.code == "conflict")
        }

        @Test(
            "whatever ends the login by whatever id ends old and new tokens, in the grace too",
            arguments: ["old", "new", "old token", "user", "device", "own"])
        func ended(target: String) async throws {
            let cluster = try await SharedCluster.ready()
            let user = ClusterHarness.newUser()
            let old = try await cluster.nodes[0].api.issue(user, device: "phone")
            let other = try await cluster.nodes[0].api.issue(user, device: "tablet")
            let new = try rotated(try await rotate(old.id, on: cluster.nodes[1], ["grace": "60s"]))
            try await cluster.expectActive([old, new, other])
            var body: [String: JSON]?
            switch target {
            case "old": body = ["sessionId": .string(old.id)]
            case "new": body = ["sessionId": .string(new.id)]
            case "old token": body = ["token": .string(old.token)]
            case "user": body = ["userId": .string(user)]
            case "device": body = ["userId": .string(user), "deviceId": "phone"]
            default: break
            }
            if let body {
                try await revoke(body, on: cluster.nodes[2], .cluster)
            } else {
                let answer = try await cluster.nodes[2].api.call(
                    "DELETE", "/v1/sessions/\(old.id)?wait=cluster", on: .public,
                    headers: [("Authorization", "Bearer \(other.token)")])
                // An id from a list that is out of date.
                #expect(answer.status == 200 && answer.json["revoked"] == 1, "\(answer.everything)")
            }
            try await cluster.expectRevokedNow([old, new])
            if target != "user" { try await cluster.expectActive([other]) }
            let late = try await rotate(new.id, on: cluster.nodes[0])
            #expect(target == "user" ? [404, 409].contains(late.status) : late.status == 409, "\(late.everything)")
        }

        @Test("all but one spares the login by whatever id of it")
        func except() async throws {
            let cluster = try await SharedCluster.ready()
            let user = ClusterHarness.newUser()
            let old = try await cluster.nodes[0].api.issue(user)
            let other = try await cluster.nodes[0].api.issue(user)
            let new = try rotated(try await rotate(old.id, on: cluster.nodes[1]))
            try await revoke(
                ["userId": .string(user), "exceptSessionId": .string(old.id)], on: cluster.nodes[2], .cluster)
            try await cluster.expectRevokedNow([other])
            try await cluster.expectActive([new])
        }

        @Test("promise 5: no rotation that races a revoke by the old id outlives it", arguments: 0..<4)
        func againstRevoke(round: Int) async throws {
            let cluster = try await SharedCluster.ready()
            for race in 0..<max(1, Refresh.races / 4 * 3) {
                let old = try await cluster.nodes[race % 3].api.issue(
                    ClusterHarness.newUser(), kind: race % 2 == 0 ? "api" : "web")
                async let ended = cluster.nodes[(race + round) % 3].api.revoke(["sessionId": .string(old.id)], .cluster)
                let answers = try await withThrowingTaskGroup(of: HTTPAnswer.self) { group in
                    for node in cluster.nodes { group.addTask { try await rotate(old.id, on: node, ["grace": "60s"]) } }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                #expect(try await ended.status == 200)
                let new = answers.compactMap { TestSession($0.json) }
                #expect(new.count <= 1)
                for answer in answers where answer.status != 200 {
                    #expect(answer.status == 409 && answer.code == "conflict", "\(answer.everything)")
                }
                try await cluster.expectRevokedNow([old] + new)
                for one in new {
                    for node in cluster.nodes {
                        #expect(try await rotate(one.id, on: node).status == 409)
                        if let refreshToken = one.refreshToken {
                            #expect(try await node.api.refresh(refreshToken).code == "session_revoked")
                        }
                    }
                }
            }
        }

        @Test(
            "of many at once one gets the new id, the others a conflict; with one Idempotency-Key it is the same for all"
        )
        func parallel() async throws {
            let cluster = try await SharedCluster.ready()
            for key in [nil, "k-\(UInt64.random(in: .min ... .max))"] {
                let old = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
                let answers = try await withThrowingTaskGroup(of: HTTPAnswer.self) { group in
                    for number in 0..<24 {
                        group.addTask { try await rotate(old.id, on: cluster.nodes[number % 3], key: key) }
                    }
                    return try await group.reduce(into: [HTTPAnswer]()) { $0.append($1) }
                }
                let good = answers.filter { $0.status == 200 }
                #expect(!good.isEmpty && Set(good.map(\.body)).count == 1 && (key != nil || good.count == 1))
                #expect(answers.allSatisfy { $0.status == 200 || ($0.status == 409 && $0.code == "conflict") })
                if let key {
                    let again = try await rotate(old.id, on: cluster.nodes[1], key: key)
                    #expect(again.status == 200 && again.body == good[0].body)
                }
            }
        }

        @Test("new permissions and a new sign-in go along with the new id")
        func stepUp() async throws {
            let cluster = try await SharedCluster.ready()
            let old = try await cluster.nodes[0].api.issue(ClusterHarness.newUser(), permissions: ["read"])
            let before = try await cluster.nodes[0].api.call("GET", "/v1/sessions/\(old.id)").json
            let now = try #require(before["createdAt"].string)
            let new = try rotated(
                try await rotate(
                    old.id, on: cluster.nodes[1],
                    ["permissions": ["read", "pay"], "authMethods": ["pwd", "otp"], "authenticatedAt": .string(now)]))
            let valid = try await cluster.nodes[2].api.validate(new.token)
            #expect(valid.json["permissions"] == ["read", "pay"])
            let view = try await cluster.nodes[2].api.call("GET", "/v1/sessions/\(new.id)").json
            #expect(view["permissions"] == ["read", "pay"] && view["authMethods"] == ["pwd", "otp"])
            #expect(view["createdAt"] == before["createdAt"])
            // Newer than a change before it, in the inventory too.
            try await cluster.nodes[0].api.setPermissions(of: old.user, to: ["read"], waits: true)
            let last = try rotated(try await rotate(new.id, on: cluster.nodes[1], ["permissions": ["pay"]]))
            #expect(try await cluster.nodes[2].api.validate(last.token).json["permissions"] == ["pay"])
            let stored = try await cluster.nodes[2].api.call("GET", "/v1/sessions/\(last.id)").json
            #expect(stored["permissions"] == ["pay"])
            try await cluster.nodes[0].api.setPermissions(of: old.user, to: ["none"], waits: true)
            #expect(try await cluster.nodes[2].api.validate(last.token).json["permissions"] == ["none"])
        }

        @Test("the devices hear of it: session.superseded, and the stream ends")
        func stream() async throws {
            let cluster = try await SharedCluster.ready()
            let old = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            try await cluster.expectActive([old])
            var streams: [EventSource] = []
            for node in cluster.nodes {
                streams.append(
                    try EventSource(
                        port: node.settings.publicPort, path: "/v1/events",
                        fields: [("Authorization", "Bearer \(old.token)")]))
            }
            for stream in streams { _ = try await stream.nextID() }
            let new = try rotated(try await rotate(old.id, on: cluster.nodes[1]))
            for stream in streams {
                let event = try await stream.next()
                #expect(event.name == "session.superseded" && event.data["sessionId"].string == old.id)
                #expect(try await stream.hasEnded())
            }
            // The page goes on with its new token; by the old one it is told again, where it says what it has seen.
            let late = try EventSource(
                port: cluster.nodes[0].settings.publicPort, path: "/v1/events",
                fields: [("Authorization", "Bearer \(old.token)"), ("Last-Event-ID", "x")])
            #expect(try await late.next().name == "resync")
            #expect(try await late.next().name == "session.superseded")
            let next = try EventSource(
                port: cluster.nodes[2].settings.publicPort, path: "/v1/events",
                fields: [("Authorization", "Bearer \(new.token)")])
            _ = try await next.nextID()
            try await revoke(["sessionId": .string(old.id)], on: cluster.nodes[0])
            #expect(try await next.next().name == "session.revoked")
        }

        @Test("a login ends the browser's former session in the same step, by its id or its token, whoever's it was")
        func replaces() async throws {
            let cluster = try await SharedCluster.ready()
            let user = ClusterHarness.newUser()
            func login(_ replaces: JSON, on node: NodeProcess) async throws -> HTTPAnswer {
                try await node.api.call("POST", "/v1/issue", body: ["userId": .string(user), "replaces": replaces])
            }
            let strangers = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            let mine = try await cluster.nodes[0].api.issue(user, device: "phone")
            let kept = try await cluster.nodes[0].api.issue(user)
            let first = try await login(.string(mine.id), on: cluster.nodes[1])
            #expect(first.status == 201, "\(first.everything)")
            try await cluster.expectRevoked([mine])
            let rotatedID = try rotated(
                try await rotate(try #require(first.json["sessionId"].string), on: cluster.nodes[0]))
            let second = try await login(.string(rotatedID.token), on: cluster.nodes[2])
            #expect(second.status == 201, "\(second.everything)")
            try await cluster.expectRevoked([rotatedID])
            #expect(try await login(.string(strangers.token), on: cluster.nodes[0]).status == 201)
            try await cluster.expectRevoked([strangers])
            try await cluster.expectActive([kept])
            // A cookie that somebody planted is no reason to lock anybody out.
            for junk in ["", "x", "eyJ.eyJ.x", TokenForge.flippingSignature(of: kept.token)] {
                #expect(try await login(.string(junk), on: cluster.nodes[0]).status == 201, "\(junk)")
            }
            try await cluster.expectActive([kept])
            let typo = try await login(.string(String(kept.id.dropLast())), on: cluster.nodes[0])
            #expect(typo.status == 400 && typo.code == "value_out_of_range")
            #expect(try await login(1, on: cluster.nodes[0]).code == "malformed_request")
        }

        @Test("what is no good for a rotation gets its documented answer, and rotates nothing")
        func badInput() async throws {
            let cluster = try await SharedCluster.ready()
            let node = cluster.nodes[0]
            let session = try await node.api.issue(ClusterHarness.newUser())
            let rows: [(name: String, body: JSON, code: String)] = [
                ("no object", ["x"], "malformed_request"), ("a number", ["grace": 1], "malformed_request"),
                ("no duration", ["grace": "soon"], "value_out_of_range"),
                ("too long a grace", ["grace": "61s"], "value_out_of_range"),
                ("a time to come", ["authenticatedAt": "2999-01-01T00:00:00Z"], "value_out_of_range"),
                ("another form of time", ["authenticatedAt": "2026-01-01T00:00:00+01:00"], "value_out_of_range"),
                ("no permission", ["permissions": ["a b"]], "value_out_of_range"),
                (
                    "more than a cookie holds",
                    ["permissions": .array((0..<100).map { .string("\($0)" + String(repeating: "x", count: 60)) })],
                    "value_out_of_range"
                ),
                ("no method", ["authMethods": ["a b"]], "value_out_of_range"),
                ("another user", ["userId": "u"], "unknown_field"), ("a wait", ["wait": "cluster"], "unknown_field"),
            ]
            for row in rows {
                let answer = try await node.api.call("POST", "/v1/sessions/\(session.id)/rotate", body: row.body)
                #expect(answer.status == 400 && answer.code == row.code, "\(row.name): \(answer.everything)")
            }
            let unknown = "ses_00" + String(repeating: "1", count: 22)
            for id in ["x", unknown, "ses_zz" + String(repeating: "1", count: 22), String(session.id.dropLast())] {
                let answer = try await rotate(id, on: node)
                #expect(answer.status == 404 && answer.code == "not_found", "\(id): \(answer.everything)")
            }
            #expect(try await node.api.call("GET", "/v1/sessions/\(session.id)/rotate").status == 405)
            let outside = try await node.api.call("POST", "/v1/sessions/\(session.id)/rotate", on: .public)
            #expect(outside.status == 404)
            try await cluster.expectActive([session])
            #expect(try await node.api.call("GET", "/v1/sessions/\(session.id)").status == 200)
        }
    }
}
