#ifdef WEIR_TLS
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "internal.h"

enum {
    // The bytes that one call takes from the socket, so that no peer holds the thread with records that give nothing.
    INPUT_BOUND = 72 << 10,
    // The records that one call reads.
    READ_BOUND = 32,
    // The records without data that may come between two bytes of data: tickets, changes of keys, renegotiations that
    // are refused. OpenSSL has bounds of its own for empty records and warnings, and none for these.
    IDLE_BOUND = 32,
    // The records that one call writes.
    WRITE_BOUND = 8,
    // The room for the output of a call; a record is 16 KiB and less than 300 bytes more.
    STAGE_SIZE = (WRITE_BOUND + 2) * 17 << 10,
    // The bound on output that waits for the socket: that of one call, and replies to what is read meanwhile.
    OUTPUT_BOUND = STAGE_SIZE,
};

// MARK: The stage: the output of a call of the thread, which leaves it in one send(2)

static pthread_key_t stage_key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static BIO_METHOD *method;
static __thread uint8_t *stage;
static __thread uint32_t staged;

static int bio_read(BIO *bio, char *bytes, int length) {
    weir_tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (!bytes || length <= 0) return 0;
    if (tls->flags & FLAG_FIN) return 0;
    if (tls->flags & (FLAG_EMPTIED | FLAG_SHORT)) {
        tls->flags |= FLAG_STARVED;
        BIO_set_retry_read(bio);
        return -1;
    }
    if (tls->input_count >= INPUT_BOUND) {
        tls->flags |= FLAG_SPENT;
        BIO_set_retry_read(bio);
        return -1;
    }
    ssize_t count;
    do count = recv(tls->descriptor, bytes, (size_t)length, 0);
    while (count < 0 && errno == EINTR);
    if (count > 0) {
        tls->flags |= FLAG_USED;
        tls->input_count += (uint32_t)count;
        if (count < length && tls->is_shaken) tls->flags |= FLAG_SHORT;
        return (int)count;
    }
    if (count == 0) {
        tls->flags |= FLAG_FIN;
        return 0;
    }
    if (errno == EAGAIN) {
        tls->flags |= FLAG_EMPTIED | FLAG_STARVED;
        BIO_set_retry_read(bio);
        return -1;
    }
    tls->error = errno;
    return -1;
}

static int bio_write(BIO *bio, const char *bytes, int length) {
    BIO_clear_retry_flags(bio);
    if (!bytes || length <= 0) return 0;
    if (!stage) {
        stage = malloc(STAGE_SIZE);
        if (!stage) return -1;
        pthread_setspecific(stage_key, stage);
    }
    if ((uint32_t)length > STAGE_SIZE - staged) {
        BIO_set_retry_write(bio);
        return -1;
    }
    memcpy(stage + staged, bytes, (size_t)length);
    staged += (uint32_t)length;
    return length;
}

static long bio_control(BIO *bio, int command, long number, void *data) {
    (void)number, (void)data;
    weir_tls *tls = BIO_get_data(bio);
    switch (command) {
    case BIO_CTRL_FLUSH: return 1;
    case BIO_CTRL_EOF: return tls && (tls->flags & FLAG_FIN) != 0;
    default: return 0;
    }
}

static void start(void) {
    pthread_key_create(&stage_key, free);
    BIO_METHOD *made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "weir");
    if (!made) return;
    BIO_meth_set_read(made, bio_read);
    BIO_meth_set_write(made, bio_write);
    BIO_meth_set_ctrl(made, bio_control);
    method = made;
}

BIO *weir_tls_bio_new(weir_tls *tls) {
    pthread_once(&once, start);
    BIO *bio = method ? BIO_new(method) : NULL;
    if (!bio) return NULL;
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    return bio;
}

// MARK: Output

// Sends what it can. False after an error, which is noted.
static int send_bytes(weir_tls *tls, const uint8_t *bytes, uint32_t length, uint32_t *sent) {
    *sent = 0;
    while (*sent < length) {
        ssize_t count = send(tls->descriptor, bytes + *sent, length - *sent, MSG_NOSIGNAL);
        if (count < 0) {
            if (errno == EINTR) continue;
            if (errno == EAGAIN) return 1;
            tls->error = errno;
            return 0;
        }
        *sent += (uint32_t)count;
    }
    return 1;
}

static void drop_output(weir_tls *tls) {
    free(tls->output);
    tls->output = NULL;
    tls->output_start = tls->output_end = tls->output_size = 0;
}

