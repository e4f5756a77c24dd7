#ifdef WEIR_TLS
#include <ctype.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

// MARK: Sessions that clients resume

// One for each connection that may be in its handshake, where there are as many.
enum { SESSION_COUNT = 16 };

struct weir_tls_sessions {
    _Atomic(SSL_SESSION *) slots[SESSION_COUNT];
};

weir_tls_sessions *weir_tls_sessions_new(void) { return calloc(1, sizeof(weir_tls_sessions)); }

void weir_tls_sessions_free(weir_tls_sessions *sessions) {
    if (!sessions) return;
    for (int i = 0; i < SESSION_COUNT; i++) SSL_SESSION_free(atomic_load(&sessions->slots[i]));
    free(sessions);
}

// Takes over one reference. The newest session takes the first place that is free, else that of the first one.
void weir_tls_sessions_put(weir_tls_sessions *sessions, SSL_SESSION *session) {
    for (int i = 0; i < SESSION_COUNT; i++) {
        SSL_SESSION *none = NULL;
        // Release: another thread reads the session behind the pointer.
        if (atomic_compare_exchange_strong(&sessions->slots[i], &none, session)) return;
    }
    SSL_SESSION_free(atomic_exchange(&sessions->slots[0], session));
}

static SSL_SESSION *take_one(weir_tls_sessions *sessions) {
    for (int i = 0; i < SESSION_COUNT; i++) {
        // A look before the exchange: most places are empty.
        if (!atomic_load_explicit(&sessions->slots[i], memory_order_relaxed)) continue;
        SSL_SESSION *session = atomic_exchange(&sessions->slots[i], NULL);
        if (session) return session;
    }
    return NULL;
}

static int has_one(weir_tls_sessions *sessions) {
    for (int i = 0; i < SESSION_COUNT; i++)
        if (atomic_load_explicit(&sessions->slots[i], memory_order_relaxed)) return 1;
    return 0;
}

SSL_SESSION *weir_tls_sessions_take(weir_tls_sessions *sessions) {
    SSL_SESSION *session = take_one(sessions);
    if (!session) return NULL;
    if (SSL_SESSION_get_protocol_version(session) < TLS1_3_VERSION) {
        if (SSL_SESSION_up_ref(session) == 1) weir_tls_sessions_put(sessions, session);
    } else if (!has_one(sessions)) {
        // A ticket of TLS 1.3 is for one use, so that connections of one client cannot be told (RFC 8446 section C.4).
        // Those to an upstream are all of this proxy, and a full handshake costs both ends more: the last one stays
        // until there are others. OpenSSL forbids another use of the object that it has used.
        SSL_SESSION *copy = SSL_SESSION_dup(session);
        if (copy) weir_tls_sessions_put(sessions, copy);
    }
    return session;
}

// MARK: Callbacks. OpenSSL calls them within a call of ours, on the thread of the connection.

static weir_tls *of(const SSL *ssl) { return SSL_get_app_data(ssl); }

static int new_session(SSL *ssl, SSL_SESSION *session) {
    weir_tls *tls = of(ssl);
    if (!tls || !tls->sessions) return 0;
    weir_tls_sessions_put(tls->sessions, session);
    return 1;
}

static int equals(const char *left, const char *right) {
    for (; *left && tolower((unsigned char)*left) == *right; left++) right++;
    return !*left && !*right;
}

// Whether a client may ask for the name: an exact one, or any depth below one that begins with `*.`.
static int allows(const weir_tls_context *context, const char *name) {
    if (context->name_count == 0) return 1;
    if (!name) return 0;
    for (uint32_t i = 0; i < context->name_count; i++) {
        const char *own = context->names[i];
        if (own[0] != '*') {
            if (equals(name, own)) return 1;
            continue;
        }
        size_t length = strlen(name), ending = strlen(own + 1);
        if (length > ending && equals(name + length - ending, own + 1)) return 1;
    }
    return 0;
}

// Whether the hello names what its first reader has found in it.
static int is_expected(const weir_tls *tls, const char *name) {
    return !tls->expected_name || equals(name ? name : "", tls->expected_name);
}

