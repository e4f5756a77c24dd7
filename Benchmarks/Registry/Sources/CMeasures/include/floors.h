#ifndef WEIR_FLOORS_H
#define WEIR_FLOORS_H
#include <stdint.h>

/// The least that the processor takes for the work of an update, from C: `count` plain additions to one word of memory,
/// each of which needs the one before.
static inline void weir_add_in_memory(volatile uint64_t *word, uint64_t count) {
    while (count-- > 0) *word += 1;
}

/// `count` locked additions to one word.
static inline void weir_add_locked(uint64_t *word, uint64_t count) {
    while (count-- > 0) __atomic_fetch_add(word, 1, __ATOMIC_RELEASE);
}

#endif