// Sends what waits from earlier calls. False after an error.
static int send_output(weir_tls *tls) {
    if (tls->output_end > tls->output_start) {
        uint32_t sent;
        int is_good = send_bytes(tls, tls->output + tls->output_start, tls->output_end - tls->output_start, &sent);
        tls->output_start += sent;
        if (!is_good) return 0;
        if (tls->output_start < tls->output_end) return 1;
        drop_output(tls);
    }
    if (tls->flags & FLAG_FINISHING) {
        tls->flags &= (uint16_t)~FLAG_FINISHING;
        shutdown(tls->descriptor, SHUT_WR);
    }
    return 1;
}

// Keeps bytes for later. False without memory, or beyond the bound.
static int keep(weir_tls *tls, const uint8_t *bytes, uint32_t length) {
    if (tls->output_start > 0) {
        memmove(tls->output, tls->output + tls->output_start, tls->output_end - tls->output_start);
        tls->output_end -= tls->output_start;
        tls->output_start = 0;
    }
    uint32_t needed = tls->output_end + length;
    if (needed > OUTPUT_BOUND) return 0;
    if (needed > tls->output_size) {
        uint8_t *output = realloc(tls->output, needed);
        if (!output) return 0;
        tls->output = output;
        tls->output_size = needed;
    }
    memcpy(tls->output + tls->output_end, bytes, length);
    tls->output_end = needed;
    return 1;
}

// Sends the output of this call, behind what waits. False after an error.
static int send_staged(weir_tls *tls) {
    uint32_t count = staged, sent = 0;
    staged = 0;
    if (tls->error) return 0;
    if (tls->output_end > tls->output_start) {
        if (count > 0 && !keep(tls, stage, count)) {
            tls->error = ENOBUFS;
            return 0;
        }
        return send_output(tls);
    }
    if (count > 0) {
        if (!send_bytes(tls, stage, count, &sent)) return 0;
        if (sent < count) {
            if (keep(tls, stage + sent, count - sent)) return 1;
            tls->error = ENOBUFS;
            return 0;
        }
    }
    return send_output(tls);
}

// MARK: Life

static weir_tls *new_connection(weir_tls_context *context) {
    weir_tls *tls = calloc(1, sizeof(*tls));
    if (!tls) return NULL;
    tls->context = context;
    tls->ssl = SSL_new(context->ssl);
    BIO *bio = tls->ssl ? weir_tls_bio_new(tls) : NULL;
    if (!bio) {
        weir_tls_free(tls);
        weir_tls_clear_errors();
        return NULL;
    }
    SSL_set_bio(tls->ssl, bio, bio);
    SSL_set_app_data(tls->ssl, tls);
    return tls;
}

