#ifdef WEIR_TLS
#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

enum {
    // The size of an IP packet that every link of IPv6 carries (RFC 8200 section 5). No flight is larger.
    LINK_MTU = 1280,
    // Headers of IPv6 and UDP.
    IP_OVERHEAD = 48,
    // Of a record: its type, version, epoch, number and length (RFC 6347 section 4.1).
    RECORD_HEADER = 13,
    // The bytes that AES-GCM adds to the data of a record.
    CIPHER_OVERHEAD = WEIR_DTLS_OVERHEAD - RECORD_HEADER,
    // The datagrams that wait to be taken, with their lengths. Beyond it they are lost, as on any link.
    OUTPUT_BOUND = 32 << 10,
    // The encrypted records that a handshake takes before its keys are known. OpenSSL keeps 17 KiB for each.
    EARLY_BOUND = 8,
    // The repetitions without an answer behind an alert that nothing has authenticated, until it is believed.
    ALERT_PATIENCE = 2,
    // The longest time between two repetitions of a flight.
    MAX_REPETITION_US = 1000000,
};

// An association of DTLS is a connection whose BIO takes and gives datagrams.
typedef struct {
    weir_tls tls;
    // The datagram of this call until OpenSSL has read it.
    const uint8_t *input;
    size_t input_length;
    // The room for the datagram of a call that sends data, and the length of that datagram.
    uint8_t *room;
    size_t room_size;
    size_t room_length;
    // One more than the place of this call's last datagram in the output; 0 for none.
    uint32_t last_start;
    uint8_t early_count;
    // The fatal alert that came without encryption; 0 for none.
    uint8_t doubtful_alert;
    uint8_t patience;
    uint8_t is_ended;
} association;

static association *of(const weir_tls *tls) { return (association *)tls; }

// MARK: Input

static uint32_t number16(const uint8_t *bytes) { return (uint32_t)bytes[0] << 8 | bytes[1]; }

// Whether OpenSSL may see a record. It drops most others by itself, but some of them would end the association, or
// would be kept for long (RFC 6347 section 4.1.2.7: invalid records are discarded).
static int is_wanted(association *self, const uint8_t *record, uint32_t length) {
    uint8_t kind = record[0];
    uint32_t epoch = number16(record + 3);
    // Encrypted: never longer than the one cipher makes it, which OpenSSL answers with the end of the association.
    int is_encrypted = epoch == 1 && length >= CIPHER_OVERHEAD && length <= WEIR_DTLS_MAX_DATA + CIPHER_OVERHEAD;
    if (self->tls.is_shaken)
        // Nothing is renegotiated, so there is no other epoch. A repeated Finished asks for the last flight.
        return is_encrypted &&
               (kind == SSL3_RT_APPLICATION_DATA || kind == SSL3_RT_ALERT || kind == SSL3_RT_HANDSHAKE);
    if (epoch == 0 && kind == SSL3_RT_ALERT) {
        // Not authenticated: it ends nothing as long as the handshake goes on.
        if (length == 2 && record[RECORD_HEADER] == SSL3_AL_FATAL && record[RECORD_HEADER + 1] != 0) {
            self->doubtful_alert = record[RECORD_HEADER + 1];
            self->patience = ALERT_PATIENCE;
        }
        return 0;
    }
    // OpenSSL drops one that is early, but ends the handshake for one that is not well-formed.
    if (kind == SSL3_RT_CHANGE_CIPHER_SPEC) return epoch == 0 && length == 1 && record[RECORD_HEADER] == 1;
    if (epoch == 0) return length > 0 && kind == SSL3_RT_HANDSHAKE;
    if (!is_encrypted || (kind != SSL3_RT_HANDSHAKE && kind != SSL3_RT_ALERT)) return 0;
    if (self->early_count >= EARLY_BOUND) return 0;
    self->early_count++;
    return 1;
}

// Gives the records of one datagram, never those of two (OpenSSL loses the others with one that it drops).
static int bio_read(BIO *bio, char *bytes, int size) {
    association *self = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    size_t count = 0, room = size > 0 ? (size_t)size : 0;
    const uint8_t *record = self->input;
    size_t left = self->input_length;
    self->input = NULL;
    self->input_length = 0;
    while (bytes && record && left >= RECORD_HEADER) {
        size_t length = RECORD_HEADER + number16(record + 11);
        if (length > left || length > room - count) break;
        if (is_wanted(self, record, (uint32_t)length - RECORD_HEADER)) {
            memcpy(bytes + count, record, length);
            count += length;
        }
        record += length;
        left -= length;
    }
    if (count > 0) return (int)count;
    BIO_set_retry_read(bio);
    return -1;
}

