// One renewal for all that ask at once.

import CurfewCore
import Synchronization
import Testing

@testable import CurfewNode

@Suite("Renewals of the last moments")
struct RecentRenewalsTests {
    private final class Renewer: Sendable {
        private let count = Mutex(0)
        var calls: Int { count.withLock { $0 } }

        /// Of every third call a failure.
        func renew() async -> RecentRenewals.Renewed {
            await Task.yield()
            let call = count.withLock { count in
                count += 1
                return count
            }
            if call.isMultiple(of: 3) { return .failure(.overloaded(detail: "\(call)")) }
            guard let user = UserID("u") else { fatalError("a literal") }
            return .success(
                IssuedSession(
                    session: SessionID(partition: Partition(0), high: 1, low: UInt64(call)), user: user, device: nil,
                    kind: .web, token: "\(call)", issuedAt: WallTime(seconds: 0), expiresAt: WallTime(seconds: 1),
                    sessionExpiresAt: WallTime(seconds: 1), refreshToken: nil))
        }
    }

    private func token(_ renewed: RecentRenewals.Renewed) -> String? { try? renewed.get().token }

    @Test("many at once are one, until the grace is over; another key is another, and a failure is tried again")
    func once() async {
        let (renewals, renewer) = (RecentRenewals(), Renewer())
        func renewed(_ key: UInt8, at seconds: Int) async -> RecentRenewals.Renewed {
            await renewals.renewed(by: [key], at: .seconds(seconds), within: .seconds(10), renewer.renew)
        }
        let first = await withTaskGroup(of: String?.self) { group in
            for _ in 0..<40 { group.addTask { token(await renewed(1, at: 100)) } }
            return await group.reduce(into: Set<String?>()) { $0.insert($1) }
        }
        #expect(first == ["1"] && renewer.calls == 1)
        #expect(token(await renewed(1, at: 109)) == "1")
        #expect(token(await renewed(2, at: 109)) == "2")
        #expect(token(await renewed(3, at: 109)) == nil && renewer.calls == 3)
        #expect(token(await renewed(3, at: 109)) == "4", "a failure is not kept")
        #expect(token(await renewed(1, at: 110)) == "5")
    }

    @Test("any number of tokens takes no more memory")
    func bounded() async {
        let (renewals, renewer) = (RecentRenewals(), Renewer())
        for number in 0..<(3 * RecentRenewals.maximum) {
            let key = withUnsafeBytes(of: number) { Array($0) }
            _ = await renewals.renewed(by: key, at: .seconds(1), within: .seconds(10), renewer.renew)
        }
        #expect(renewals.count <= RecentRenewals.maximum)
    }
}