void weir_tls_free(weir_tls *tls) {
    if (!tls) return;
    // Otherwise OpenSSL marks the session of a connection that ended without close_notify as not resumable.
    if (tls->ssl && !(tls->flags & FLAG_DEAD) && tls->is_shaken)
        SSL_set_shutdown(tls->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(tls->ssl);
    free(tls->output);
    free(tls->expected_name);
    free(tls);
    weir_tls_clear_errors();
}

weir_tls *weir_tls_accept(weir_tls_context *context, const weir_tls_certificates *set) {
    weir_tls *tls = new_connection(context);
    if (!tls) return NULL;
    tls->certificates = set;
    SSL_set_accept_state(tls->ssl);
    return tls;
}

int weir_tls_set_peer(weir_tls *tls, const char *name, int is_address) {
    // A chain without a name would be that of any server.
    if (!name) return !tls->context->verifies;
    if (!is_address && SSL_set_tlsext_host_name(tls->ssl, name) != 1) return 0;
    if (!tls->context->verifies) return 1;
    X509_VERIFY_PARAM *parameters = SSL_get0_param(tls->ssl);
    X509_VERIFY_PARAM_set_hostflags(
        parameters, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return is_address ? X509_VERIFY_PARAM_set1_ip_asc(parameters, name) == 1
                      : X509_VERIFY_PARAM_set1_host(parameters, name, 0) == 1;
}

weir_tls *weir_tls_connect(
    weir_tls_context *context, weir_tls_sessions *sessions, const char *name, int is_address) {
    weir_tls *tls = new_connection(context);
    if (!tls) return NULL;
    tls->sessions = sessions;
    SSL_set_connect_state(tls->ssl);
    int is_good = weir_tls_set_peer(tls, name, is_address);
    SSL_SESSION *session = is_good && sessions ? weir_tls_sessions_take(sessions) : NULL;
    if (session && context->verifies && weir_tls_has_ended(session)) {
        // A server that is asked anew has to show another certificate.
        SSL_SESSION_free(session);
    } else if (session) {
        SSL_set_session(tls->ssl, session);
        SSL_SESSION_free(session);
    }
    weir_tls_clear_errors();
    if (is_good) return tls;
    weir_tls_free(tls);
    return NULL;
}

void weir_tls_expect_name(weir_tls *tls, const void *name, size_t length) {
    char *copy = malloc(length + 1);
    if (!copy) {
        tls->flags |= FLAG_NAME_REFUSED | FLAG_DEAD;
        tls->failure = WEIR_TLS_FAILURE_OTHER;
        return;
    }
    if (length > 0) memcpy(copy, name, length);
    copy[length] = 0;
    free(tls->expected_name);
    tls->expected_name = copy;
}

// MARK: Calls

static void begin(weir_tls *tls, int descriptor) {
    tls->descriptor = descriptor;
    tls->input_count = 0;
    // The error of a connection that is over stays, for the call that tells of it.
    if (!(tls->flags & FLAG_DEAD)) tls->error = 0;
    tls->flags &= (uint16_t) ~(FLAG_EMPTIED | FLAG_SHORT | FLAG_SPENT);
    staged = 0;
    weir_tls_clear_errors();
}

static int failure_of(long verify_result) {
    switch (verify_result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID: return WEIR_TLS_FAILURE_EXPIRED;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: return WEIR_TLS_FAILURE_NAME;
    default: return WEIR_TLS_FAILURE_UNKNOWN_CA;
    }
}

// The number of the alert that the peer has sent (RFC 8446 section 6.2); 0 where the error is none. Above these reasons
// OpenSSL has those of its own troubles.
static uint8_t alert_of(unsigned long error) {
    int reason = ERR_GET_REASON(error);
    int is_alert = ERR_GET_LIB(error) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET &&
                   reason <= SSL_AD_REASON_OFFSET + UINT8_MAX;
    return is_alert ? (uint8_t)(reason - SSL_AD_REASON_OFFSET) : 0;
}

static int failure_of_error(unsigned long error) {
    if (alert_of(error) && ERR_GET_REASON(error) != SSL_R_TLSV1_ALERT_PROTOCOL_VERSION) return WEIR_TLS_FAILURE_ALERT;
    if (ERR_FATAL_ERROR(error)) return WEIR_TLS_FAILURE_OTHER;
    switch (ERR_GET_REASON(error)) {
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: return WEIR_TLS_FAILURE_NO_CERTIFICATE;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_VERSION_TOO_HIGH:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_UNSUPPORTED_SSL_VERSION:
    case SSL_R_INAPPROPRIATE_FALLBACK:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION: return WEIR_TLS_FAILURE_VERSION;
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SUITABLE_GROUPS: return WEIR_TLS_FAILURE_CIPHER;
    default: return WEIR_TLS_FAILURE_PROTOCOL;
    }
}

// The first error of TLS is the cause. Those of other parts before it are its details, and alone they are no fault of
// the peer.
static int failure_of_errors(void) {
    for (unsigned long error = ERR_get_error(); error != 0; error = ERR_get_error())
        if (ERR_GET_LIB(error) == ERR_LIB_SSL) return failure_of_error(error);
    return WEIR_TLS_FAILURE_OTHER;
}

int weir_tls_note_failure(weir_tls *tls) {
    tls->alert = alert_of(ERR_peek_error());
    int is_unused = SSL_is_server(tls->ssl) && !(tls->flags & FLAG_USED);
    long verify_result = SSL_get_verify_result(tls->ssl);
    tls->flags |= FLAG_DEAD;
    if (tls->error) {
        tls->failure = WEIR_TLS_FAILURE_CLOSED;
        return is_unused ? WEIR_TLS_UNUSED : WEIR_TLS_BROKEN;
    }
    if (tls->flags & FLAG_NAME_REFUSED) tls->failure = WEIR_TLS_FAILURE_NAME;
    else if (verify_result != X509_V_OK && tls->context->verifies) tls->failure = (uint8_t)failure_of(verify_result);
    else if (tls->flags & FLAG_FIN) tls->failure = WEIR_TLS_FAILURE_CLOSED;
    else tls->failure = (uint8_t)failure_of_errors();
    return is_unused ? WEIR_TLS_UNUSED : WEIR_TLS_FAILED;
}

// Counts the records without data behind the handshake. The type of one is in its header, or, with TLS 1.3, encrypted.
static void record_seen(
    int is_written, int version, int kind, const void *bytes, size_t length, SSL *ssl, void *data) {
    (void)version, (void)data;
    if (is_written || length == 0 || (kind != SSL3_RT_HEADER && kind != SSL3_RT_INNER_CONTENT_TYPE)) return;
    weir_tls *tls = SSL_get_app_data(ssl);
    if (*(const uint8_t *)bytes == SSL3_RT_APPLICATION_DATA || tls->idle_records++ < IDLE_BOUND) return;
    // OpenSSL reads all that it has before it returns; only behind the end of the stream it takes no record any more.
    tls->flags |= FLAG_FLOODED;
    SSL_set_shutdown(ssl, SSL_get_shutdown(ssl) | SSL_RECEIVED_SHUTDOWN);
}

int weir_tls_handshake(weir_tls *tls, int descriptor) {
    begin(tls, descriptor);
    if (tls->flags & FLAG_DEAD) return WEIR_TLS_FAILED;
    int result = SSL_do_handshake(tls->ssl);
    int kind = result == 1 ? SSL_ERROR_NONE : SSL_get_error(tls->ssl, result);
    int outcome = WEIR_TLS_DONE;
    if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE) {
        outcome = kind == SSL_ERROR_WANT_READ && !(tls->flags & FLAG_EMPTIED) ? WEIR_TLS_YIELDED : WEIR_TLS_WAITING;
        // An alert of the other side may wait behind an error.
        if (tls->error) outcome = weir_tls_note_failure(tls);
    } else if (kind != SSL_ERROR_NONE) {
        outcome = weir_tls_note_failure(tls);
    }
    ERR_clear_error();
    // Also after a failure: the alert.
    int error = tls->error;
    if (!send_staged(tls) && outcome != WEIR_TLS_FAILED && outcome != WEIR_TLS_UNUSED) {
        tls->flags |= FLAG_DEAD;
        tls->failure = WEIR_TLS_FAILURE_CLOSED;
        if (error) tls->error = error;
        return WEIR_TLS_BROKEN;
    }
    if (outcome == WEIR_TLS_DONE) {
        tls->certificates = NULL;
        free(tls->expected_name);
        tls->expected_name = NULL;
        tls->is_shaken = 1;
        SSL_set_msg_callback(tls->ssl, record_seen);
    }
    return outcome;
}

int weir_tls_failure(const weir_tls *tls) { return tls->failure; }
int weir_tls_alert(const weir_tls *tls) { return tls->alert; }
int weir_tls_error(const weir_tls *tls) { return tls->error ? tls->error : EPROTO; }

int64_t weir_tls_receive(weir_tls *tls, int descriptor, void *bytes, size_t length) {
    begin(tls, descriptor);
    if (tls->flags & FLAG_DEAD) return WEIR_TLS_ERROR;
    size_t total = 0;
    int64_t outcome = 0;
    for (int records = 0; records < READ_BOUND && total < length; records++) {
        size_t count = 0;
        tls->flags &= (uint16_t)~FLAG_STARVED;
        int result = SSL_read_ex(tls->ssl, (char *)bytes + total, length - total, &count);
        if (result == 1) {
            total += count;
            tls->idle_records = 0;
            continue;
        }
        int kind = SSL_get_error(tls->ssl, result);
        if (tls->flags & FLAG_FLOODED) {
            tls->flags |= FLAG_DEAD;
            outcome = WEIR_TLS_ERROR;
        } else if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE) {
            // A record without data, such as a ticket: others may lie behind it.
            if (!(tls->flags & (FLAG_STARVED | FLAG_SPENT))) continue;
            if (tls->flags & FLAG_SPENT) break;
            // Without a byte to give, only the socket's own word is a proof that it is empty.
            if (total == 0 && (tls->flags & (FLAG_SHORT | FLAG_EMPTIED)) == FLAG_SHORT) {
                tls->flags &= (uint16_t)~FLAG_SHORT;
                continue;
            }
            outcome = WEIR_TLS_WOULD_BLOCK;
        } else if (kind == SSL_ERROR_ZERO_RETURN) {
            if (tls->flags & FLAG_FIN) tls->flags |= FLAG_TRUNCATED;
            outcome = WEIR_TLS_END;
        } else {
            tls->flags |= FLAG_DEAD;
            // A fatal alert ends the connection as a reset does.
            tls->alert = alert_of(ERR_peek_error());
            if (!tls->error && tls->alert) tls->error = ECONNRESET;
            outcome = WEIR_TLS_ERROR;
        }
        break;
    }
    weir_tls_clear_errors();
    if (staged > 0 && outcome != WEIR_TLS_ERROR && !send_staged(tls)) {
        // What was read is still given; the next call tells of the error.
        tls->flags |= FLAG_DEAD;
        outcome = WEIR_TLS_ERROR;
    } else if (staged > 0) {
        int error = tls->error;
        send_staged(tls);
        tls->error = error;
    }
    // Ends and errors stay, and are reported by the next call.
    if (total > 0) {
        if (outcome != WEIR_TLS_WOULD_BLOCK) tls->flags &= (uint16_t) ~(FLAG_EMPTIED | FLAG_SHORT);
        return (int64_t)total;
    }
    return outcome;
}