static int server_name(SSL *ssl, int *alert, void *data) {
    weir_tls *tls = of(ssl);
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    (void)data;
    if (!tls || !allows(tls->context, name) || !is_expected(tls, name)) {
        if (tls) tls->flags |= FLAG_NAME_REFUSED;
        *alert = SSL_AD_UNRECOGNIZED_NAME;
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    return name ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

static int choose_certificate(SSL *ssl, void *data) {
    weir_tls *tls = of(ssl);
    (void)data;
    if (!tls) return 0;
    return weir_tls_use_certificate(
        ssl, tls->certificates, SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
}

static int choose_protocol(
    SSL *ssl, const unsigned char **chosen, unsigned char *length, const unsigned char *offered,
    unsigned int offered_length, void *data) {
    const weir_tls_context *context = data;
    unsigned char *found = NULL;
    (void)ssl;
    int outcome = SSL_select_next_proto(
        &found, length, context->protocols, context->protocols_length, offered, offered_length);
    *chosen = found;
    // Alert 120 (RFC 7301 section 3.2).
    return outcome == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

// MARK: Contexts

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void start(void) {
    // Threads may be within the library while the process ends.
    OPENSSL_init_ssl(OPENSSL_INIT_NO_ATEXIT, NULL);
}

void weir_tls_context_free(weir_tls_context *context) {
    if (!context) return;
    SSL_CTX_free(context->ssl);
    for (uint32_t i = 0; i < context->name_count; i++) free(context->names[i]);
    free(context->names);
    free(context->protocols);
    free(context->pins);
    free(context);
}

static weir_tls_context *new_context(const SSL_METHOD *method, int minimum) {
    pthread_once(&once, start);
    weir_tls_context *context = calloc(1, sizeof(*context));
    SSL_CTX *ssl = context ? SSL_CTX_new(method) : NULL;
    if (!ssl) {
        free(context);
        ERR_clear_error();
        return NULL;
    }
    context->ssl = ssl;
    SSL_CTX_set_min_proto_version(ssl, minimum);
    SSL_CTX_set_options(
        ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_COMPRESSION |
                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(
        ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_clear_mode(ssl, SSL_MODE_AUTO_RETRY);
    // One call for a whole record, and what lies behind it.
    SSL_CTX_set_read_ahead(ssl, 1);
    // The configuration of the system's OpenSSL decides about neither, and in an image there is none.
    SSL_CTX_set_security_level(ssl, SECURITY_LEVEL);
    if (SSL_CTX_set1_groups_list(ssl, "X25519:P-256:P-384") == 1 &&
        SSL_CTX_set_cipher_list(ssl, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1)
        return context;
    weir_tls_context_free(context);
    ERR_clear_error();
    return NULL;
}

// Refuses a client whose certificate is none of the pins: alert 44, certificate_revoked.
static int check_pin(int is_good, X509_STORE_CTX *store) {
    if (!is_good || X509_STORE_CTX_get_error_depth(store) != 0) return is_good;
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    const weir_tls *tls = ssl ? of(ssl) : NULL;
    X509 *leaf = X509_STORE_CTX_get_current_cert(store);
    uint8_t digest[WEIR_TLS_DIGEST_LENGTH];
    if (tls && weir_tls_digest(leaf, digest)) {
        const uint8_t *pin = tls->context->pins;
        for (uint32_t i = 0; i < tls->context->pin_count; i++, pin += WEIR_TLS_DIGEST_LENGTH)
            if (memcmp(pin, digest, WEIR_TLS_DIGEST_LENGTH) == 0) return 1;
    }
    X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REVOKED);
    return 0;
}

static int copy_pins(weir_tls_context *context, const uint8_t *pins, size_t count) {
    if (count == 0) return 1;
    if (count > UINT16_MAX) return 0;
    context->pins = malloc(count * WEIR_TLS_DIGEST_LENGTH);
    if (!context->pins) return 0;
    memcpy(context->pins, pins, count * WEIR_TLS_DIGEST_LENGTH);
    context->pin_count = (uint32_t)count;
    return 1;
}

// Trusts these certificates alone, also where one is not of an authority: it is pinned then.
static int trust(weir_tls_context *context, const void *bytes, size_t length, int is_server) {
    int outcome;
    STACK_OF(X509) *certificates = weir_tls_read_certificates(bytes, length, &outcome);
    X509_STORE *store = X509_STORE_new();
    int is_good = certificates && store;
    if (is_good) X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    for (int i = 0; is_good && i < sk_X509_num(certificates); i++) {
        X509 *certificate = sk_X509_value(certificates, i);
        is_good = X509_STORE_add_cert(store, certificate) == 1;
        if (is_good && is_server) is_good = SSL_CTX_add_client_CA(context->ssl, certificate) == 1;
    }
    if (is_good) {
        SSL_CTX_set_cert_store(context->ssl, store);
    } else {
        X509_STORE_free(store);
    }
    sk_X509_pop_free(certificates, X509_free);
    return is_good;
}

// A session opens only what has the same verification.
static int set_session_context(
    weir_tls_context *context, const void *authorities, size_t length, int demand, const uint8_t *pins,
    size_t pin_count) {
    unsigned char digest[EVP_MAX_MD_SIZE], is_verifying = length == 0 ? 0 : demand ? 1 : 2;
    unsigned int size = 0;
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    int is_good = hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1 &&
                  EVP_DigestUpdate(hash, &is_verifying, 1) == 1 && EVP_DigestUpdate(hash, authorities, length) == 1 &&
                  EVP_DigestUpdate(hash, pins, pin_count * WEIR_TLS_DIGEST_LENGTH) == 1 &&
                  EVP_DigestFinal_ex(hash, digest, &size) == 1 && size >= SSL_MAX_SID_CTX_LENGTH &&
                  SSL_CTX_set_session_id_context(context->ssl, digest, SSL_MAX_SID_CTX_LENGTH) == 1;
    EVP_MD_CTX_free(hash);
    return is_good;
}

static int copy_protocols(weir_tls_context *context, const uint8_t *protocols, size_t length) {
    if (length == 0) return 1;
    if (length > UINT16_MAX) return 0;
    context->protocols = malloc(length);
    if (!context->protocols) return 0;
    memcpy(context->protocols, protocols, length);
    context->protocols_length = (uint32_t)length;
    return 1;
}

weir_tls_context *weir_tls_server_new(
    int minimum, const void *authorities, size_t authorities_length, int demand, const uint8_t *protocols,
    size_t protocols_length, const uint8_t *pins, size_t pin_count) {
    weir_tls_context *context = new_context(TLS_server_method(), minimum);
    if (!context) return NULL;
    SSL_CTX *ssl = context->ssl;
    int is_good = copy_protocols(context, protocols, protocols_length) &&
                  copy_pins(context, pins, pin_count) &&
                  set_session_context(context, authorities, authorities_length, demand, pins, pin_count) &&
                  weir_tls_tickets_install(ssl);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_tlsext_servername_callback(ssl, server_name);
    SSL_CTX_set_cert_cb(ssl, choose_certificate, NULL);
    if (protocols_length > 0) SSL_CTX_set_alpn_select_cb(ssl, choose_protocol, context);
    if (authorities_length > 0) {
        context->verifies = 1;
        SSL_CTX_set_verify(
            ssl, SSL_VERIFY_PEER | (demand ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), pin_count > 0 ? check_pin : NULL);
        is_good = is_good && trust(context, authorities, authorities_length, 1);
    }
    ERR_clear_error();
    if (is_good) return context;
    weir_tls_context_free(context);
    return NULL;
}

int weir_tls_server_allow_name(weir_tls_context *context, const char *name, size_t length) {
    char **names = realloc(context->names, (context->name_count + 1) * sizeof(*names));
    if (!names) return 0;
    context->names = names;
    char *copy = malloc(length + 1);
    if (!copy) return 0;
    for (size_t i = 0; i < length; i++) copy[i] = (char)tolower((unsigned char)name[i]);
    copy[length] = 0;
    names[context->name_count++] = copy;
    return 1;
}

weir_tls_context *weir_tls_client_new(
    int minimum, int verify, const void *authorities, size_t authorities_length, const weir_tls_certificates *own,
    const uint8_t *protocols, size_t protocols_length) {
    weir_tls_context *context = new_context(TLS_client_method(), minimum);
    if (!context) return NULL;
    SSL_CTX *ssl = context->ssl;
    int is_good = 1;
    context->verifies = verify != 0;
    SSL_CTX_set_verify(ssl, verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    if (verify)
        is_good = authorities_length > 0 ? trust(context, authorities, authorities_length, 0)
                                         : SSL_CTX_set_default_verify_paths(ssl) == 1;
    // SSL_CTX_set_alpn_protos returns 0 for success.
    if (is_good && protocols_length > 0)
        is_good = protocols_length <= UINT16_MAX &&
                  SSL_CTX_set_alpn_protos(ssl, protocols, (unsigned int)protocols_length) == 0;
    if (is_good && own && own->count > 0)
        is_good = SSL_CTX_use_cert_and_key(
                      ssl, own->entries[0].leaf, own->entries[0].key, own->entries[0].chain, 1) == 1;
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ssl, new_session);
    ERR_clear_error();
    if (is_good) return context;
    weir_tls_context_free(context);
    return NULL;
}

// MARK: Contexts of DTLS

enum {
    // The longest message of a handshake: a certificate, or a list of authorities. OpenSSL keeps ten that are early.
    MESSAGE_BOUND = 8 << 10,
};

static weir_tls_context *new_dtls_context(
    const SSL_METHOD *method, uint32_t repetition_us, const weir_tls_certificates *own) {
    weir_tls_context *context = new_context(method, DTLS1_2_VERSION);
    if (!context) return NULL;
    SSL_CTX *ssl = context->ssl;
    context->repetition_us = repetition_us;
    context->verifies = 1;
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    // Without chain and ticket each flight is one datagram. Fragments are not for every peer: OpenSSL repeats them with
    // other boundaries, which pion up to 3.1.8 cannot put together.
    SSL_CTX_set_options(ssl, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_TICKET);
    SSL_CTX_set_mode(ssl, SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_max_cert_list(ssl, MESSAGE_BOUND);
    if (SSL_CTX_set_max_proto_version(ssl, DTLS1_2_VERSION) == 1 &&
        // The one that agents of the seed's program have.
        SSL_CTX_set_cipher_list(ssl, "ECDHE-ECDSA-AES128-GCM-SHA256") == 1 &&
        (!own || own->count == 0 ||
         SSL_CTX_use_cert_and_key(ssl, own->entries[0].leaf, own->entries[0].key, NULL, 1) == 1))
        return context;
    weir_tls_context_free(context);
    ERR_clear_error();
    return NULL;
}

// The caller has looked at the cookie before OpenSSL sees the hello.
static int take_cookie(SSL *ssl, const unsigned char *cookie, unsigned int length) {
    (void)ssl, (void)cookie;
    return length > 0;
}

weir_tls_context *weir_dtls_server_new(
    uint32_t repetition_us, const void *authorities, size_t authorities_length, const weir_tls_certificates *own,
    const uint8_t *protocols, size_t protocols_length, const uint8_t *pins, size_t pin_count) {
    weir_tls_context *context = new_dtls_context(DTLS_server_method(), repetition_us, own);
    if (!context) return NULL;
    SSL_CTX *ssl = context->ssl;
    SSL_CTX_set_cookie_verify_cb(ssl, take_cookie);
    SSL_CTX_set_verify(
        ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, pin_count > 0 ? check_pin : NULL);
    if (protocols_length > 0) SSL_CTX_set_alpn_select_cb(ssl, choose_protocol, context);
    int is_good = copy_protocols(context, protocols, protocols_length) && copy_pins(context, pins, pin_count) &&
                  trust(context, authorities, authorities_length, 1);
    ERR_clear_error();
    if (is_good) return context;
    weir_tls_context_free(context);
    return NULL;
}

weir_tls_context *weir_dtls_client_new(
    uint32_t repetition_us, const void *authorities, size_t authorities_length, const weir_tls_certificates *own,
    const uint8_t *protocols, size_t protocols_length) {
    weir_tls_context *context = new_dtls_context(DTLS_client_method(), repetition_us, own);
    if (!context) return NULL;
    SSL_CTX *ssl = context->ssl;
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    // SSL_CTX_set_alpn_protos returns 0 for success.
    int is_good = trust(context, authorities, authorities_length, 0) &&
                  (protocols_length == 0 ||
                   (protocols_length <= UINT16_MAX &&
                    SSL_CTX_set_alpn_protos(ssl, protocols, (unsigned int)protocols_length) == 0));
    ERR_clear_error();
    if (is_good) return context;
    weir_tls_context_free(context);
    return NULL;
}
#endif
