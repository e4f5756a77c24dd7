#ifdef WEIR_TLS
#define _GNU_SOURCE
#include <ctype.h>
#include <openssl/pem.h>
#include <stdlib.h>

#include "internal.h"

enum {
    // The bytes of the longest DNS name (RFC 1035 section 2.3.4), as text.
    NAME_BOUND = 253,
};

// Refuses a password without asking at the terminal.
static int no_password(char *buffer, int size, int is_writing, void *data) {
    (void)buffer, (void)size, (void)is_writing;
    *(int *)data = 1;
    return -1;
}

static BIO *reader(const void *bytes, size_t length) {
    return length > INT32_MAX ? NULL : BIO_new_mem_buf(length == 0 ? "" : bytes, (int)length);
}

STACK_OF(X509) * weir_tls_read_certificates(const void *bytes, size_t length, int *outcome) {
    *outcome = WEIR_TLS_NO_MEMORY;
    BIO *bio = reader(bytes, length);
    STACK_OF(X509) *found = sk_X509_new_null();
    int asked = 0;
    while (bio && found) {
        X509 *certificate = PEM_read_bio_X509_AUX(bio, NULL, no_password, &asked);
        if (!certificate) break;
        if (sk_X509_push(found, certificate) == 0) {
            X509_free(certificate);
            sk_X509_pop_free(found, X509_free);
            found = NULL;
        }
    }
    BIO_free(bio);
    if (!found) {
        ERR_clear_error();
        return NULL;
    }
    unsigned long error = ERR_peek_last_error();
    int is_end = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    *outcome = !is_end ? WEIR_TLS_BAD_CERTIFICATE
               : sk_X509_num(found) == 0 ? WEIR_TLS_NO_CERTIFICATE
                                         : WEIR_TLS_LOADED;
    if (*outcome == WEIR_TLS_LOADED) return found;
    sk_X509_pop_free(found, X509_free);
    return NULL;
}

EVP_PKEY *weir_tls_read_key(const void *bytes, size_t length, int *outcome) {
    *outcome = WEIR_TLS_NO_MEMORY;
    BIO *bio = reader(bytes, length);
    if (!bio) return NULL;
    int asked = 0;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_password, &asked);
    BIO_free(bio);
    ERR_clear_error();
    // The error of the decoder does not tell it apart.
    static const char mark[] = "PRIVATE KEY-----";
    int is_absent = length == 0 || memmem(bytes, length, mark, sizeof mark - 1) == NULL;
    *outcome = key ? WEIR_TLS_LOADED
               : asked ? WEIR_TLS_ENCRYPTED_KEY
               : is_absent ? WEIR_TLS_NO_KEY
                           : WEIR_TLS_BAD_KEY;
    return key;
}

int weir_tls_check_authorities(const void *bytes, size_t length) {
    int outcome;
    sk_X509_pop_free(weir_tls_read_certificates(bytes, length, &outcome), X509_free);
    return outcome;
}

weir_tls_certificates *weir_tls_certificates_new(void) { return calloc(1, sizeof(weir_tls_certificates)); }

void weir_tls_certificates_free(weir_tls_certificates *set) {
    if (!set) return;
    for (size_t i = 0; i < set->count; i++) {
        X509_free(set->entries[i].leaf);
        EVP_PKEY_free(set->entries[i].key);
        sk_X509_pop_free(set->entries[i].chain, X509_free);
    }
    for (size_t i = 0; i < set->name_count; i++) free(set->names[i].text);
    free(set->entries);
    free(set->names);
    free(set);
}

static int compare_names(const void *left, const void *right) {
    const struct weir_tls_name *a = left, *b = right;
    int order = strcmp(a->text, b->text);
    return order != 0 ? order : (a->entry > b->entry) - (a->entry < b->entry);
}

static int add_name(weir_tls_certificates *set, const char *text, size_t length, size_t entry) {
    if (length == 0 || length > 255 || memchr(text, 0, length)) return 1;
    struct weir_tls_name *names = realloc(set->names, (set->name_count + 1) * sizeof(*names));
    if (!names) return 0;
    set->names = names;
    char *copy = malloc(length + 1);
    if (!copy) return 0;
    for (size_t i = 0; i < length; i++) copy[i] = (char)tolower((unsigned char)text[i]);
    copy[length] = 0;
    names[set->name_count++] = (struct weir_tls_name){copy, (uint32_t)entry};
    return 1;
}

