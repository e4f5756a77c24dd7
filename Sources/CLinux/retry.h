// The one place that deals with EINTR: repeats a call that a signal interrupted, and turns -1 into a negated errno.
#ifndef WEIR_RETRY_H
#define WEIR_RETRY_H

#include <errno.h>

#define RETRY(result, call)                       \
    do {                                          \
        (result) = (call);                        \
    } while ((result) == -1 && errno == EINTR);   \
    if ((result) == -1) (result) = -errno

#endif
