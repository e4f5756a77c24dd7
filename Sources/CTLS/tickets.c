#ifdef WEIR_TLS
#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "internal.h"

// Keys of session tickets (RFC 5077), shared by all threads and contexts. A key makes tickets for an hour and opens
// them for two more. There are four places: the present key, the two before it, and one that is written next. No
// thread reads that one any more: its key has opened nothing since the last change, and is forgotten a minute later.
enum { KEY_COUNT = 4, KEY_SECONDS = 3600, FORGET_SECONDS = 60, VALID_COUNT = 3 };

static struct {
    unsigned char name[16];
    unsigned char cipher[32];
    unsigned char mac[32];
} keys[KEY_COUNT];

// The number of keys that were made; the present one is in the place before it.
static _Atomic(uint64_t) made;
// The times of weir_tls_tickets_follow; 0 for none.
static pthread_mutex_t follow_lock = PTHREAD_MUTEX_INITIALIZER;
static int64_t next_change;
static int64_t next_forgetting;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static EVP_CIPHER *cipher;
static int is_broken;

static int make_key(void) {
    uint64_t count = atomic_load_explicit(&made, memory_order_relaxed);
    if (RAND_bytes((unsigned char *)&keys[count % KEY_COUNT], sizeof keys[0]) != 1) return 0;
    // Release: a thread that sees the number sees the key.
    atomic_store_explicit(&made, count + 1, memory_order_release);
    return 1;
}

static void start(void) {
    cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    is_broken = !cipher || !make_key();
}

void weir_tls_tickets_follow(int64_t now) {
    pthread_once(&once, start);
    pthread_mutex_lock(&follow_lock);
    if (next_change == 0) {
        next_change = now + KEY_SECONDS;
    } else if (now >= next_change && make_key()) {
        next_change = now + KEY_SECONDS;
        next_forgetting = now + FORGET_SECONDS;
    } else if (next_forgetting != 0 && now >= next_forgetting) {
        next_forgetting = 0;
        uint64_t next = atomic_load_explicit(&made, memory_order_relaxed) % KEY_COUNT;
        OPENSSL_cleanse(&keys[next], sizeof keys[next]);
    }
    pthread_mutex_unlock(&follow_lock);
    weir_tls_clear_errors();
}

static int use(int place, unsigned char *iv, EVP_CIPHER_CTX *context, EVP_MAC_CTX *mac, int is_making) {
    OSSL_PARAM parameters[3];
    parameters[0] = OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, keys[place].mac, sizeof keys[place].mac);
    parameters[1] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0);
    parameters[2] = OSSL_PARAM_construct_end();
    return EVP_MAC_CTX_set_params(mac, parameters) == 1 &&
           (is_making ? EVP_EncryptInit_ex(context, cipher, NULL, keys[place].cipher, iv)
                      : EVP_DecryptInit_ex(context, cipher, NULL, keys[place].cipher, iv)) == 1;
}

static int ticket_key(
    SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *context, EVP_MAC_CTX *mac, int is_making) {
    (void)ssl;
    uint64_t count = atomic_load_explicit(&made, memory_order_acquire);
    if (is_making) {
        int place = (int)((count - 1) % KEY_COUNT);
        memcpy(name, keys[place].name, sizeof keys[place].name);
        if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(cipher)) != 1) return -1;
        return use(place, iv, context, mac, 1) ? 1 : -1;
    }
    for (uint64_t age = 0; age < VALID_COUNT && age < count; age++) {
        int place = (int)((count - 1 - age) % KEY_COUNT);
        if (memcmp(name, keys[place].name, sizeof keys[place].name) != 0) continue;
        if (!use(place, iv, context, mac, 0)) return -1;
        // 2: open it, and make a new one.
        return age == 0 ? 1 : 2;
    }
    return 0;
}

int weir_tls_has_ended(const SSL_SESSION *session) {
    X509 *peer = SSL_SESSION_get0_peer((SSL_SESSION *)session);
    return peer && X509_cmp_current_time(X509_get0_notAfter(peer)) <= 0;
}

// A client's certificate that has ended since is asked for again.
static SSL_TICKET_RETURN decrypted(
    SSL *ssl, SSL_SESSION *session, const unsigned char *name, size_t length, SSL_TICKET_STATUS status, void *data) {
    (void)ssl, (void)name, (void)length, (void)data;
    if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
        return status == SSL_TICKET_EMPTY || status == SSL_TICKET_NO_DECRYPT ? SSL_TICKET_RETURN_IGNORE_RENEW
                                                                            : SSL_TICKET_RETURN_IGNORE;
    if (weir_tls_has_ended(session)) return SSL_TICKET_RETURN_IGNORE_RENEW;
    // Clients use a ticket of TLS 1.3 once (RFC 8446 section C.4): without a new one the next handshake would be full.
    int is_single = SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION;
    return status == SSL_TICKET_SUCCESS && !is_single ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

int weir_tls_tickets_install(SSL_CTX *context) {
    pthread_once(&once, start);
    if (is_broken) return 0;
    // As long as a key opens at least.
    SSL_CTX_set_timeout(context, KEY_SECONDS * (VALID_COUNT - 1));
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, ticket_key);
    return SSL_CTX_set_session_ticket_cb(context, NULL, decrypted, NULL) == 1;
}
#endif