// The text of a common name, without control characters, as ASCII or else as UTF-8; its length, or 0.
static size_t common_name(X509 *certificate, char *text, size_t size, int is_ascii) {
    X509_NAME *subject = X509_get_subject_name(certificate);
    int position = subject ? X509_NAME_get_index_by_NID(subject, NID_commonName, -1) : -1;
    if (position < 0) return 0;
    ASN1_STRING *value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, position));
    unsigned char *utf8 = NULL;
    int length = value ? ASN1_STRING_to_UTF8(&utf8, value) : -1;
    size_t count = 0;
    if (length > 0 && (size_t)length < size) {
        int is_text = 1;
        for (int i = 0; i < length; i++) is_text &= utf8[i] >= 0x20 && utf8[i] != 0x7f && (!is_ascii || utf8[i] < 0x80);
        if (is_text) {
            memcpy(text, utf8, (size_t)length);
            count = (size_t)length;
        }
    }
    OPENSSL_free(utf8);
    if (size > 0) text[count] = 0;
    return count;
}

// The alternative names of a certificate, or NULL; the caller frees them.
static GENERAL_NAMES *names_of(const X509 *certificate) {
    return X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
}

// The text of a name of this kind, GEN_DNS or GEN_URI, as visible ASCII; its length, or 0 where it is something else.
static size_t printable(const GENERAL_NAME *name, int kind, const char **text) {
    int found = -1;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &found);
    if (found != kind || !value) return 0;
    const unsigned char *bytes = ASN1_STRING_get0_data(value);
    int count = ASN1_STRING_length(value);
    for (int i = 0; i < count; i++) {
        // A comma would make one URI look like two.
        if (bytes[i] <= 0x20 || bytes[i] >= 0x7f || (kind == GEN_URI && bytes[i] == ',')) return 0;
    }
    *text = (const char *)bytes;
    return count > 0 ? (size_t)count : 0;
}

// Adds the names that clients may ask for. Where there is no DNS name, the common name chooses, too.
static int add_names(weir_tls_certificates *set, X509 *leaf, size_t entry) {
    GENERAL_NAMES *names = names_of(leaf);
    int is_good = 1, has_name = 0;
    for (int i = 0; names && is_good && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        has_name |= name->type == GEN_DNS;
        const char *part = NULL;
        size_t count = printable(name, GEN_DNS, &part);
        if (count > 0) is_good = add_name(set, part, count, entry);
    }
    GENERAL_NAMES_free(names);
    char text[256];
    size_t length = has_name ? 0 : common_name(leaf, text, sizeof text, 1);
    if (length > 0 && is_good) is_good = add_name(set, text, length, entry);
    qsort(set->names, set->name_count, sizeof(*set->names), compare_names);
    return is_good;
}

// Tells what is wrong where the key is not that of the first certificate.
static int mismatch(STACK_OF(X509) * certificates, EVP_PKEY *key) {
    int has_leaf = 0;
    for (int i = 0; i < sk_X509_num(certificates); i++) {
        X509 *certificate = sk_X509_value(certificates, i);
        if (X509_check_private_key(certificate, key) == 1) return WEIR_TLS_LEAF_NOT_FIRST;
        has_leaf |= X509_check_ca(certificate) == 0;
    }
    return has_leaf ? WEIR_TLS_MISMATCH : WEIR_TLS_NO_LEAF;
}

// Whether OpenSSL would use them: a context of its own tells before a client does.
static int is_accepted(const struct weir_tls_entry *entry) {
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (context) SSL_CTX_set_security_level(context, SECURITY_LEVEL);
    int is_good = context && SSL_CTX_use_cert_and_key(context, entry->leaf, entry->key, entry->chain, 1) == 1;
    SSL_CTX_free(context);
    return is_good;
}

