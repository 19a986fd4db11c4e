// The sessions that the clients share: who may be asked about next. Sessions whose end was asked for stay in sight for a
// while, as they are the ones that must not come back.

import Synchronization
import TestSupport

final class Population: Sendable {
    struct Member: Sendable {
        let session: Int
        let id: String
        /// As it was issued.
        let firstToken: String
        /// As it was renewed last.
        var token: String
        /// `web` and `remember` are renewed by their tokens.
        let isRenewable: Bool
        let subject: Subject

        init(session: Int, id: String, token: String, isRenewable: Bool, subject: Subject) {
            (self.session, self.id, self.subject) = (session, id, subject)
            (firstToken, self.token, self.isRenewable) = (token, token, isRenewable)
        }
    }

    /// A member whose end was asked for, with the change that was answered last, if one was.
    struct Ended: Sendable {
        var member: Member
        var change: (operation: Int, fence: String)?
    }

    private struct State {
        var everyone: [Member] = []
        var live: [Member] = []
        var ended: [Ended] = []
        var userCount = 0
    }

    static let maximumLive = 60
    static let maximumEnded = 50
    private let state = Mutex(State())

    /// Everybody who ever was, in the order of the history's sessions.
    var everyone: [Member] { state.withLock { $0.everyone.sorted { $0.session < $1.session } } }

    func add(_ member: Member) {
        state.withLock { state in
            state.everyone.append(member)
            state.live.append(member)
            if state.live.count > Self.maximumLive { state.live.removeFirst() }
        }
    }

    /// It has another token now. What it had before is good as long as it.
    func renewed(_ session: Int, to token: String) {
        state.withLock { state in
            if let index = state.live.firstIndex(where: { $0.session == session }) { state.live[index].token = token }
            if let index = state.ended.firstIndex(where: { $0.member.session == session }) {
                state.ended[index].member.token = token
            }
            if let index = state.everyone.lastIndex(where: { $0.session == session }) {
                state.everyone[index].token = token
            }
        }
    }

    /// A user who has a session, or a new one.
    func user(isNew: Bool, using random: inout SeededGenerator) -> String {
        state.withLock { state in
            if !isNew, let member = state.live.randomElement(using: &random) { return member.subject.user }
            state.userCount += 1
            return "u_\(state.userCount)"
        }
    }

    func live(using random: inout SeededGenerator) -> Member? {
        state.withLock { $0.live.randomElement(using: &random) }
    }

    func ended(using random: inout SeededGenerator) -> Ended? {
        state.withLock { $0.ended.randomElement(using: &random) }
    }

    /// The end of some was asked for: they are looked at on, as ended ones.
    func end(_ isMeant: (Member) -> Bool) -> [Member] {
        state.withLock { state in
            let meant = state.live.filter(isMeant)
            state.live.removeAll(where: isMeant)
            state.ended += meant.map { Ended(member: $0) }
            state.ended.removeFirst(max(0, state.ended.count - Self.maximumEnded))
            return meant
        }
    }

    /// The fence of a change that ended some of them.
    func note(_ change: (operation: Int, fence: String), of sessions: [Member]) {
        let meant = Set(sessions.map(\.session))
        state.withLock { state in
            for index in state.ended.indices where meant.contains(state.ended[index].member.session) {
                state.ended[index].change = change
            }
        }
    }
}
