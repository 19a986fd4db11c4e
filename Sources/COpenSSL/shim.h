// libcrypto: SHA-256 with a copyable context, HMAC, constant-time compare and random bytes.
// The low-level SHA-256 calls are marked deprecated in 3.x; docs/adr/0002 says why they are used.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