int weir_tls_certificates_add(
    weir_tls_certificates *set, const void *chain, size_t chain_length, const void *key, size_t key_length) {
    int outcome;
    struct weir_tls_entry entry = {0};
    STACK_OF(X509) *certificates = weir_tls_read_certificates(chain, chain_length, &outcome);
    if (!certificates) return outcome;
    entry.key = weir_tls_read_key(key, key_length, &outcome);
    if (outcome == WEIR_TLS_LOADED && X509_check_private_key(sk_X509_value(certificates, 0), entry.key) != 1)
        outcome = mismatch(certificates, entry.key);
    if (outcome == WEIR_TLS_LOADED) {
        entry.leaf = sk_X509_shift(certificates);
        entry.chain = certificates;
        certificates = NULL;
        if (!is_accepted(&entry)) outcome = WEIR_TLS_REFUSED;
    }
    struct weir_tls_entry *entries = NULL;
    if (outcome == WEIR_TLS_LOADED) {
        entries = realloc(set->entries, (set->count + 1) * sizeof(*entries));
        if (entries) set->entries = entries;
        if (!entries || !add_names(set, entry.leaf, set->count)) outcome = WEIR_TLS_NO_MEMORY;
    }
    if (outcome == WEIR_TLS_LOADED) {
        entries[set->count++] = entry;
    } else {
        X509_free(entry.leaf);
        EVP_PKEY_free(entry.key);
        sk_X509_pop_free(entry.chain, X509_free);
        sk_X509_pop_free(certificates, X509_free);
    }
    ERR_clear_error();
    return outcome;
}

int64_t weir_tls_certificates_expiry(const weir_tls_certificates *set, size_t index) {
    struct tm time;
    if (index >= set->count || ASN1_TIME_to_tm(X509_get0_notAfter(set->entries[index].leaf), &time) != 1) return 0;
    return (int64_t)timegm(&time);
}

static void append(char *text, size_t size, size_t *length, const char *part, size_t count) {
    size_t separator = *length > 0 ? 1 : 0;
    if (count == 0 || *length + separator + count >= size) return;
    if (separator) text[(*length)++] = ',';
    memcpy(text + *length, part, count);
    *length += count;
    text[*length] = 0;
}

size_t weir_tls_certificates_names(const weir_tls_certificates *set, size_t index, char *text, size_t size) {
    size_t length = 0;
    if (size == 0) return 0;
    text[0] = 0;
    if (index >= set->count) return 0;
    X509 *leaf = set->entries[index].leaf;
    GENERAL_NAMES *names = names_of(leaf);
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names); i++) {
        GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_DNS) {
            const char *part = NULL;
            size_t count = printable(name, GEN_DNS, &part);
            append(text, size, &length, part, count);
        } else if (name->type == GEN_IPADD) {
            char *address = NULL;
            BIO *bio = BIO_new(BIO_s_mem());
            // Prints `IP Address:` before it.
            if (bio && GENERAL_NAME_print(bio, name) == 1) {
                long count = BIO_get_mem_data(bio, &address);
                const char *colon = count > 0 ? memchr(address, ':', (size_t)count) : NULL;
                if (colon) append(text, size, &length, colon + 1, (size_t)count - (size_t)(colon + 1 - address));
            }
            BIO_free(bio);
        }
    }
    GENERAL_NAMES_free(names);
    if (length == 0) {
        char name[256];
        append(text, size, &length, name, common_name(leaf, name, sizeof name, 1));
    }
    weir_tls_clear_errors();
    return length;
}

// Uses all entries of a name, one for each kind of key. Returns how many, or -1 after an error.
static int use_entries(SSL *ssl, const weir_tls_certificates *set, const char *name) {
    size_t low = 0, high = set->name_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(set->names[middle].text, name) < 0) low = middle + 1;
        else high = middle;
    }
    int used = 0;
    int types[8];
    for (; low < set->name_count && used < 8 && strcmp(set->names[low].text, name) == 0; low++) {
        const struct weir_tls_entry *entry = &set->entries[set->names[low].entry];
        int type = EVP_PKEY_get_base_id(entry->key), is_known = 0;
        for (int i = 0; i < used; i++) is_known |= types[i] == type;
        if (is_known) continue;
        if (SSL_use_cert_and_key(ssl, entry->leaf, entry->key, entry->chain, 1) != 1) return -1;
        types[used++] = type;
    }
    return used;
}

