// OpenSSL over plain integers and pointers. No function blocks or prompts, each leaves the thread's error queue empty,
// and none keeps a pointer to the caller's bytes.
//
// The bodies are there in builds with the package trait TLS alone.
#ifndef WEIR_CTLS_H
#define WEIR_CTLS_H

#include <stddef.h>
#include <stdint.h>

// Certificates with their keys, which a server chooses from by the client's server name. Immutable once it is used;
// then shared by threads.
typedef struct weir_tls_certificates weir_tls_certificates;
// The settings of one side: an SSL_CTX. Immutable once it is used; then shared by threads.
typedef struct weir_tls_context weir_tls_context;
// Sessions that a client may resume with one server. Shared by threads.
typedef struct weir_tls_sessions weir_tls_sessions;
// One connection. Confined to a thread.
typedef struct weir_tls weir_tls;

// MARK: Certificates

// The length of a certificate's fingerprint, its SHA-256.
enum { WEIR_TLS_DIGEST_LENGTH = 32 };

// The fault of a file.
enum {
    WEIR_TLS_LOADED = 0,
    // There is no certificate in it.
    WEIR_TLS_NO_CERTIFICATE,
    // A certificate in it cannot be read.
    WEIR_TLS_BAD_CERTIFICATE,
    // There is no private key in it.
    WEIR_TLS_NO_KEY,
    // The private key cannot be read.
    WEIR_TLS_BAD_KEY,
    // The private key is encrypted.
    WEIR_TLS_ENCRYPTED_KEY,
    // The key is that of no certificate in the file.
    WEIR_TLS_MISMATCH,
    // The key is that of a certificate which is not the first.
    WEIR_TLS_LEAF_NOT_FIRST,
    // There are certificates of authorities alone, of which none has the key.
    WEIR_TLS_NO_LEAF,
    // OpenSSL refuses the certificate: its key is too short, or its signature too weak.
    WEIR_TLS_REFUSED,
    // There is no memory.
    WEIR_TLS_NO_MEMORY,
};

// An empty set, or NULL without memory.
weir_tls_certificates *weir_tls_certificates_new(void);
void weir_tls_certificates_free(weir_tls_certificates *set);
// Adds a chain, leaf first, with its key, both PEM. Returns one of the above. The first one is the default.
int weir_tls_certificates_add(
    weir_tls_certificates *set, const void *chain, size_t chain_length, const void *key, size_t key_length);
// When the leaf ends, in seconds since 1970; 0 where there is no such certificate.
int64_t weir_tls_certificates_expiry(const weir_tls_certificates *set, size_t index);
// Writes the names of a leaf (DNS and IP), separated by commas, as far as they fit, with a NUL. Returns the length.
size_t weir_tls_certificates_names(const weir_tls_certificates *set, size_t index, char *text, size_t size);
// Whether the bytes are certificates alone that can be trusted: one of the above.
int weir_tls_check_authorities(const void *bytes, size_t length);

// The kinds of certificates that can be made.
enum {
    // An authority, which has signed itself.
    WEIR_TLS_AUTHORITY = 0,
    WEIR_TLS_SERVER,
    WEIR_TLS_CLIENT,
};

// The room for a certificate or a key in PEM, with its NUL.
enum { WEIR_TLS_PEM_SIZE = 4096 };

// Makes a P-256 key and its certificate, both PEM with a NUL, which ends after some days and no later than that of the
// authority that signs it. `names` are alternative names as OpenSSL writes them, such as `DNS:a.example.net,URI:urn:x`;
// an authority has none, and no authority. False where the authority cannot be read or does not fit its key, or without
// memory.
int weir_tls_make_certificate(
    int kind, const char *common_name, const char *names, int days, const void *authority, size_t authority_length,
    const void *authority_key, size_t authority_key_length, char certificate[WEIR_TLS_PEM_SIZE],
    char key[WEIR_TLS_PEM_SIZE]);
// Writes the fingerprint of the first certificate in PEM. False where there is none.
int weir_tls_fingerprint(const void *bytes, size_t length, uint8_t digest[WEIR_TLS_DIGEST_LENGTH]);
// The number of certificates in PEM, and whether the first has an elliptic key. -1 where they cannot be read.
int weir_tls_describe(const void *bytes, size_t length, int *is_elliptic);

// MARK: Contexts

enum {
    WEIR_TLS_1_2 = 0x0303,
    WEIR_TLS_1_3 = 0x0304,
};

// A context of a server, or NULL without memory. With the certificates of authorities, clients are asked for one of
// theirs, and with `demand` they must have one; with pins, fingerprints one behind the other, it must be one of these.
// `protocols` is a list of ALPN protocols in the form of the wire (RFC 7301), perhaps empty.
weir_tls_context *weir_tls_server_new(
    int minimum, const void *authorities, size_t authorities_length, int demand, const uint8_t *protocols,
    size_t protocols_length, const uint8_t *pins, size_t pin_count);
