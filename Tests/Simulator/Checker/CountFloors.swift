// What so many runs must have done before "no violation" says anything: a sixth of what they do, and everything that is drawn or
// refused at least once.

import CurfewNode

extension Counts {
    /// The runs that the floors are of, which draw everything.
    private static let runsOfFloors = 300
    /// Seeds differ much: fewer than these are held to nothing.
    private static let fewestRuns = 100

    /// A line for everything that there was too little of.
    package var missing: [String] {
        guard runs >= Self.fewestRuns else { return [] }
        let scaled: [(what: String, count: Int, floor: Int)] = [
            ("sessions issued", issued, 3_500), ("validations active", active, 10_000),
            ("validations refused", refused, 30_000), ("validations unavailable", unavailable, 12_000),
            ("changes acknowledged", acknowledged, 500), ("changes fenced", fenced, 650),
            ("changes published", published, 420), ("changes pending", pending, 80),
            ("changes of permissions", permissions, 350), ("renewals", renewed, 600), ("rotations", rotated, 145),
            ("logouts", logouts, 50), ("validations with Curfew-At-Least", activeAtLeast, 140),
            ("validations by an id that was replaced", activeInGrace, 5),
            ("writes failed", failedWrites, 5_500), ("terms of Redis", terms, 170), ("faults", faults, 750),
            ("sessions ended as idle", idle, 30), ("validations by changed permissions", activeByChange, 3_000),
            ("chains compared", chains, 34_000), ("renewals compared", renewedInRedis, 860),
            ("revocations looked for at the ends", checkedAtEnd, 23_000),
        ]
        var lines = scaled.compactMap { line($0.what, $0.count, $0.floor * runs / Self.runsOfFloors) }
        guard runs >= Self.runsOfFloors else { return lines }
        lines += FaultKind.allCases.compactMap { line("fault \($0.rawValue)", faultsByKind[$0.rawValue] ?? 0, 1) }
        lines += [RefusalReason.sessionRevoked, .sessionExpired, .sessionSuperseded, .tokenExpired, .sessionNotFound]
            .compactMap {
                line("refused as \($0.rawValue)", refusalsByReason[$0.rawValue] ?? 0, 1)
            }
        lines += [RefusalReason.sessionRevoked, .refreshTokenReused].compactMap {
            line("not renewed as \($0.rawValue)", renewalsRefused[$0.rawValue] ?? 0, 1)
        }
        return lines
    }

    private func line(_ what: String, _ count: Int, _ floor: Int) -> String? {
        count >= floor ? nil : "\(what): \(count), expected at least \(floor) in \(runs) runs"
    }
}
