#ifndef WEIR_CMAXMINDDB_SHIM_H
#define WEIR_CMAXMINDDB_SHIM_H
#include <maxminddb.h>
#endif