// Adds a name, or `*.` before one, that clients may ask for. Without one every name may be asked for. False without
// memory.
int weir_tls_server_allow_name(weir_tls_context *context, const char *name, size_t length);
// A context of a client, or NULL without memory. Without authorities it trusts those of the system. Without `verify` it
// trusts every server. The first certificate of `own`, which may be NULL, is shown to servers that ask.
weir_tls_context *weir_tls_client_new(
    int minimum, int verify, const void *authorities, size_t authorities_length, const weir_tls_certificates *own,
    const uint8_t *protocols, size_t protocols_length);
void weir_tls_context_free(weir_tls_context *context);

weir_tls_sessions *weir_tls_sessions_new(void);
void weir_tls_sessions_free(weir_tls_sessions *sessions);

// Changes the keys of session tickets where it is time, and forgets one that opens nothing any more. `now` is in
// seconds since any moment. Without calls the first key stays.
void weir_tls_tickets_follow(int64_t now);

// MARK: Connections

// A connection of a server, or NULL without memory. The context and the set outlive its handshake, the context also the
// connection.
weir_tls *weir_tls_accept(weir_tls_context *context, const weir_tls_certificates *set);
// A connection of a client, or NULL without memory, or where a server is to be verified that has no name. `name` is the
// server's name, or its address where `is_address`; NULL is none. `sessions` may be NULL, and outlives the connection.
weir_tls *weir_tls_connect(
    weir_tls_context *context, weir_tls_sessions *sessions, const char *name, int is_address);
void weir_tls_free(weir_tls *tls);
// Refuses a client whose hello names another server than this, in lower case; an empty name is none. Before the
// handshake. Without memory every name is another one.
void weir_tls_expect_name(weir_tls *tls, const void *name, size_t length);

// The outcome of a step of a handshake.
enum {
    WEIR_TLS_DONE = 0,
    WEIR_TLS_WAITING,
    WEIR_TLS_YIELDED,
    // weir_tls_failure says why.
    WEIR_TLS_FAILED,
    // The client closed, or reset, before its first byte.
    WEIR_TLS_UNUSED,
    // weir_tls_error says why.
    WEIR_TLS_BROKEN,
};

// The reasons of failed handshakes.
enum {
    WEIR_TLS_FAILURE_NO_CERTIFICATE = 0,
    WEIR_TLS_FAILURE_UNKNOWN_CA,
    WEIR_TLS_FAILURE_EXPIRED,
    WEIR_TLS_FAILURE_NAME,
    WEIR_TLS_FAILURE_VERSION,
    WEIR_TLS_FAILURE_CIPHER,
    WEIR_TLS_FAILURE_ALERT,
    WEIR_TLS_FAILURE_TIMEOUT,
    WEIR_TLS_FAILURE_CLOSED,
    WEIR_TLS_FAILURE_PROTOCOL,
    WEIR_TLS_FAILURE_OTHER,
};

int weir_tls_handshake(weir_tls *tls, int descriptor);
int weir_tls_failure(const weir_tls *tls);
// The number of the fatal alert with which the peer ended the connection (RFC 8446 section 6.2); 0 for none.
int weir_tls_alert(const weir_tls *tls);
// The error number (errno) of the call that broke the connection; of a protocol error EPROTO.
int weir_tls_error(const weir_tls *tls);

enum {
    WEIR_TLS_WOULD_BLOCK = -1,
    WEIR_TLS_END = -2,
    WEIR_TLS_ERROR = -3,
};

// Reads decrypted bytes: their number, 0 where there may be more work, or one of the above.
int64_t weir_tls_receive(weir_tls *tls, int descriptor, void *bytes, size_t length);
// Whether the last read has emptied the socket: the next edge of epoll tells of what follows.
int weir_tls_has_emptied(const weir_tls *tls);
// Whether the end that was read was a FIN without close_notify.
int weir_tls_is_truncated(const weir_tls *tls);
// Encrypts and sends: the number of accepted bytes, or WEIR_TLS_WOULD_BLOCK or WEIR_TLS_ERROR.
int64_t weir_tls_send(weir_tls *tls, int descriptor, const void *bytes, size_t length);
// Sends close_notify, and FIN behind it.
void weir_tls_finish(weir_tls *tls, int descriptor);
int weir_tls_has_output(const weir_tls *tls);
// Writes accepted output. 0, or the error number that ended the connection.
int weir_tls_flush(weir_tls *tls, int descriptor);

// MARK: Associations of DTLS 1.2 (RFC 6347), over datagrams that the caller receives and sends

enum {
    // The bytes that a record adds to its data: a header of 13, a number of 8 and a tag of 16 (RFC 5288).
    WEIR_DTLS_OVERHEAD = 37,
    // The most data that a record has.
    WEIR_DTLS_MAX_DATA = 16384,
};

