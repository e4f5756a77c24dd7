#ifndef WEIR_COPENSSL_SHIM_H
#define WEIR_COPENSSL_SHIM_H
// For the flags of pkg-config alone: CTLS calls the library, so that no header of it reaches Swift.
#include <openssl/opensslv.h>
#endif
