#ifdef WEIR_TLS
#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "internal.h"

// Keys of session tickets (RFC 5077), shared by all threads and contexts. A key makes tickets for an hour and opens
// them for two more. There are four places: the present key, the two before it, and one that is written next. No
// thread reads that one, because its key has opened nothing for an hour.
enum { KEY_COUNT = 4, KEY_SECONDS = 3600, VALID_COUNT = 3 };

static struct {
    unsigned char name[16];
    unsigned char cipher[32];
    unsigned char mac[32];
} keys[KEY_COUNT];

// The number of keys that were made; the present one is in the place before it.
static _Atomic(uint64_t) made;
static _Atomic(int64_t) next_change;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static EVP_CIPHER *cipher;
static int is_broken;

static int64_t seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

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
    atomic_store(&next_change, seconds() + KEY_SECONDS);
}

// One thread makes the next key, when it is time.
static void change(void) {
    int64_t now = seconds(), due = atomic_load_explicit(&next_change, memory_order_relaxed);
    if (now < due || !atomic_compare_exchange_strong(&next_change, &due, now + KEY_SECONDS)) return;
    make_key();
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
    change();
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

// A client's certificate that has ended since is asked for again.
static SSL_TICKET_RETURN decrypted(
    SSL *ssl, SSL_SESSION *session, const unsigned char *name, size_t length, SSL_TICKET_STATUS status, void *data) {
    (void)ssl, (void)name, (void)length, (void)data;
    if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
        return status == SSL_TICKET_EMPTY || status == SSL_TICKET_NO_DECRYPT ? SSL_TICKET_RETURN_IGNORE_RENEW
                                                                            : SSL_TICKET_RETURN_IGNORE;
    X509 *peer = SSL_SESSION_get0_peer(session);
    if (peer && X509_cmp_current_time(X509_get0_notAfter(peer)) <= 0) return SSL_TICKET_RETURN_IGNORE_RENEW;
    return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
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