int weir_tls_use_certificate(SSL *ssl, const weir_tls_certificates *set, const char *name) {
    if (!set || set->count == 0) return 0;
    SSL_certs_clear(ssl);
    size_t length = name ? strlen(name) : 0;
    if (length > 0 && length < 256) {
        char lower[258];
        for (size_t i = 0; i <= length; i++) lower[i + 1] = (char)tolower((unsigned char)name[i]);
        int used = use_entries(ssl, set, lower + 1);
        // A wildcard stands for one label (RFC 6125).
        char *dot = used == 0 ? strchr(lower + 1, '.') : NULL;
        if (dot) {
            *--dot = '*';
            used = use_entries(ssl, set, dot);
        }
        if (used != 0) return used > 0;
    }
    const struct weir_tls_entry *entry = &set->entries[0];
    return SSL_use_cert_and_key(ssl, entry->leaf, entry->key, entry->chain, 1) == 1;
}

// The certificate of the peer; NULL where it showed none, or none that was verified.
static X509 *verified(const weir_tls *tls) {
    if (!tls->context->verifies || SSL_get_verify_result(tls->ssl) != X509_V_OK) return NULL;
    return SSL_get0_peer_certificate(tls->ssl);
}

// Writes the names of a kind as far as they fit, at most `bound` of them, separated by commas. Returns the length.
static size_t join(X509 *certificate, int kind, int bound, char *text, size_t size) {
    size_t length = 0;
    GENERAL_NAMES *names = names_of(certificate);
    for (int i = 0; names && bound > 0 && i < sk_GENERAL_NAME_num(names); i++) {
        const char *part = NULL;
        size_t count = printable(sk_GENERAL_NAME_value(names, i), kind, &part), before = length;
        append(text, size, &length, part, count);
        if (length > before) bound--;
    }
    GENERAL_NAMES_free(names);
    return length;
}

size_t weir_tls_peer_name(const weir_tls *tls, char *text, size_t size) {
    if (size == 0) return 0;
    text[0] = 0;
    X509 *certificate = verified(tls);
    if (!certificate) return 0;
    size_t length = join(certificate, GEN_DNS, 1, text, size);
    if (length == 0) length = common_name(certificate, text, size, 1);
    weir_tls_clear_errors();
    return length;
}

size_t weir_tls_peer_uris(const weir_tls *tls, char *text, size_t size) {
    if (size == 0) return 0;
    text[0] = 0;
    X509 *certificate = verified(tls);
    size_t length = certificate ? join(certificate, GEN_URI, INT32_MAX, text, size) : 0;
    weir_tls_clear_errors();
    return length;
}

int weir_tls_peer_fingerprint(const weir_tls *tls, uint8_t digest[WEIR_TLS_DIGEST_LENGTH]) {
    int is_good = weir_tls_digest(verified(tls), digest);
    weir_tls_clear_errors();
    return is_good;
}

size_t weir_tls_peer_common_name(const weir_tls *tls, char *text, size_t size) {
    X509 *certificate = verified(tls);
    if (size > 0) text[0] = 0;
    size_t length = certificate ? common_name(certificate, text, size, 0) : 0;
    weir_tls_clear_errors();
    return length;
}

size_t weir_tls_peer_names(const weir_tls *tls, void *text, size_t size) {
    size_t length = 0;
    X509 *certificate = verified(tls);
    GENERAL_NAMES *names = certificate ? names_of(certificate) : NULL;
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names); i++) {
        const char *part = NULL;
        size_t count = printable(sk_GENERAL_NAME_value(names, i), GEN_DNS, &part);
        if (count == 0 || count > NAME_BOUND) continue;
        if (length + count + 1 <= size) {
            for (size_t j = 0; j < count; j++) ((char *)text)[length + j] = (char)tolower((unsigned char)part[j]);
            ((char *)text)[length + count] = '\n';
        }
        length += count + 1;
    }
    GENERAL_NAMES_free(names);
    weir_tls_clear_errors();
    return length;
}

int weir_tls_has_peer_certificate(const weir_tls *tls) { return verified(tls) != NULL; }
#endif
