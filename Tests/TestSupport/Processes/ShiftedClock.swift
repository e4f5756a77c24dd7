/// A wall clock that jumps for one process: a library, loaded before all others, that adds as many seconds as a file
/// says to `CLOCK_REALTIME`. The monotonic clock stays as it is, as it does when a machine's time is set.
package final class ShiftedClock {
    private let directory: TemporaryDirectory
    private static let fileName = "seconds"

    private static let source = """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <fcntl.h>
        #include <stdlib.h>
        #include <sys/syscall.h>
        #include <sys/time.h>
        #include <time.h>
        #include <unistd.h>

        static long shift(void) {
            const char *path = getenv("SHIFTED_CLOCK");
            int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
            char text[32] = {0};
            if (file < 0) return 0;
            if (read(file, text, sizeof text - 1) < 0) text[0] = 0;
            close(file);
            return atol(text);
        }

        int clock_gettime(clockid_t clock, struct timespec *now) {
            static int (*real)(clockid_t, struct timespec *);
            if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
            int result = real(clock, now);
            if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += shift();
            return result;
        }

        int gettimeofday(struct timeval *restrict now, void *restrict zone) {
            struct timespec time;
            (void)zone;
            clock_gettime(CLOCK_REALTIME, &time);
            now->tv_sec = time.tv_sec;
            now->tv_usec = time.tv_nsec / 1000;
            return 0;
        }

        time_t time(time_t *out) {
            struct timespec now;
            clock_gettime(CLOCK_REALTIME, &now);
            if (out) *out = now.tv_sec;
            return now.tv_sec;
        }
        """

    /// Builds the library with the compiler that comes with Swift.
    package init() throws {
        directory = try TemporaryDirectory("clock")
        try directory.write("clock.c", Self.source)
        let build = try ChildProcess.run(
            "clang", ["-shared", "-fPIC", "-O1", "-o", directory.file("clock.so"), directory.file("clock.c"), "-ldl"])
        guard build.succeeded else { throw DeadlineExceeded(description: "clang: \(build)") }
        try jump(toSeconds: 0)
    }

    /// The environment variables of a process under this clock.
    package var environment: [String: String] {
        ["LD_PRELOAD": directory.file("clock.so"), "SHIFTED_CLOCK": directory.file(Self.fileName)]
    }

    /// Sets the distance of the wall clock from the true time.
    package func jump(toSeconds seconds: Int) throws {
        try directory.replace(Self.fileName, "\(seconds)\n")
    }
}