int weir_tls_has_emptied(const weir_tls *tls) { return (tls->flags & (FLAG_EMPTIED | FLAG_SHORT)) != 0; }
int weir_tls_is_truncated(const weir_tls *tls) { return (tls->flags & FLAG_TRUNCATED) != 0; }

int64_t weir_tls_send(weir_tls *tls, int descriptor, const void *bytes, size_t length) {
    begin(tls, descriptor);
    if (tls->flags & FLAG_DEAD) return WEIR_TLS_ERROR;
    if (!send_output(tls)) return WEIR_TLS_ERROR;
    if (tls->output_end > tls->output_start) return WEIR_TLS_WOULD_BLOCK;
    size_t total = 0;
    for (int records = 0; records < WRITE_BOUND && total < length; records++) {
        size_t count = 0;
        int result = SSL_write_ex(tls->ssl, (const char *)bytes + total, length - total, &count);
        if (result == 1) {
            total += count;
            continue;
        }
        int kind = SSL_get_error(tls->ssl, result);
        if (kind != SSL_ERROR_WANT_READ && kind != SSL_ERROR_WANT_WRITE) {
            tls->flags |= FLAG_DEAD;
            if (total == 0) {
                weir_tls_clear_errors();
                staged = 0;
                return WEIR_TLS_ERROR;
            }
        }
        break;
    }
    weir_tls_clear_errors();
    if (!send_staged(tls)) return WEIR_TLS_ERROR;
    return total > 0 ? (int64_t)total : WEIR_TLS_WOULD_BLOCK;
}

