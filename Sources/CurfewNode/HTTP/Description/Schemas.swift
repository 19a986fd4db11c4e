// The JSON Schemas of what goes in and comes out, by name. `nullable` is a type list, as JSON Schema 2020-12 has it.

enum Schemas {
    static let all: [(name: String, json: String)] = requests + answers

    private static func object(_ required: [String], _ properties: [(String, String)], isOpen: Bool = true) -> String {
        let names = required.map { "\"\($0)\"" }.joined(separator: ",")
        let members = properties.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",")
        let closed = isOpen ? "" : #","additionalProperties":false"#
        return #"{"type":"object","required":["# + names + #"],"properties":{"# + members + "}" + closed + "}"
    }

    private static func reference(_ name: String) -> String { ##"{"$ref":"#/components/schemas/\##(name)"}"## }
    private static func list(of schema: String, maximum: Int? = nil) -> String {
        #"{"type":"array","items":"# + schema + (maximum.map { #","maxItems":\#($0)"# } ?? "") + "}"
    }

    private static let text = #"{"type":"string"}"#
    private static let optionalText = #"{"type":["string","null"]}"#
    private static let identifier = #"{"type":"string","minLength":1,"maxLength":128}"#
    private static let time = #"{"type":"string","format":"date-time"}"#
    private static let integer = #"{"type":"integer"}"#
    private static let flag = #"{"type":"boolean"}"#
    private static let kind = #"{"type":"string","enum":["web","remember","api"]}"#
    private static let permissions = list(
        of: ##"{"type":"string","pattern":"^[!#-+\\--\\[\\]-~]{1,128}$"}"##, maximum: 256)
    private static func text(upTo maximum: Int) -> String { #"{"type":"string","maxLength":\#(maximum)}"# }

    private static let changeOptions = changeOptions(reason: "admin")

    private static func changeOptions(reason: String) -> [(String, String)] {
        RouteTable.changeParameters(reason: reason).map { ($0.name, $0.schema) }
    }

    private static let requests: [(name: String, json: String)] = [
        (
            "IssueRequest",
            object(
                ["userId"],
                [
                    ("userId", identifier), ("deviceId", identifier), ("tenantId", identifier), ("kind", kind),
                    ("permissions", permissions), ("state", text), ("replaces", text),
                    (
                        "device",
                        object([], [("name", text(upTo: 128)), ("platform", text(upTo: 128))], isOpen: false)
                    ),
                    ("ipAddress", text(upTo: 64)), ("location", text(upTo: 128)), ("userAgent", text(upTo: 512)),
                    ("fingerprint", text(upTo: 256)),
                    ("authMethods", list(of: text(upTo: 32), maximum: 16)), ("attributes", #"{"type":"object"}"#),
                    ("afterLockout", flag),
                ], isOpen: false)
        ),
        (
            "AuthenticationFailure",
            object(
                [],
                [
                    ("userId", identifier), ("ipAddress", text(upTo: 64)), ("deviceId", identifier),
                    ("userAgent", text(upTo: 512)),
                ], isOpen: false)
        ),
        (
            "LogoutRequest",
            object(
                [],
                [("scope", #"{"type":"string","enum":["current","others","device","all"],"default":"current"}"#)]
                    + changeOptions(reason: "logout"), isOpen: false)
        ),
        (
            "StateRequest",
            object(
                [], [("ttl", #"{"type":"string","default":"10m"}"#), ("data", #"{"type":"object"}"#)], isOpen: false)
        ),
        (
            "SessionPatch",
            object(
                [],
                [
                    (
                        "device",
                        object([], [("name", optionalText), ("platform", optionalText)], isOpen: false)
                    ), ("attributes", #"{"type":["object","null"]}"#),
                ], isOpen: false)
        ),
        (
            "RotateRequest",
            object(
                [],
                [
                    ("grace", text), ("authenticatedAt", time), ("permissions", permissions),
                    ("authMethods", list(of: text(upTo: 32), maximum: 16)),
                ], isOpen: false)
        ),
        ("ConsumeRequest", object(["state"], [("state", text)], isOpen: false)),
        ("RefreshRequest", object([], [("refreshToken", text)], isOpen: false)),
        ("TokenRequest", object(["token"], [("token", text)], isOpen: false)),
        ("TokenForm", object(["token"], [("token", text), ("token_type_hint", text)])),
        ("TokensRequest", object(["tokens"], [("tokens", list(of: text, maximum: 1000))], isOpen: false)),
        (
            "RevokeRequest",
            object(
                [],
                [
                    ("sessionId", text), ("token", text), ("userId", identifier), ("exceptSessionId", text),
                    ("deviceId", identifier), ("tenantId", identifier), ("everyone", #"{"const":true}"#),
                ] + changeOptions, isOpen: false)
        ),
        (
            "PermissionsRequest",
            object(["permissions"], [("permissions", permissions)] + changeOptions, isOpen: false)
        ),
    ]

    private static let answers: [(name: String, json: String)] = [
        ("CrossSiteToken", object(["csrfToken"], [("csrfToken", text)])),
        ("Health", object(["status"], [("status", text), ("detail", text)])),
        ("State", object(["state", "expiresAt"], [("state", text), ("expiresAt", time)])),
        (
            "AuthenticationFailures",
            object(
                ["failures", "locked", "retryAfterSeconds"],
                [("failures", integer), ("locked", flag), ("retryAfterSeconds", integer)])
        ),
        ("StateData", object(["data"], [("data", #"{"type":"object"}"#)])),
        ("Description", #"{"type":"object"}"#),
        (
            "KeySet",
            object(
                ["keys"],
                [
                    (
                        "keys",
                        list(
                            of: object(
                                ["kty", "crv", "x", "kid", "alg", "use"],
                                ["kty", "crv", "x", "y", "kid", "alg", "use"].map { ($0, text) }))
                    )
                ])
        ),
        (
            "Metadata",
            object(
                ["issuer", "jwks_uri", "response_types_supported"],
                [
                    ("issuer", text), ("jwks_uri", text), ("response_types_supported", list(of: text)),
                    ("introspection_endpoint", text), ("introspection_endpoint_auth_methods_supported", list(of: text)),
                    ("revocation_endpoint", text),
                    ("revocation_endpoint_auth_methods_supported", list(of: text)),
                ])
        ),
        ("Active", object(activeFields.map(\.0), activeFields + [("stale", flag)])),
        ("Inactive", object(["active", "code"], [("active", #"{"const":false}"#), ("code", text)])),
        ("Verdict", #"{"oneOf":["# + reference("Active") + "," + reference("Inactive") + "]}"),
        ("Verdicts", object(["results"], [("results", list(of: reference("Verdict")))])),
        (
            "Introspection",
            object(
                ["active"],
                [
                    ("active", flag), ("sub", identifier), ("sid", text), ("scope", text), ("exp", integer),
                    ("iat", integer), ("iss", text), ("aud", text), ("token_type", #"{"const":"Bearer"}"#),
                    ("stale", flag),
                ])
        ),
        ("IssuedSession", object(issuedFields.map(\.0), issuedFields)),
        ("Session", object(sessionFields.map(\.0), sessionFields)),
        (
            "SessionPage",
            object(
                ["sessions", "nextCursor"],
                [("sessions", list(of: reference("Session"))), ("nextCursor", optionalText)])
        ),
        ("OwnSession", object(sessionFields.map(\.0) + ["current"], sessionFields + [("current", flag)])),
        (
            "OwnSessionPage",
            object(
                ["sessions", "nextCursor"],
                [("sessions", list(of: reference("OwnSession"))), ("nextCursor", optionalText)])
        ),
        ("Change", change),
        ("Cluster", cluster),
    ]

    private static let activeFields: [(String, String)] = [
        ("active", #"{"const":true}"#), ("sessionId", text), ("userId", identifier), ("deviceId", optionalText),
        ("kind", kind), ("permissions", permissions), ("permissionsVersion", integer), ("issuedAt", time),
        ("expiresAt", time), ("refresh", flag), ("ageMs", integer),
    ]

    private static let issuedFields: [(String, String)] = [
        ("sessionId", text), ("userId", identifier), ("deviceId", optionalText), ("kind", kind),
        ("token", optionalText),
        ("refreshToken", optionalText), ("csrfToken", optionalText), ("issuedAt", time), ("expiresAt", time),
        ("sessionExpiresAt", time),
    ]

    private static let sessionFields: [(String, String)] = [
        ("sessionId", text), ("userId", identifier), ("deviceId", optionalText), ("kind", kind),
        ("permissions", permissions), ("tenantId", optionalText),
        ("device", object(["name", "platform"], [("name", optionalText), ("platform", optionalText)])),
        ("ipAddress", optionalText), ("location", optionalText), ("userAgent", optionalText),
        ("authMethods", list(of: text)), ("attributes", #"{"type":["object","null"]}"#), ("createdAt", time),
        ("lastActiveAt", time), ("expiresAt", time),
    ]

    private static let change = object(
        ["revoked", "fence", "propagation"],
        [
            ("revoked", #"{"type":["integer","null"]}"#), ("fence", text),
            (
                "propagation",
                object(
                    ["state", "nodes", "acknowledged", "elapsedMs"],
                    [
                        ("state", #"{"type":"string","enum":["published","acknowledged","fenced","pending"]}"#),
                        ("nodes", integer), ("acknowledged", integer), ("elapsedMs", #"{"type":"number"}"#),
                    ])
            ), ("durability", object(["replicas"], [("replicas", integer)])), ("permissionsVersion", integer),
        ])

    private static let cluster = object(
        ["nodeId", "version", "stalenessBoundMs", "redis", "nodes", "partitions"],
        [
            ("nodeId", text), ("version", text), ("stalenessBoundMs", integer),
            (
                "redis",
                object(
                    ["address", "connected", "role", "version", "topology", "warnings", "primaries"],
                    [
                        ("address", text), ("connected", flag), ("role", text), ("version", text),
                        ("topology", text), ("warnings", list(of: text)), ("primaries", list(of: clusterPrimary)),
                    ])
            ), ("nodes", list(of: clusterNode)), ("partitions", list(of: clusterPartition)),
        ])

    private static let clusterNode = object(
        ["id", "self", "livePartitions", "lag", "servesStale"],
        [("id", text), ("self", flag), ("livePartitions", integer), ("lag", integer), ("servesStale", flag)])

    private static let clusterPrimary = object(
        ["address", "connected", "role", "version", "partitions"],
        [
            ("address", text), ("connected", flag), ("role", text), ("version", text),
            ("partitions", list(of: integer)),
        ])

    private static let clusterPartition = object(
        ["partition", "seq", "head", "fresh", "ageMs", "detail", "tombstones", "phase"],
        [
            ("partition", integer), ("seq", integer), ("head", integer), ("fresh", flag),
            ("ageMs", #"{"type":["integer","null"]}"#), ("detail", optionalText), ("tombstones", integer),
            ("phase", text),
        ])
}
