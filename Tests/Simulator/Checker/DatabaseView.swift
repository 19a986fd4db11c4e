// Reads of a simulated Redis' data for the checker, which change nothing.

extension SimulatedDatabase {
    func hashField(_ key: String, _ field: String) -> String? {
        guard case .hash(let fields) = entries[Bytes(key)]?.value else { return nil }
        return fields[Bytes(field)]?.text
    }

    func hasMember(_ key: String, _ member: String) -> Bool {
        guard case .sortedSet(let set) = entries[Bytes(key)]?.value else { return false }
        return set.score(of: Bytes(member)) != nil
    }

    func memberCount(_ key: String) -> Int {
        guard case .sortedSet(let set) = entries[Bytes(key)]?.value else { return 0 }
        return set.elements.count
    }
}
