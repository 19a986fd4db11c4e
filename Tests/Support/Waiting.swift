// The one place in the tests that sleeps: waiting for a condition, with a deadline and a name for what was missed.
// A test never asserts how long something took; it says what must come true, and gives up loudly when it does not.

/// A condition that did not come true in time.
package struct NeverHappened: Error, CustomStringConvertible {
    package let what: String
    package let deadline: Duration
    /// The last error that the condition threw, if it threw.
    package let lastError: String?

    package var description: String {
        "never happened within \(deadline): \(what)" + (lastError.map { " (last error: \($0))" } ?? "")
    }
}

/// Returns as soon as `condition` is true; throws `NeverHappened` after `deadline`.
///
/// A condition that throws counts as not yet true. `CancellationError` passes through.
package func eventually(
    deadline: Duration = .seconds(20), _ what: String, every interval: Duration = .milliseconds(10),
    _ condition: () async throws -> Bool
) async throws {
    let clock = ContinuousClock()
    let end = clock.now + deadline
    var lastError: String?
    while true {
        do {
            if try await condition() { return }
            lastError = nil
        } catch let cancelled as CancellationError {
            throw cancelled
        } catch {
            lastError = String(describing: error)
        }
        if clock.now >= end { throw NeverHappened(what: what, deadline: deadline, lastError: lastError) }
        try await Task.sleep(for: interval)
    }
}
