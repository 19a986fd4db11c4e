// Malformed bodies of the admin calls, as data. An unknown member is a typo and never ignored; a value of the wrong type or
// outside its bounds is named; nothing is guessed.

import TestSupport

enum BadBodies {
    static func all(key: String) -> [BadRequest] {
        json(key) + issue(key) + revoke(key) + others(key)
    }

    private static func table(
        _ path: String, _ key: String, _ status: Int, _ codes: Set<String>, _ rows: KeyValuePairs<String, String>
    ) -> [BadRequest] {
        rows.map { name, body in
            BadRequest(
                name: "\(path): \(name)", listener: .admin, bytes: GoodRequest(path, key: key, body: body).bytes,
                status: status, codes: codes)
        }
    }

    /// What is no JSON object, whole and alone.
    private static func json(_ key: String) -> [BadRequest] {
        var bad = table(
            "/v1/issue", key, 400, ["malformed_request"],
            [
                "no body": "", "an array": "[]", "a string": "\"u_1\"", "null": "null", "a number": "1",
                "half an object": "{\"userId\":\"u_1\"", "something behind it": "{\"userId\":\"u_1\"}x",
                "two objects": "{\"userId\":\"u_1\"}{}", "a member twice": "{\"userId\":\"u_1\",\"userId\":\"u_2\"}",
                "a member twice, once escaped": "{\"userId\":\"u_1\",\"user\\u0049d\":\"u_2\"}",
                "names without quotes": "{userId:\"u_1\"}", "single quotes": "{'userId':'u_1'}",
                "a comment": "{\"userId\":\"u_1\"/* */}", "a comma too many": "{\"userId\":\"u_1\",}",
                "a line feed in a string": "{\"userId\":\"u\n1\"}", "half a surrogate": "{\"userId\":\"\\ud800\"}",
                "an unknown escape": "{\"userId\":\"\\x41\"}", "not a number": "{\"userId\":NaN}",
                "a byte order mark": "\u{feff}{\"userId\":\"u_1\"}",
                "ten thousand brackets": String(repeating: "[", count: 10_000),
                "deep attributes": "{\"userId\":\"u_1\",\"attributes\":"
                    + String(repeating: "{\"a\":", count: 500) + "1" + String(repeating: "}", count: 501),
            ])
        var invalid = GoodRequest("/v1/issue", key: key, body: "{\"userId\":\"?\"}").bytes
        if let place = invalid.lastIndex(of: UInt8(ascii: "?")) { invalid[place] = 0xff }
        bad.append(
            BadRequest(
                name: "/v1/issue: a string that is no UTF-8", listener: .admin, bytes: invalid, status: 400,
                codes: ["malformed_request"]))
        for type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"] {
            bad.append(
                GoodRequest("/v1/issue", key: key, body: "{\"userId\":\"u_1\"}")
                    .bad("/v1/issue: content type \(type)", 415, "unsupported_media_type") {
                        $0.fields[2] = "Content-Type: \(type)"
                    })
        }
        return bad
    }

    private static func issue(_ key: String) -> [BadRequest] {
        let many = (0..<257).map { "\"p\($0)\"" }.joined(separator: ",")
        func long(_ count: Int) -> String { String(repeating: "a", count: count) }
        return table(
            "/v1/issue", key, 400, ["malformed_request"],
            [
                "no user": "{}", "a user as a number": "{\"userId\":42}", "a user as null": "{\"userId\":null}",
                "a user as a list": "{\"userId\":[\"u_1\"]}", "a kind as a number": "{\"userId\":\"u_1\",\"kind\":1}",
                "permissions as a string": "{\"userId\":\"u_1\",\"permissions\":\"a\"}",
                "a permission as a number": "{\"userId\":\"u_1\",\"permissions\":[1]}",
                "attributes as a list": "{\"userId\":\"u_1\",\"attributes\":[]}",
                "a device as a string": "{\"userId\":\"u_1\",\"device\":\"phone\"}",
            ])
            + table(
                "/v1/issue", key, 400, ["unknown_field"],
                [
                    "an unknown member": "{\"userId\":\"u_1\",\"colour\":\"red\"}",
                    "a member in small letters": "{\"userId\":\"u_1\",\"deviceid\":\"d\"}",
                    "an unknown member of the device": "{\"userId\":\"u_1\",\"device\":{\"colour\":\"red\"}}",
                ])
            + table(
                "/v1/issue", key, 400, ["value_out_of_range"],
                [
                    "an empty user": "{\"userId\":\"\"}", "a user of 129 bytes": "{\"userId\":\"\(long(129))\"}",
                    "a user of 128 letters in 256 bytes": "{\"userId\":\"\(String(repeating: "ø", count: 128))\"}",
                    "a user with a control": "{\"userId\":\"a\\u0001b\"}",
                    "a user with NUL": "{\"userId\":\"a\\u0000b\"}",
                    "a user with DEL": "{\"userId\":\"a\\u007fb\"}",
                    "a user with a C1 control": "{\"userId\":\"a\\u0085b\"}",
                    "an empty device": "{\"userId\":\"u_1\",\"deviceId\":\"\"}",
                    "a tenant of 129 bytes": "{\"userId\":\"u_1\",\"tenantId\":\"\(long(129))\"}",
                    "an unknown kind": "{\"userId\":\"u_1\",\"kind\":\"eternal\"}",
                    "257 permissions": "{\"userId\":\"u_1\",\"permissions\":[\(many)]}",
                    "a permission with a space": "{\"userId\":\"u_1\",\"permissions\":[\"a b\"]}",
                    "a permission with a comma": "{\"userId\":\"u_1\",\"permissions\":[\"a,b\"]}",
                    "a permission with a quote": "{\"userId\":\"u_1\",\"permissions\":[\"a\\\"b\"]}",
                    "a permission beyond ASCII": "{\"userId\":\"u_1\",\"permissions\":[\"lesen:über\"]}",
                    "a permission of 129 bytes": "{\"userId\":\"u_1\",\"permissions\":[\"\(long(129))\"]}",
                    "attributes of 5 KiB": "{\"userId\":\"u_1\",\"attributes\":{\"a\":\"\(long(5 * 1024))\"}}",
                ])
    }

    private static func revoke(_ key: String) -> [BadRequest] {
        table(
            "/v1/revoke", key, 400, ["malformed_request", "value_out_of_range"],
            [
                "no target": "{}", "a reason alone": "{\"reason\":\"admin\"}",
                "two targets": "{\"userId\":\"u_1\",\"tenantId\":\"t\"}",
                "a user and everyone": "{\"userId\":\"u_1\",\"everyone\":true}",
                "a user, a device and an exception":
                    "{\"userId\":\"u_1\",\"deviceId\":\"d\",\"exceptSessionId\":\"ses_\(String(repeating: "0", count: 24))\"}",
                "a device of nobody": "{\"deviceId\":\"d\"}",
                "an exception of nobody": "{\"exceptSessionId\":\"ses_1\"}",
                "everyone: false": "{\"everyone\":false}", "everyone as a string": "{\"everyone\":\"true\"}",
                "a session id that is none": "{\"sessionId\":\"nonsense\"}",
                "an unknown wait": "{\"userId\":\"u_1\",\"wait\":\"always\"}",
                "a wait as a flag": "{\"userId\":\"u_1\",\"wait\":true}",
                "a negative timeout": "{\"userId\":\"u_1\",\"wait\":\"cluster\",\"timeoutMs\":-1}",
                "a timeout as a string": "{\"userId\":\"u_1\",\"wait\":\"cluster\",\"timeoutMs\":\"5\"}",
                "half a millisecond": "{\"userId\":\"u_1\",\"wait\":\"cluster\",\"timeoutMs\":0.5}",
                "an endless timeout": "{\"userId\":\"u_1\",\"wait\":\"cluster\",\"timeoutMs\":1e30}",
                "an unknown durability": "{\"userId\":\"u_1\",\"durability\":\"disk\"}",
                "a reason of 65 bytes": "{\"userId\":\"u_1\",\"reason\":\"\(String(repeating: "r", count: 65))\"}",
                "a reason with a tab": "{\"userId\":\"u_1\",\"reason\":\"a\\tb\"}",
            ])
            + table(
                "/v1/revoke", key, 400, ["unknown_field"],
                [
                    "a misspelt target": "{\"userId\":\"u_1\",\"deviceID\":\"d\"}",
                    "an unknown member": "{\"userId\":\"u_1\",\"force\":true}",
                ])
    }

    private static func others(_ key: String) -> [BadRequest] {
        let many = [String](repeating: "\"a.b.c\"", count: 1_001).joined(separator: ",")
        var bad = table(
            "/v1/validate", key, 400, ["malformed_request"], ["no token": "{}", "a token as a number": "{\"token\":1}"])
        bad += table(
            "/v1/validate/batch", key, 400, ["malformed_request", "value_out_of_range"],
            [
                "no tokens": "{}", "tokens as a string": "{\"tokens\":\"a\"}", "a token as null": "{\"tokens\":[null]}",
                "1,001 tokens": "{\"tokens\":[\(many)]}",
            ])
        let permissions = table(
            "/v1/users/u_1/permissions", key, 400, ["malformed_request", "value_out_of_range"],
            [
                "no permissions": "{}", "permissions as an object": "{\"permissions\":{}}",
                "an empty permission": "{\"permissions\":[\"\"]}",
                "an unknown wait": "{\"permissions\":[],\"wait\":\"ever\"}",
            ])
        return bad
            + permissions.map {
                BadRequest(
                    name: $0.name, listener: .admin,
                    bytes: Array(String(decoding: $0.bytes, as: UTF8.self).replacing("POST", with: "PUT").utf8),
                    status: 400, codes: $0.codes)
            }
    }
}
