// Permissions of a user, on every device and node at once: an event like a revoke, that gives instead of ends.

import CurfewCore

extension SessionService {
    /// Replaces the permissions that the user's tokens carry. Safe to repeat; the last change wins. Throws
    /// `outOfRange` where a token with them would be larger than validate takes.
    package func setPermissions(
        of user: UserID, to permissions: Permissions, options: ChangeOptions
    ) async throws(ServiceError) -> ChangeAnswer {
        // What no token can carry is refused here, not when the next token is issued: whatever device and tenant its session names, with a fingerprint or without.
        var request = IssueRequest(user: user)
        request.permissions = permissions
        let longest = String(repeating: "\"", count: 128)
        (request.device, request.tenant) = (DeviceID(longest), TenantID(longest))
        request.fingerprintCode = String(repeating: "A", count: KeyRing.fingerprintCodeCount)
        try checkTokenSize(request)
        let startedAt = clock.boot()
        let partition = count.partition(ofUser: user.text.utf8)
        let outcome = try await change(
            in: partition, operation: "permissions", options: options, startedAt: startedAt
        ) { known in
            driver.calls.permissions(of: user, to: permissions, in: partition, options: options, known)
        }
        recordPermissionsChange(of: user)
        var answer = answer([outcome], isCounted: true, startedAt: startedAt)
        answer.permissionsVersion = outcome.stamp.microseconds
        return answer
    }
}
