// Faults of one node, or of the line between it and Redis.

import TestSupport

enum NodeFault: String, CaseIterable, Sendable {
    case killed = "kill -9 of a node"
    case stopped = "SIGSTOP of a node"
    case blackholed = "line blackholed"
    case delayed = "line 300 ms slow, each way"
    case reset = "line reset, twice"
    case refused = "line refused"
    case cut = "wire cut"
    case requestsLost = "wire loses requests"
    case answersLost = "wire loses answers"

    /// What this machine can do.
    static var possible: [NodeFault] {
        allCases.filter { Wire.isAvailable || ![.cut, .requestsLost, .answersLost].contains($0) }
    }

    func fault(of index: Int, on stage: Stage) -> Fault {
        let node = stage.cluster.nodes[index]
        let proxy = stage.cluster.proxies[index]
        let name = "\(rawValue) (\(node.name))"
        return switch self {
        case .killed:
            Fault(kind: rawValue, name: name, begin: { node.kill() }, end: { try node.start() })
        case .stopped:
            Fault(kind: rawValue, name: name, begin: { node.pause() }, end: { node.resume() })
        case .blackholed:
            Fault(
                kind: rawValue, name: name, begin: { try await proxy.set(.blackhole) },
                end: { try await proxy.set(.forward) })
        case .delayed:
            Fault(
                kind: rawValue, name: name, begin: { try await proxy.set(.delay(.milliseconds(300))) },
                end: { try await proxy.set(.forward) })
        case .reset:
            Fault(
                kind: rawValue, name: name, begin: { try await proxy.resetAll() }, end: { try await proxy.resetAll() })
        case .refused:
            Fault(
                kind: rawValue, name: name,
                begin: {
                    try await proxy.refuse()
                    try await proxy.dropAll()
                }, end: { try await proxy.accept() })
        case .cut: Fault(kind: rawValue, name: name, begin: { try wire(proxy).cut() }, end: { try wire(proxy).mend() })
        case .requestsLost:
            Fault(
                kind: rawValue, name: name, begin: { try wire(proxy).loseRequests() }, end: { try wire(proxy).mend() })
        case .answersLost:
            Fault(
                kind: rawValue, name: name, begin: { try wire(proxy).loseAnswers() }, end: { try wire(proxy).mend() })
        }
    }

    private func wire(_ proxy: FaultProxy) throws -> Wire {
        guard let wire = proxy.wire else { throw NoWire() }
        return wire
    }

    private struct NoWire: Error {}
}
