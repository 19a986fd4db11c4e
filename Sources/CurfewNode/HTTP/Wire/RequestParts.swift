// A scanned head as the framework's request type. The scanner has held every name and value to its syntax already, so
// nothing is dropped or changed on the way; `Host` moves to the authority, where the type keeps it.

import HTTPTypes

extension HTTPRequest {
    /// `nil` for what the type can't hold, which no scanned head is known to be.
    init?(_ head: RequestHead, in bytes: UnsafeRawBufferPointer) {
        func text(_ span: ByteSpan) -> String { String(decoding: span.bytes(in: bytes), as: UTF8.self) }
        guard let method = HTTPRequest.Method(text(head.method)) else { return nil }
        var fields = HTTPFields()
        fields.reserveCapacity(16)
        var isComplete = true
        head.forEachField(in: bytes) { name, value in
            if name.equalsIgnoringCase("host") { return }
            guard let name = HTTPField.Name(String(decoding: name, as: UTF8.self)) else {
                isComplete = false
                return
            }
            fields.append(HTTPField(name: name, value: String(decoding: value, as: UTF8.self)))
        }
        guard isComplete else { return nil }
        self.init(
            method: method, scheme: "http", authority: head.host.map(text), path: text(head.target),
            headerFields: fields)
    }
}
