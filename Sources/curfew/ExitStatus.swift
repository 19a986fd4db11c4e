// Exit codes, the same for every command and every version, and the error that carries one.

/// The codes follow BSD's sysexits where those have one.
enum ExitStatus: Int32, Error {
    case done = 0
    case refused = 1
    case usage = 64
    case unavailable = 69
    case `internal` = 70

    static let help = """
        Exit codes: 0 done; 1 refused, or the session is not active; 64 wrong usage or configuration; \
        69 unavailable (no node, no Redis, or a revoke still pending); 70 internal error.
        """
}

/// Ends the command: one line for standard error, where there is something to say, and the exit code.
struct CommandFailure: Error {
    let status: ExitStatus
    let line: String
    /// A proxy before the node says so (502, 504): it may be there again in a moment.
    let isGateway: Bool

    init(_ status: ExitStatus, _ line: String = "", isGateway: Bool = false) {
        self.status = status
        self.line = line
        self.isGateway = isGateway
    }
}
