// How many connections the process may have at all. Each is an open file, the usual soft limit of 1,024 is far below what a
// listener takes, and a node that runs out of files can't even accept a health check; so the limit is raised as far as
// the system lets it, and the listeners take no more than fits.

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

enum OpenFiles {
    /// For Redis, logs, event loops and whatever else is no client.
    private static let reserve = 128

    /// Raises the soft limit to the hard one; how many files may be open then.
    static func raiseLimit() -> Int {
        #if canImport(Glibc)
            let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        #else
            let resource = RLIMIT_NOFILE
        #endif
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0 else { return Int(Int32.max) }
        if limit.rlim_cur < limit.rlim_max {
            var raised = limit
            raised.rlim_cur = limit.rlim_max
            if setrlimit(resource, &raised) == 0 { limit = raised }
        }
        return Int(clamping: limit.rlim_cur)
    }

    /// Connections that a listener can have at once under a limit, besides those that it only tells to go. Three quarters of the files are
    /// for the public one, which has the devices.
    static func connections(of kind: ListenerKind, limit: Int) -> Int {
        let files = max(0, limit - reserve)
        let share =
            switch kind {
            case .public: files - files / 4
            case .admin: files / 4
            }
        return max(1, share - min(ListenerConnections.refusalsAtOnce, share / 10))
    }
}
