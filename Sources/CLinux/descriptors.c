#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "retry.h"

// close(2) on Linux releases the descriptor even when it reports EINTR: a repeated call could close a reused number.
int weir_close(int fd) { return close(fd) < 0 ? -errno : 0; }

int weir_eventfd(void) {
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int weir_eventfd_signal(int fd) {
    uint64_t one = 1;
    int64_t n;
    RETRY(n, write(fd, &one, sizeof one));
    return n < 0 ? (int)n : 0;
}

int weir_eventfd_drain(int fd) {
    uint64_t value;
    int64_t n;
    RETRY(n, read(fd, &value, sizeof value));
    return n < 0 ? (int)n : 0;
}

int64_t weir_read(int fd, void *buffer, size_t length) {
    int64_t n;
    RETRY(n, read(fd, buffer, length));
    return n;
}

int weir_pipe(int *read_end, int *write_end, int capacity) {
    int ends[2];
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0) return -errno;
    *read_end = ends[0];
    *write_end = ends[1];
    // The system may refuse a user more (pipe(7)); then it keeps what it has.
    fcntl(ends[1], F_SETPIPE_SZ, capacity);
    int size = fcntl(ends[1], F_GETPIPE_SZ);
    return size < 0 ? 65536 : size;
}

int64_t weir_splice(int from, int to, size_t length) {
    int64_t n;
    RETRY(n, splice(from, NULL, to, NULL, length, SPLICE_F_MOVE | SPLICE_F_NONBLOCK));
    return n;
}

int weir_open_append(const char *path) {
    int fd;
    RETRY(fd, open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0640));
    return fd;
}

int weir_ends_amid_line(const char *path) {
    int fd;
    RETRY(fd, open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (fd < 0) return 0;
    struct stat status;
    char last = '\n';
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
        ssize_t n;
        RETRY(n, pread(fd, &last, 1, status.st_size - 1));
        if (n != 1) last = '\n';
    }
    close(fd);
    return last != '\n';
}

int weir_is_same_file(int a, int b) {
    struct stat first, second;
    if (fstat(a, &first) < 0 || fstat(b, &second) < 0) return 0;
    return first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

int weir_copy_to_memory(const char *path, int64_t limit) {
    int from, to;
    // Without O_NONBLOCK the open of a FIFO would block until another process opens it for writing.
    RETRY(from, open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    if (from < 0) return from;
    struct stat status;
    if (fstat(from, &status) < 0 || !S_ISREG(status.st_mode)) {
        close(from);
        return -EINVAL;
    }
    RETRY(to, memfd_create("weir", MFD_CLOEXEC));
    int64_t total = 0, count = to < 0 ? to : 1;
    while (count > 0 && total <= limit) {
        // sendfile(2) moves pages within the kernel; both positions go forward.
        RETRY(count, sendfile(to, from, NULL, 16 << 20));
        if (count > 0) total += count;
    }
    close(from);
    if (count >= 0 && total <= limit) return to;
    if (to >= 0) close(to);
    return count < 0 ? (int)count : -EFBIG;
}

int weir_memory_file(const void *bytes, size_t length) {
    int fd;
    RETRY(fd, memfd_create("weir", MFD_CLOEXEC));
    if (fd < 0) return fd;
    ssize_t count = fchmod(fd, 0600) < 0 ? -errno : 0;
    for (size_t done = 0; count >= 0 && done < length; done += (size_t)count)
        RETRY(count, write(fd, (const char *)bytes + done, length - done));
    if (count >= 0) return fd;
    close(fd);
    return (int)count;
}

int weir_replace_descriptor(int from, int to) {
    int fd;
    RETRY(fd, dup3(from, to, O_CLOEXEC));
    return fd;
}
