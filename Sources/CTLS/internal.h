#ifndef WEIR_CTLS_INTERNAL_H
#define WEIR_CTLS_INTERNAL_H

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "CTLS.h"

// A chain with its key.
struct weir_tls_entry {
    X509 *leaf;
    EVP_PKEY *key;
    STACK_OF(X509) * chain;
};

// A name of a leaf, in lower case, and its entry.
struct weir_tls_name {
    char *text;
    uint32_t entry;
};

struct weir_tls_certificates {
    struct weir_tls_entry *entries;
    size_t count;
    // Sorted by their text, then by the order of the entries.
    struct weir_tls_name *names;
    size_t name_count;
};

struct weir_tls_context {
    SSL_CTX *ssl;
    // The protocols that a server offers, as on the wire.
    uint8_t *protocols;
    uint32_t protocols_length;
    // Names that clients may ask for, or every one.
    char **names;
    uint32_t name_count;
    // The fingerprints of the certificates that clients may have, one behind the other; NULL for no such bound.
    uint8_t *pins;
    uint32_t pin_count;
    // The time until the first repetition of a flight of DTLS.
    uint32_t repetition_us;
    int verifies;
};

enum {
    // The socket had no more bytes (EAGAIN).
    FLAG_EMPTIED = 1,
    // The budget of a call is spent.
    FLAG_SPENT = 2,
    // The peer has sent FIN.
    FLAG_FIN = 4,
    // FIN came without close_notify.
    FLAG_TRUNCATED = 8,
    // FIN is to follow the output.
    FLAG_FINISHING = 16,
    // The client asked for a name that is not of the route.
    FLAG_NAME_REFUSED = 32,
    // A protocol error: OpenSSL must not be called any more.
    FLAG_DEAD = 64,
    // A byte has arrived.
    FLAG_USED = 128,
    // A read was short: the socket is empty, unless the peer's end waits behind it.
    FLAG_SHORT = 256,
    // OpenSSL has asked for bytes that are not there.
    FLAG_STARVED = 512,
    // The peer has sent more records in a row that give nothing than any use has.
    FLAG_FLOODED = 1024,
};

struct weir_tls {
    SSL *ssl;
    weir_tls_context *context;
    const weir_tls_certificates *certificates;
    weir_tls_sessions *sessions;
    // Output that the socket did not accept.
    uint8_t *output;
    uint32_t output_start;
    uint32_t output_end;
    uint32_t output_size;
    // The name that the client must ask for, empty for none; NULL where it does not matter, and after the handshake.
    char *expected_name;
    // The descriptor, during a call.
    int descriptor;
    // The bytes that this call has read.
    uint32_t input_count;
    // The error number of a failed system call; 0 for none.
    int error;
    uint16_t flags;
    uint8_t failure;
    // Whether the handshake is over.
    uint8_t is_shaken;
    // The number of the fatal alert that ended the connection; 0 for none.
    uint8_t alert;
    // The records that have come since the last byte of data.
    uint8_t idle_records;
};

enum {
    // No key or signature of less than 112 bits: RSA of 2048 bits, and no SHA-1 (SSL_CTX_set_security_level(3)).
    SECURITY_LEVEL = 2,
};

BIO *weir_tls_bio_new(weir_tls *tls);
// Sets the name that the server must have, and that it is asked for. False after an error.
int weir_tls_set_peer(weir_tls *tls, const char *name, int is_address);
// Notes why OpenSSL has ended a connection, which is over then. Returns the outcome of its handshake.
int weir_tls_note_failure(weir_tls *tls);
int weir_tls_tickets_install(SSL_CTX *context);
// Whether the peer's certificate of a session has ended since; without one it has not.
int weir_tls_has_ended(const SSL_SESSION *session);
void weir_tls_sessions_put(weir_tls_sessions *sessions, SSL_SESSION *session);
SSL_SESSION *weir_tls_sessions_take(weir_tls_sessions *sessions);
// The name's entries are used for the connection; without one the default. False after an error.
int weir_tls_use_certificate(SSL *ssl, const weir_tls_certificates *set, const char *name);
STACK_OF(X509) * weir_tls_read_certificates(const void *bytes, size_t length, int *outcome);
// The private key in PEM; NULL where there is none that can be read, as the outcome says. Asks for no password.
EVP_PKEY *weir_tls_read_key(const void *bytes, size_t length, int *outcome);

static inline void weir_tls_clear_errors(void) {
    // Cheaper than to clear an empty queue.
    if (ERR_peek_error() != 0) ERR_clear_error();
}

// Writes the fingerprint of a certificate. False without one, and where it cannot be made.
static inline int weir_tls_digest(const X509 *certificate, uint8_t digest[WEIR_TLS_DIGEST_LENGTH]) {
    uint8_t all[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    if (!certificate || X509_digest(certificate, EVP_sha256(), all, &length) != 1) return 0;
    if (length != WEIR_TLS_DIGEST_LENGTH) return 0;
    memcpy(digest, all, WEIR_TLS_DIGEST_LENGTH);
    return 1;
}

#endif
