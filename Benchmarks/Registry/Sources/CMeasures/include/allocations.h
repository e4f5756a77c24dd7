#ifndef WEIR_ALLOCATIONS_H
#define WEIR_ALLOCATIONS_H
#include <stdint.h>

/// Calls of this thread to malloc(3) and its relatives so far. They are counted because this file's functions stand
/// before those of the C library.
uint64_t weir_allocations(void);

#endif
