// Errors of sockets, name resolution and TLS as one short line for a log. They hold hosts and ports, never credentials.

import NIOCore
import NIOPosix
import NIOSSL

enum ConnectFailure {
    /// Longest text taken over from a library, in characters.
    static let maximumLength = 200

    static func text(of error: any Error) -> String {
        switch error {
        case let error as RedisError: return reason(of: error)
        case let error as NIOConnectionError: return text(of: error)
        case ChannelError.connectTimeout: return "no connection in time"
        case is CancellationError: return "stopped"
        case let error as IOError: return systemText(error)
        case let error as NIOSSLExtraError where error == .failedToValidateHostname:
            return "TLS: the certificate is not for this host"
        case NIOSSLError.uncleanShutdown: return "the server closed the connection"
        default:
            let text = String(describing: error)
            if text.contains("CERTIFICATE_VERIFY_FAILED") {
                return "TLS: the certificate is not signed by a trusted authority"
            }
            return String(text.prefix(maximumLength).map { $0.isNewline ? " " : $0 })
        }
    }

    /// The reason inside an error, without the operation.
    static func reason(of error: RedisError) -> String {
        switch error {
        case .unavailable(_, let reason), .closed(_, let reason): reason
        case .timeout(let operation): "no answer to \(operation) in time"
        case .server(let operation, let message), .unproven(let operation, let message): "\(operation): \(message)"
        case .overloaded, .unexpectedReply: String(describing: error)
        }
    }

    private static func text(of error: NIOConnectionError) -> String {
        if let first = error.connectionErrors.first { return text(of: first.error) }
        return "the host \(error.host) is not known"
    }

    private static func systemText(_ error: IOError) -> String {
        String(error.description.prefix(maximumLength))
    }
}
