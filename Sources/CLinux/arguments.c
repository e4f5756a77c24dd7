#include "CLinux.h"

#include <stdlib.h>

static int count;
static char **arguments;

// The dynamic linker passes the arguments of main to constructors (glibc): Swift's own way to them is
// /proc/self/cmdline, which a chroot(2) may not have.
__attribute__((constructor)) static void keep(int given_count, char **given, char **environment) {
    (void)environment;
    count = given_count;
    arguments = given;
}

int weir_argument_count(void) { return count; }

const char *weir_argument(int index) { return index >= 0 && index < count ? arguments[index] : NULL; }

// libdispatch reads it before its first line. A value that the user has given stays.
void weir_silence_runtime(void) { setenv("LIBDISPATCH_LOG", "NO", 0); }
