#ifndef WEIR_CCRYPT_SHIM_H
#define WEIR_CCRYPT_SHIM_H
#include <crypt.h>
#endif