// MARK: Output

// Keeps a datagram behind its length. Without room it is lost. OpenSSL sends a flight as one datagram at first, and the
// repetition message by message: that becomes one datagram again, which is lost less often than one of many.
static void keep(association *self, const void *bytes, uint32_t length) {
    weir_tls *tls = &self->tls;
    uint8_t *last = self->last_start > 0 ? tls->output + self->last_start - 1 : NULL;
    int is_joined = last && number16(last) + length <= LINK_MTU - IP_OVERHEAD;
    uint32_t needed = tls->output_end + (is_joined ? 0 : 2) + length;
    if (needed > OUTPUT_BOUND) return;
    if (needed > tls->output_size) {
        uint8_t *output = realloc(tls->output, needed);
        if (!output) return;
        tls->output = output;
        tls->output_size = needed;
    }
    memcpy(tls->output + needed - length, bytes, length);
    if (!is_joined) self->last_start = tls->output_end + 1;
    last = tls->output + self->last_start - 1;
    tls->output_end = needed;
    uint32_t total = needed - self->last_start - 1;
    last[0] = (uint8_t)(total >> 8);
    last[1] = (uint8_t)total;
}

static int bio_write(BIO *bio, const char *bytes, int length) {
    association *self = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (!bytes || length <= 0) return 0;
    int is_data = (uint8_t)bytes[0] == SSL3_RT_APPLICATION_DATA;
    if (is_data && self->room && self->room_length == 0 && (size_t)length <= self->room_size) {
        memcpy(self->room, bytes, (size_t)length);
        self->room_length = (size_t)length;
    } else if (length <= UINT16_MAX) {
        keep(self, bytes, (uint32_t)length);
    }
    return length;
}

static long bio_control(BIO *bio, int command, long number, void *data) {
    (void)bio, (void)number, (void)data;
    switch (command) {
    case BIO_CTRL_FLUSH: return 1;
    case BIO_CTRL_DGRAM_GET_MTU_OVERHEAD: return IP_OVERHEAD;
    case BIO_CTRL_DGRAM_QUERY_MTU:
    case BIO_CTRL_DGRAM_GET_FALLBACK_MTU: return LINK_MTU - IP_OVERHEAD;
    default: return 0;
    }
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static BIO_METHOD *method;

static void start(void) {
    BIO_METHOD *made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "weir datagrams");
    if (!made) return;
    BIO_meth_set_read(made, bio_read);
    BIO_meth_set_write(made, bio_write);
    BIO_meth_set_ctrl(made, bio_control);
    method = made;
}

static void drop_output(weir_tls *tls) {
    free(tls->output);
    tls->output = NULL;
    tls->output_start = tls->output_end = tls->output_size = 0;
}

size_t weir_dtls_take(weir_tls *tls, void *datagram, size_t size) {
    size_t taken = 0;
    of(tls)->last_start = 0;
    while (taken == 0 && tls->output_start < tls->output_end) {
        uint32_t length = number16(tls->output + tls->output_start);
        if (length <= size) {
            memcpy(datagram, tls->output + tls->output_start + 2, length);
            taken = length;
        }
        tls->output_start += 2 + length;
    }
    if (tls->output_start == tls->output_end) drop_output(tls);
    return taken;
}

// MARK: Life

// The time until the next repetition: `last` was the one before, or 0 (DTLS_set_timer_cb(3)).
static unsigned int repetition_time(SSL *ssl, unsigned int last) {
    const weir_tls *tls = SSL_get_app_data(ssl);
    if (last == 0) return tls->context->repetition_us;
    return last < MAX_REPETITION_US / 2 ? last * 2 : MAX_REPETITION_US;
}

static association *new_association(weir_tls_context *context) {
    pthread_once(&once, start);
    association *self = calloc(1, sizeof(*self));
    if (!self) return NULL;
    self->tls.context = context;
    self->tls.flags = FLAG_USED;
    self->tls.ssl = SSL_new(context->ssl);
    BIO *bio = self->tls.ssl && method ? BIO_new(method) : NULL;
    if (!bio) {
        weir_tls_free(&self->tls);
        return NULL;
    }
    BIO_set_data(bio, self);
    BIO_set_init(bio, 1);
    SSL_set_bio(self->tls.ssl, bio, bio);
    SSL_set_app_data(self->tls.ssl, &self->tls);
    DTLS_set_link_mtu(self->tls.ssl, LINK_MTU);
    DTLS_set_timer_cb(self->tls.ssl, repetition_time);
    return self;
}