void weir_tls_finish(weir_tls *tls, int descriptor) {
    begin(tls, descriptor);
    if (tls->flags & FLAG_DEAD) return;
    SSL_shutdown(tls->ssl);
    ERR_clear_error();
    tls->flags |= FLAG_FINISHING;
    // What the peer has sent before an error can still be read, and then the error.
    send_staged(tls);
}

int weir_tls_has_output(const weir_tls *tls) { return tls->output_end > tls->output_start; }

int weir_tls_flush(weir_tls *tls, int descriptor) {
    begin(tls, descriptor);
    return send_output(tls) ? 0 : weir_tls_error(tls);
}

// MARK: Facts

static size_t copy(const char *from, size_t length, char *text, size_t size) {
    if (size == 0) return 0;
    if (!from || length >= size) length = 0;
    if (length > 0) memcpy(text, from, length);
    text[length] = 0;
    return length;
}

int weir_tls_version(const weir_tls *tls) { return SSL_version(tls->ssl); }
int weir_tls_is_resumed(const weir_tls *tls) { return SSL_session_reused(tls->ssl); }

size_t weir_tls_protocol(const weir_tls *tls, char *text, size_t size) {
    const unsigned char *name = NULL;
    unsigned int length = 0;
    SSL_get0_alpn_selected(tls->ssl, &name, &length);
    return copy((const char *)name, length, text, size);
}

size_t weir_tls_server_name(const weir_tls *tls, char *text, size_t size) {
    const char *name = SSL_get_servername(tls->ssl, TLSEXT_NAMETYPE_host_name);
    return copy(name, name ? strlen(name) : 0, text, size);
}

size_t weir_tls_cipher(const weir_tls *tls, char *text, size_t size) {
    const char *name = SSL_get_cipher_name(tls->ssl);
    return copy(name, name ? strlen(name) : 0, text, size);
}
#endif