// A context of a server with the first certificate of `own`, which is shown without its chain, or NULL without memory
// and where OpenSSL refuses the certificate. Clients must have a certificate of the authorities. Protocols and pins are
// those of weir_tls_server_new. The first repetition of a flight comes after `repetition_us`.
weir_tls_context *weir_dtls_server_new(
    uint32_t repetition_us, const void *authorities, size_t authorities_length, const weir_tls_certificates *own,
    const uint8_t *protocols, size_t protocols_length, const uint8_t *pins, size_t pin_count);
// A context of a client, as above. `own` may be NULL.
weir_tls_context *weir_dtls_client_new(
    uint32_t repetition_us, const void *authorities, size_t authorities_length, const weir_tls_certificates *own,
    const uint8_t *protocols, size_t protocols_length);

// The association of a client whose hello, in the datagram, has a cookie that the caller has found valid. NULL without
// memory, and where OpenSSL does not take the hello. The answer is in the output. The context outlives it.
weir_tls *weir_dtls_accept(weir_tls_context *context, const void *hello, size_t length);
// The association with a server, by its name as in weir_tls_connect. The first flight is in the output.
weir_tls *weir_dtls_connect(weir_tls_context *context, const char *name, int is_address);

enum {
    WEIR_DTLS_HANDSHAKING = 0,
    WEIR_DTLS_OPEN,
    // The peer has sent close_notify.
    WEIR_DTLS_ENDED,
    // weir_tls_failure and weir_tls_alert say why.
    WEIR_DTLS_FAILED,
};

int weir_dtls_state(const weir_tls *tls);
// Takes one datagram, and goes on with the handshake. Its data is read with weir_dtls_read.
void weir_dtls_put(weir_tls *tls, const void *datagram, size_t length);
// Reads the data of one record; `length` is at least WEIR_DTLS_MAX_DATA. Its length, which may be 0, or
// WEIR_TLS_WOULD_BLOCK where the datagram has no more of them.
int64_t weir_dtls_read(weir_tls *tls, void *bytes, size_t length);
// Ends the use of the datagram.
void weir_dtls_drop(weir_tls *tls);
// Makes the datagram of one record of data, WEIR_DTLS_OVERHEAD longer: its length, or WEIR_TLS_WOULD_BLOCK where the
// association is not open, or WEIR_TLS_ERROR where there is no data, or too much of it, or no room.
int64_t weir_dtls_send(weir_tls *tls, const void *data, size_t length, void *datagram, size_t size);
// Puts close_notify into the output.
void weir_dtls_finish(weir_tls *tls);
// Takes the oldest datagram of the output: its length, 0 where there is none. One that is longer than `size` is lost.
size_t weir_dtls_take(weir_tls *tls, void *datagram, size_t size);
// The microseconds until weir_dtls_repeat is due; -1 where no flight waits for an answer.
int64_t weir_dtls_timeout(const weir_tls *tls);
// Puts the last flight into the output once more where that is due.
void weir_dtls_repeat(weir_tls *tls);

// The length of an HMAC-SHA256, and of its keys here.
enum { WEIR_TLS_HMAC_LENGTH = 32 };

// Writes the HMAC-SHA256 of a message (RFC 2104). False without memory. Calls of a thread with one key are fast.
int weir_tls_hmac(
    const uint8_t key[WEIR_TLS_HMAC_LENGTH], const void *message, size_t length, uint8_t mac[WEIR_TLS_HMAC_LENGTH]);
// Writes random bytes that no other process can guess. False where the system has none.
int weir_tls_random(void *bytes, size_t length);

// MARK: Facts of a connection after its handshake

int weir_tls_version(const weir_tls *tls);
int weir_tls_is_resumed(const weir_tls *tls);
// Each writes a text as far as it fits, with a NUL, and returns its length; 0 where there is none.
size_t weir_tls_protocol(const weir_tls *tls, char *text, size_t size);
size_t weir_tls_server_name(const weir_tls *tls, char *text, size_t size);
size_t weir_tls_cipher(const weir_tls *tls, char *text, size_t size);
// The name of the peer's verified certificate: its first DNS name, else its common name.
size_t weir_tls_peer_name(const weir_tls *tls, char *text, size_t size);
// The common name of the peer's verified certificate in UTF-8, without control characters.
size_t weir_tls_peer_common_name(const weir_tls *tls, char *text, size_t size);
// The DNS names of the peer's verified certificate, in lower case, each with a line feed behind it. Those of more than
// 253 bytes are no names, and left out. Returns the length of all; writes them where they fit.
size_t weir_tls_peer_names(const weir_tls *tls, void *text, size_t size);
// The URIs of the peer's verified certificate, separated by commas.
size_t weir_tls_peer_uris(const weir_tls *tls, char *text, size_t size);
// Writes the fingerprint of the peer's verified certificate. False where there is none.
int weir_tls_peer_fingerprint(const weir_tls *tls, uint8_t digest[WEIR_TLS_DIGEST_LENGTH]);
// Whether the peer showed a certificate, which was verified.
int weir_tls_has_peer_certificate(const weir_tls *tls);

#endif