static void fail(weir_tls *tls, int failure) {
    tls->flags |= FLAG_DEAD;
    tls->failure = (uint8_t)failure;
}

// Goes on with the handshake. The error queue is empty before it.
static void shake(association *self) {
    weir_tls *tls = &self->tls;
    OSSL_HANDSHAKE_STATE before = SSL_get_state(tls->ssl);
    int result = SSL_do_handshake(tls->ssl);
    int kind = result == 1 ? SSL_ERROR_NONE : SSL_get_error(tls->ssl, result);
    if (SSL_get_state(tls->ssl) != before) self->doubtful_alert = 0;
    if (kind == SSL_ERROR_NONE) {
        tls->is_shaken = 1;
        // Without it another association's keys can be made the same (RFC 7627).
        if (SSL_get_extms_support(tls->ssl) != 1) fail(tls, WEIR_TLS_FAILURE_PROTOCOL);
    } else if (kind != SSL_ERROR_WANT_READ && kind != SSL_ERROR_WANT_WRITE) {
        weir_tls_note_failure(tls);
    }
    weir_tls_clear_errors();
}

weir_tls *weir_dtls_accept(weir_tls_context *context, const void *hello, size_t length) {
    weir_tls_clear_errors();
    association *self = new_association(context);
    // DTLSv1_listen(3) takes the hello as the second one: the numbers of messages and records go on behind it.
    BIO_ADDR *peer = self ? BIO_ADDR_new() : NULL;
    int is_taken = 0;
    if (peer) {
        self->input = hello;
        self->input_length = length;
        SSL_set_accept_state(self->tls.ssl);
        is_taken = DTLSv1_listen(self->tls.ssl, peer) == 1;
        weir_dtls_drop(&self->tls);
    }
    BIO_ADDR_free(peer);
    weir_tls_clear_errors();
    if (is_taken) {
        shake(self);
        return &self->tls;
    }
    if (self) weir_tls_free(&self->tls);
    return NULL;
}

weir_tls *weir_dtls_connect(weir_tls_context *context, const char *name, int is_address) {
    weir_tls_clear_errors();
    association *self = new_association(context);
    if (!self) return NULL;
    SSL_set_connect_state(self->tls.ssl);
    if (weir_tls_set_peer(&self->tls, name, is_address)) {
        shake(self);
        return &self->tls;
    }
    weir_tls_free(&self->tls);
    return NULL;
}

// MARK: Calls

int weir_dtls_state(const weir_tls *tls) {
    if (tls->flags & FLAG_DEAD) return WEIR_DTLS_FAILED;
    if (of(tls)->is_ended) return WEIR_DTLS_ENDED;
    return tls->is_shaken ? WEIR_DTLS_OPEN : WEIR_DTLS_HANDSHAKING;
}

void weir_dtls_put(weir_tls *tls, const void *datagram, size_t length) {
    association *self = of(tls);
    if (weir_dtls_state(tls) > WEIR_DTLS_OPEN) return;
    self->input = datagram;
    self->input_length = length;
    self->last_start = 0;
    weir_tls_clear_errors();
    if (!tls->is_shaken) shake(self);
}

int64_t weir_dtls_read(weir_tls *tls, void *bytes, size_t length) {
    association *self = of(tls);
    if (weir_dtls_state(tls) != WEIR_DTLS_OPEN) return WEIR_TLS_WOULD_BLOCK;
    weir_tls_clear_errors();
    size_t count = 0;
    // Success with no bytes is an empty record.
    int result = SSL_read_ex(tls->ssl, bytes, length, &count);
    if (result == 1) return (int64_t)count;
    int kind = SSL_get_error(tls->ssl, result);
    if (kind == SSL_ERROR_ZERO_RETURN) self->is_ended = 1;
    else if (kind != SSL_ERROR_WANT_READ && kind != SSL_ERROR_WANT_WRITE) weir_tls_note_failure(tls);
    weir_tls_clear_errors();
    return WEIR_TLS_WOULD_BLOCK;
}

void weir_dtls_drop(weir_tls *tls) {
    of(tls)->input = NULL;
    of(tls)->input_length = 0;
}

