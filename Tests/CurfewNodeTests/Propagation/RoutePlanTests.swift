// Partitions, slots and who has them: pure, as tables.

import CurfewCore
import CurfewRedis
import Testing

@testable import CurfewNode

@Suite("The way to a partition in a Redis Cluster")
struct RoutePlanTests {
    private static let a = ClusterMember(host: "a", port: 1)
    private static let b = ClusterMember(host: "b", port: 1)

    /// As `CLUSTER KEYSLOT` says.
    @Test(
        "a key's slot is that of its hash tag",
        arguments: [
            ("123456789", 12_739), ("foo", 12_182), ("{foo}bar", 12_182), ("x{foo}{bar}", 12_182), ("foo{}", 5_542),
            ("curfew:{0}:head", 13_907), ("curfew:{0}:acks:n1", 13_907), ("curfew:{7}:u:{9}", 1_716), ("", 0),
        ])
    func slots(key: String, slot: Int) {
        #expect(KeySlot.of(key) == slot)
    }

    private static func plan(_ members: ClusterMember?...) throws -> RoutePlan {
        let ranges = members.enumerated().compactMap { index, member in
            member.map { member in
                RedisValue.array([
                    .integer(Int64(index)), .integer(Int64(index)),
                    .array([.bytes(Array(member.host.utf8)), .integer(Int64(member.port))]),
                ])
            }
        }
        return RoutePlan(try SlotMap(.array(ranges), asked: a), slots: Array(members.indices))
    }

    private static func move(_ partition: UInt16, _ owner: ClusterMember?) -> RoutePlan.Changes.Move {
        RoutePlan.Changes.Move(partition: Partition(partition), owner: owner)
    }

    @Test("nothing changes from a plan to itself")
    func same() throws {
        let plan = try Self.plan(Self.a, Self.b, nil)
        #expect(plan.changes(to: plan).isEmpty)
        #expect(plan.members == [Self.a, Self.b])
    }

    @Test("at first every partition moves to its primary, and each primary is opened once")
    func first() throws {
        let changes = RoutePlan(partitions: 3).changes(to: try Self.plan(Self.b, Self.a, Self.b))
        #expect(changes.opened == [Self.a, Self.b])
        #expect(changes.moved == [Self.move(0, Self.b), Self.move(1, Self.a), Self.move(2, Self.b)])
        #expect(changes.closed.isEmpty)
    }

    @Test("a primary that lost its last partition is closed, one that lost another stays")
    func lost() throws {
        let before = try Self.plan(Self.a, Self.a, Self.b)
        let one = before.changes(to: try Self.plan(Self.b, Self.a, Self.b))
        #expect(one == .init(opened: [], moved: [Self.move(0, Self.b)], closed: []))
        let all = before.changes(to: try Self.plan(Self.b, Self.b, Self.b))
        #expect(all == .init(opened: [], moved: [Self.move(0, Self.b), Self.move(1, Self.b)], closed: [Self.a]))
    }

    @Test("a slot that nobody has takes its partition only")
    func uncovered() throws {
        let changes = try Self.plan(Self.a, Self.b).changes(to: try Self.plan(Self.a, nil))
        #expect(changes == .init(opened: [], moved: [Self.move(1, nil)], closed: [Self.b]))
    }
}
