// Every metric of a node, in one table: name, type, label, help, buckets. The registry reads it, and a test compares docs/operations.md
// with it. Label values come from closed lists; what is not on one is `other`.

/// One row a family.
enum Metric: String, CaseIterable, Sendable {
    case sessionsActive = "curfew_sessions_active"
    case sessionRenewals = "curfew_session_renewals_total"
    case authenticationFailures = "curfew_authentication_failures_total"
    case sessionExpirations = "curfew_session_expirations_total"
    case sessionDuration = "curfew_session_duration_seconds"
    case validations = "curfew_validations_total"
    case validationSeconds = "curfew_validation_seconds"
    case revocations = "curfew_revocations_total"
    case propagationSeconds = "curfew_propagation_seconds"
    case partitionStaleness = "curfew_partition_staleness_seconds"
    case revocationEntries = "curfew_revocation_entries"
    case redisCommandSeconds = "curfew_redis_command_seconds"
    case redisReconnects = "curfew_redis_reconnects_total"
    case redisErrors = "curfew_redis_errors_total"
    case eventStreams = "curfew_event_streams"
    case problems = "curfew_problems_total"
    case auditDropped = "curfew_audit_dropped_total"
    case ready = "curfew_ready"

    enum Kind: String, Sendable { case counter, gauge, histogram }

    var kind: Kind { row.kind }
    /// The one label that it has, if any.
    var label: String? { row.label }
    var help: String { row.help }
    var buckets: [Double] {
        switch self {
        case .sessionDuration:
            [60, 300, 900, 3_600, 14_400, 43_200, 86_400, 259_200, 604_800, 2_592_000, 7_776_000, 15_552_000]
        case .validationSeconds:
            [0.000_002, 0.000_005, 0.000_01, 0.000_02, 0.000_05, 0.000_1, 0.000_5, 0.001, 0.01, 0.1, 1]
        case .propagationSeconds, .redisCommandSeconds:
            [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]
        case .sessionsActive, .sessionRenewals, .authenticationFailures, .sessionExpirations, .validations,
            .revocations,
            .partitionStaleness, .revocationEntries, .redisReconnects, .redisErrors, .eventStreams, .problems,
            .auditDropped, .ready:
            []
        }
    }

    private var row: (kind: Kind, label: String?, help: String) {
        switch self {
        case .sessionsActive:
            (
                .gauge, nil,
                "Live sessions of the whole cluster, counted in Redis every 5 s: take the maximum over nodes, not the sum. Sessions that a tenant's or everyone's revocation ended count until their own end. Absent while Redis can't be asked."
            )
        case .sessionRenewals: (.counter, nil, "Sessions that this node renewed.")
        case .authenticationFailures: (.counter, nil, "Failed logins that were reported to this node.")
        case .sessionExpirations: (.counter, nil, "Sessions, idle or over age, that this node ended.")
        case .sessionDuration:
            (
                .histogram, nil,
                "From a session's login to its end, of those that this node ended and whose beginning it knew."
            )
        case .validations:
            (.counter, "result", "Verdicts on tokens: active, the code of a refusal, or unavailable (503).")
        case .validationSeconds:
            (.histogram, nil, "What a verdict of active from memory takes, of one in 64.")
        case .revocations: (.counter, "reason", "Revocations that this node carried out, whatever they ended.")
        case .propagationSeconds:
            (
                .histogram, nil,
                "From a change's arrival at this node until every node enforced it, of those that waited for the cluster; this node's clock alone."
            )
        case .partitionStaleness:
            (.gauge, "partition", "How old the revocation state of a partition may be; +Inf before it is known.")
        case .revocationEntries: (.gauge, nil, "Tombstones, cutoffs and permission changes in this node's memory.")
        case .redisCommandSeconds: (.histogram, nil, "From a call to Redis until its answer, one value a round trip.")
        case .redisReconnects: (.counter, nil, "Command connections to Redis that took the place of one before.")
        case .redisErrors:
            (
                .counter, "kind",
                "Calls to Redis that failed (server: error replies), and connections that could not be made."
            )
        case .eventStreams: (.gauge, nil, "Devices that listen for events at this node.")
        case .problems: (.counter, "code", "Refusals and failures by code, without those of validate's fast path.")
        case .auditDropped:
            (
                .counter, nil,
                "Entries of the audit log that were dropped, since standard output or Redis did not take them."
            )
        case .ready: (.gauge, nil, "1 while this node is ready, else 0.")
        }
    }
}
