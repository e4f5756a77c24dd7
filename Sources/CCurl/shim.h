#ifndef WEIR_CCURL_SHIM_H
#define WEIR_CCURL_SHIM_H
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

// The options of libcurl are set by variadic functions, which Swift cannot call, and by macros over them.
#undef curl_easy_setopt
#undef curl_easy_getinfo

static inline CURLcode weir_curl_set_number(CURL *handle, CURLoption option, long value) {
    return curl_easy_setopt(handle, option, value);
}

static inline CURLcode weir_curl_set_text(CURL *handle, CURLoption option, const char *value) {
    return curl_easy_setopt(handle, option, value);
}

static inline CURLcode weir_curl_set_writer(
    CURL *handle, size_t (*writer)(char *bytes, size_t size, size_t count, void *owner), void *owner) {
    CURLcode code = curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, writer);
    return code == CURLE_OK ? curl_easy_setopt(handle, CURLOPT_WRITEDATA, owner) : code;
}

static inline CURLcode weir_curl_set_header_reader(
    CURL *handle, size_t (*reader)(char *bytes, size_t size, size_t count, void *owner), void *owner) {
    CURLcode code = curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, reader);
    return code == CURLE_OK ? curl_easy_setopt(handle, CURLOPT_HEADERDATA, owner) : code;
}

static inline long weir_curl_status(CURL *handle) {
    long status = 0;
    return curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK ? status : 0;
}
#endif
