#ifdef WEIR_TLS
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <time.h>

#include "internal.h"

// A clock that is a little behind must not find a new certificate too young.
enum { SKEW_SECONDS = 3600, DAY_SECONDS = 86400 };

static int add_extension(X509 *certificate, X509 *issuer, int kind, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    int is_good = extension && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return is_good;
}

static int set_serial(X509 *certificate) {
    uint8_t bytes[16];
    if (RAND_bytes(bytes, sizeof bytes) != 1) return 0;
    // Positive, and never zero (RFC 5280 section 4.1.2.2).
    bytes[0] = (bytes[0] & 0x7f) | 0x40;
    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    int is_good = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return is_good;
}

static int set_times(X509 *certificate, const X509 *issuer, int days) {
    time_t now = time(NULL);
    if (!ASN1_TIME_set(X509_getm_notBefore(certificate), now - SKEW_SECONDS)) return 0;
    if (!ASN1_TIME_adj(X509_getm_notAfter(certificate), now, days, 0)) return 0;
    const ASN1_TIME *end = issuer ? X509_get0_notAfter(issuer) : NULL;
    if (end && ASN1_TIME_compare(X509_get0_notAfter(certificate), end) > 0)
        return X509_set1_notAfter(certificate, end) == 1;
    return 1;
}

static int set_name(X509 *certificate, const char *common_name) {
    X509_NAME *name = X509_get_subject_name(certificate);
    return name && X509_NAME_add_entry_by_txt(
                       name, "CN", MBSTRING_UTF8, (const unsigned char *)common_name, -1, -1, 0) == 1;
}

static int add_extensions(X509 *certificate, X509 *issuer, int kind, const char *names) {
    int is_authority = kind == WEIR_TLS_AUTHORITY;
    int is_good =
        add_extension(
            certificate, issuer, NID_basic_constraints,
            is_authority ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE") &&
        add_extension(
            certificate, issuer, NID_key_usage,
            is_authority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature") &&
        add_extension(certificate, issuer, NID_subject_key_identifier, "hash");
    if (!is_good || is_authority) return is_good;
    return add_extension(certificate, issuer, NID_authority_key_identifier, "keyid:always") &&
           add_extension(
               certificate, issuer, NID_ext_key_usage, kind == WEIR_TLS_SERVER ? "serverAuth" : "clientAuth") &&
           add_extension(certificate, issuer, NID_subject_alt_name, names);
}

static int write_out(BIO *bio, char text[WEIR_TLS_PEM_SIZE]) {
    char *bytes = NULL;
    long count = BIO_get_mem_data(bio, &bytes);
    if (count <= 0 || count >= WEIR_TLS_PEM_SIZE) return 0;
    memcpy(text, bytes, (size_t)count);
    text[count] = 0;
    // The memory may hold a key.
    OPENSSL_cleanse(bytes, (size_t)count);
    return 1;
}

static int write_pem(X509 *certificate, EVP_PKEY *key, char *certificate_text, char *key_text) {
    BIO *first = BIO_new(BIO_s_mem()), *second = BIO_new(BIO_s_mem());
    int is_good = first && second && PEM_write_bio_X509(first, certificate) == 1 &&
                  PEM_write_bio_PrivateKey_traditional(second, key, NULL, NULL, 0, NULL, NULL) == 1 &&
                  write_out(first, certificate_text) && write_out(second, key_text);
    BIO_free(first);
    BIO_free(second);
    return is_good;
}

int weir_tls_make_certificate(
    int kind, const char *common_name, const char *names, int days, const void *authority, size_t authority_length,
    const void *authority_key, size_t authority_key_length, char certificate_text[WEIR_TLS_PEM_SIZE],
    char key_text[WEIR_TLS_PEM_SIZE]) {
    int outcome, is_good = 1;
    STACK_OF(X509) *found = NULL;
    X509 *issuer = NULL;
    EVP_PKEY *signer = NULL;
    if (kind != WEIR_TLS_AUTHORITY) {
        found = weir_tls_read_certificates(authority, authority_length, &outcome);
        issuer = found ? sk_X509_value(found, 0) : NULL;
        signer = weir_tls_read_key(authority_key, authority_key_length, &outcome);
        is_good = issuer && signer && X509_check_private_key(issuer, signer) == 1;
    }
    EVP_PKEY *key = is_good ? EVP_EC_gen("P-256") : NULL;
    X509 *certificate = key ? X509_new() : NULL;
    is_good = certificate && X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
              set_times(certificate, issuer, days) && set_name(certificate, common_name) &&
              X509_set_issuer_name(certificate, X509_get_subject_name(issuer ? issuer : certificate)) == 1 &&
              X509_set_pubkey(certificate, key) == 1 &&
              add_extensions(certificate, issuer ? issuer : certificate, kind, names) &&
              X509_sign(certificate, signer ? signer : key, EVP_sha256()) > 0 &&
              write_pem(certificate, key, certificate_text, key_text);
    X509_free(certificate);
    EVP_PKEY_free(key);
    EVP_PKEY_free(signer);
    sk_X509_pop_free(found, X509_free);
    ERR_clear_error();
    return is_good;
}

int weir_tls_fingerprint(const void *bytes, size_t length, uint8_t digest[WEIR_TLS_DIGEST_LENGTH]) {
    int outcome;
    STACK_OF(X509) *found = weir_tls_read_certificates(bytes, length, &outcome);
    int is_good = weir_tls_digest(found ? sk_X509_value(found, 0) : NULL, digest);
    sk_X509_pop_free(found, X509_free);
    ERR_clear_error();
    return is_good;
}

int weir_tls_describe(const void *bytes, size_t length, int *is_elliptic) {
    int outcome;
    STACK_OF(X509) *found = weir_tls_read_certificates(bytes, length, &outcome);
    if (!found) return -1;
    EVP_PKEY *key = X509_get0_pubkey(sk_X509_value(found, 0));
    *is_elliptic = key && EVP_PKEY_get_base_id(key) == EVP_PKEY_EC;
    int count = sk_X509_num(found);
    sk_X509_pop_free(found, X509_free);
    ERR_clear_error();
    return count;
}
#endif
