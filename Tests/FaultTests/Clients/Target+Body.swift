// A target as the interface spells it.

import TestSupport

extension Target {
    /// `member` is the session that the target was drawn from.
    func body(_ member: Population.Member) -> [String: JSON] {
        switch self {
        case .session: ["sessionId": .string(member.id)]
        case .token: ["token": .string(member.token)]
        case .user(let user), .permissions(let user, _): ["userId": .string(user)]
        case .others(let user, _): ["userId": .string(user), "exceptSessionId": .string(member.id)]
        case .device(let user, let device): ["userId": .string(user), "deviceId": .string(device)]
        case .tenant(let tenant): ["tenantId": .string(tenant)]
        case .everyone: ["everyone": true]
        }
    }
}
