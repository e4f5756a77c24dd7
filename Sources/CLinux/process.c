#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "retry.h"

const char *weir_revision(void) { return WEIR_REVISION; }

void weir_hold_standard_descriptors(void) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
        // open(2) returns the lowest free number, which is this one. A file system without /dev/null has a root.
        if (open("/dev/null", O_RDWR | O_NOCTTY) < 0) (void)open("/", O_RDONLY | O_DIRECTORY);
    }
}

// The kernel refuses a set that is smaller than its own.
int weir_affinity_count(void) {
    for (int count = 1024; count <= 1 << 18; count *= 4) {
        cpu_set_t *set = CPU_ALLOC(count);
        if (!set) return -ENOMEM;
        size_t size = CPU_ALLOC_SIZE(count);
        int result = sched_getaffinity(0, size, set) < 0 ? -errno : CPU_COUNT_S(size, set);
        CPU_FREE(set);
        if (result != -EINVAL) return result;
    }
    return -EINVAL;
}

int weir_online_count(void) {
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : (int)count;
}

int64_t weir_read_file(const char *path, void *buffer, size_t capacity) {
    int fd;
    RETRY(fd, open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (fd < 0) return fd;
    size_t length = 0;
    int64_t n = 1;
    // The kernel hands files of /proc out in pieces.
    while (length < capacity && n > 0) {
        RETRY(n, read(fd, (char *)buffer + length, capacity - length));
        if (n > 0) length += (size_t)n;
    }
    close(fd);
    return n < 0 ? n : (int64_t)length;
}

uint64_t weir_pid_namespace(void) {
    struct stat status;
    return stat("/proc/self/ns/pid", &status) < 0 ? 0 : status.st_ino;
}

uint64_t weir_monotonic_nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
}

int64_t weir_raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
    }
    return limit.rlim_cur > INT64_MAX ? INT64_MAX : (int64_t)limit.rlim_cur;
}

void weir_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }

int weir_scheduling_policy(void) { return sched_getscheduler(0); }

int weir_set_batch_scheduling(int on) {
    struct sched_param parameters = {0};
    return sched_setscheduler(0, on ? SCHED_BATCH : SCHED_OTHER, &parameters) < 0 ? -errno : 0;
}

void weir_sleep_briefly(uint64_t nanoseconds) {
    static __thread int has_short_slack;
    if (!has_short_slack) {
        // Without it the sleep is longer, and nothing else.
        prctl(PR_SET_TIMERSLACK, 1000UL, 0, 0, 0);
        has_short_slack = 1;
    }
    struct timespec time = {.tv_sec = (time_t)(nanoseconds / 1000000000ULL),
                            .tv_nsec = (long)(nanoseconds % 1000000000ULL)};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
}

void weir_ignore_sigpipe(void) { signal(SIGPIPE, SIG_IGN); }

int weir_inotify_create(void) {
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int weir_inotify_watch_folder(int fd, const char *path) {
    uint32_t mask =
        IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF;
    int watch = inotify_add_watch(fd, path, mask | IN_ONLYDIR);
    return watch < 0 ? -errno : watch;
}

// On Linux a thread's niceness is its own (sched(7)).
int weir_add_thread_nice(int by) {
    errno = 0;
    int nice = getpriority(PRIO_PROCESS, 0);
    if (nice == -1 && errno != 0) return -errno;
    return setpriority(PRIO_PROCESS, 0, nice + by > 19 ? 19 : nice + by) < 0 ? -errno : 0;
}

int weir_clear_ambient_capabilities(void) {
    return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ? -errno : 0;
}
