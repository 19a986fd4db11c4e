// What the verdict is measured against: HMAC-SHA256 of the same bytes and nothing else, once from copies of the
// prepared SHA-256 states, once the way of OpenSSL's own HMAC context that is initialised again for each message.

import COpenSSL

/// Copies of the states after the two pads.
struct BareHMAC {
    private var inner = SHA256_CTX()
    private var outer = SHA256_CTX()

    init(secret: [UInt8]) {
        let block = secret + [UInt8](repeating: 0, count: 64 - secret.count)
        SHA256_Init(&inner)
        SHA256_Update(&inner, block.map { $0 ^ 0x36 }, 64)
        SHA256_Init(&outer)
        SHA256_Update(&outer, block.map { $0 ^ 0x5c }, 64)
    }

    func authenticate(_ message: UnsafeRawBufferPointer, into code: UnsafeMutablePointer<UInt8>) {
        var state = inner
        SHA256_Update(&state, message.baseAddress, message.count)
        SHA256_Final(code, &state)
        state = outer
        SHA256_Update(&state, code, 32)
        SHA256_Final(code, &state)
    }
}

/// One HMAC_CTX, keyed once.
struct ReinitialisedHMAC {
    private let context = HMAC_CTX_new()

    init(secret: [UInt8]) { HMAC_Init_ex(context, secret, Int32(secret.count), EVP_sha256(), nil) }

    func authenticate(_ message: UnsafeRawBufferPointer, into code: UnsafeMutablePointer<UInt8>) {
        var length: UInt32 = 0
        HMAC_Init_ex(context, nil, 0, nil, nil)
        HMAC_Update(context, message.baseAddress?.assumingMemoryBound(to: UInt8.self), message.count)
        HMAC_Final(context, code, &length)
    }
}