int64_t weir_dtls_send(weir_tls *tls, const void *data, size_t length, void *datagram, size_t size) {
    association *self = of(tls);
    // close_notify of the peer ends its own direction; what answers it is of no use any more.
    if (weir_dtls_state(tls) != WEIR_DTLS_OPEN) return WEIR_TLS_WOULD_BLOCK;
    if (length == 0 || length > WEIR_DTLS_MAX_DATA || size < length + WEIR_DTLS_OVERHEAD) return WEIR_TLS_ERROR;
    weir_tls_clear_errors();
    self->room = datagram;
    self->room_size = size;
    self->room_length = 0;
    size_t count = 0;
    int result = SSL_write_ex(tls->ssl, data, length, &count);
    size_t made = self->room_length;
    self->room = NULL;
    if (result == 1 && made > 0) return (int64_t)made;
    // The end was sent, or memory is short: this datagram is lost, and no more.
    weir_tls_clear_errors();
    return WEIR_TLS_WOULD_BLOCK;
}

void weir_dtls_finish(weir_tls *tls) {
    if (weir_dtls_state(tls) == WEIR_DTLS_FAILED || !tls->is_shaken) return;
    of(tls)->last_start = 0;
    weir_tls_clear_errors();
    SSL_shutdown(tls->ssl);
    weir_tls_clear_errors();
}

int64_t weir_dtls_timeout(const weir_tls *tls) {
    struct timeval left;
    if (weir_dtls_state(tls) > WEIR_DTLS_OPEN || DTLSv1_get_timeout(tls->ssl, &left) != 1) return -1;
    return (int64_t)left.tv_sec * 1000000 + left.tv_usec;
}

void weir_dtls_repeat(weir_tls *tls) {
    association *self = of(tls);
    if (weir_dtls_state(tls) > WEIR_DTLS_OPEN) return;
    weir_tls_clear_errors();
    self->last_start = 0;
    int result = DTLSv1_handle_timeout(tls->ssl);
    if (result < 0) {
        fail(tls, WEIR_TLS_FAILURE_TIMEOUT);
    } else if (result > 0) {
        if (self->early_count > 0) self->early_count--;
        if (self->doubtful_alert && --self->patience == 0) {
            tls->alert = self->doubtful_alert;
            fail(tls, tls->alert == SSL_AD_PROTOCOL_VERSION ? WEIR_TLS_FAILURE_VERSION : WEIR_TLS_FAILURE_ALERT);
        }
    }
    weir_tls_clear_errors();
}

// MARK: Cookies

static pthread_key_t hasher_key;
static pthread_once_t hasher_once = PTHREAD_ONCE_INIT;
static EVP_MAC *hmac;
// The state of a thread, with the key that it was made for: a new one takes five times as long as a hash.
static __thread EVP_MAC_CTX *hasher;
static __thread uint8_t hashed_key[WEIR_TLS_HMAC_LENGTH];

static void free_hasher(void *context) { EVP_MAC_CTX_free(context); }

static void start_hasher(void) {
    pthread_key_create(&hasher_key, free_hasher);
    hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
}

static int begin_hash(const uint8_t key[WEIR_TLS_HMAC_LENGTH]) {
    if (hasher && CRYPTO_memcmp(key, hashed_key, WEIR_TLS_HMAC_LENGTH) == 0)
        return EVP_MAC_init(hasher, NULL, 0, NULL) == 1;
    pthread_once(&hasher_once, start_hasher);
    EVP_MAC_CTX_free(hasher);
    hasher = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
    pthread_setspecific(hasher_key, hasher);
    OSSL_PARAM parameters[2];
    parameters[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0);
    parameters[1] = OSSL_PARAM_construct_end();
    if (!hasher || EVP_MAC_init(hasher, key, WEIR_TLS_HMAC_LENGTH, parameters) != 1) return 0;
    memcpy(hashed_key, key, WEIR_TLS_HMAC_LENGTH);
    return 1;
}

int weir_tls_hmac(
    const uint8_t key[WEIR_TLS_HMAC_LENGTH], const void *message, size_t length, uint8_t mac[WEIR_TLS_HMAC_LENGTH]) {
    size_t count = 0;
    int is_good = begin_hash(key) && EVP_MAC_update(hasher, message, length) == 1 &&
                  EVP_MAC_final(hasher, mac, &count, WEIR_TLS_HMAC_LENGTH) == 1 && count == WEIR_TLS_HMAC_LENGTH;
    if (!is_good) {
        // The next call makes another one.
        EVP_MAC_CTX_free(hasher);
        hasher = NULL;
        pthread_setspecific(hasher_key, NULL);
    }
    weir_tls_clear_errors();
    return is_good;
}

int weir_tls_random(void *bytes, size_t length) {
    int is_good = length <= INT32_MAX && RAND_bytes(bytes, (int)length) == 1;
    weir_tls_clear_errors();
    return is_good;
}
#endif
