// The only code that deals with EINTR: repeats a call that a signal interrupted, and turns -1 into a negated errno.
#ifndef WEIR_RETRY_H
#define WEIR_RETRY_H

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RETRY(result, call)                       \
    do {                                          \
        (result) = (call);                        \
    } while ((result) == -1 && errno == EINTR);   \
    if ((result) == -1) (result) = -errno

/// The calls of the data path bypass the C library's wrappers: those are cancellation points (pthreads(7)), which costs
/// two atomic operations a call, and no thread here is ever canceled.
#define DIRECT(name, ...) syscall(SYS_##name, __VA_ARGS__)

#endif
