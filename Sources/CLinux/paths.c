#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "retry.h"

static void identify(const struct stat *status, weir_file *file) {
    file->device = status->st_dev;
    file->inode = status->st_ino;
    file->mode = status->st_mode & 07777;
    file->is_socket = S_ISSOCK(status->st_mode);
}

int weir_look_at_path(const char *path, weir_file *file) {
    struct stat status;
    if (lstat(path, &status) < 0) return -errno;
    identify(&status, file);
    return 0;
}

int weir_unlink(const char *path) { return unlink(path) < 0 ? -errno : 0; }

int weir_rename(const char *from, const char *to) { return rename(from, to) < 0 ? -errno : 0; }

int weir_set_socket_mode(int fd, uint32_t mode) { return fchmod(fd, mode) < 0 ? -errno : 0; }

int weir_set_file_mode(const char *path, const weir_file *expected, uint32_t mode) {
    int fd, result = 0;
    RETRY(fd, open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (fd < 0) return fd;
    struct stat status;
    weir_file found = {0};
    if (fstat(fd, &status) < 0) {
        result = -errno;
    } else {
        identify(&status, &found);
        if (found.device != expected->device || found.inode != expected->inode) result = -ESTALE;
    }
    // fchmod(2) refuses such a descriptor, but its entry in /proc names the same file (proc(5)).
    char entry[40];
    snprintf(entry, sizeof entry, "/proc/self/fd/%d", fd);
    if (result == 0 && chmod(entry, mode) < 0) result = -errno;
    close(fd);
    return result;
}

int weir_lock_file(const char *path) {
    int fd, result;
    struct stat opened, named;
    RETRY(fd, open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600));
    if (fd < 0) return fd;
    if (fstat(fd, &opened) < 0) {
        result = -errno;
    } else if (!S_ISREG(opened.st_mode) || opened.st_uid != geteuid()) {
        result = -EACCES;
    } else {
        RETRY(result, flock(fd, LOCK_EX | LOCK_NB));
        // The holder before removes the file: then this is the lock of a file that has no name.
        if (result == 0 && (lstat(path, &named) < 0 || named.st_ino != opened.st_ino || named.st_dev != opened.st_dev))
            result = -EWOULDBLOCK;
    }
    if (result == 0) return fd;
    close(fd);
    return result;
}
