#include "CLinux.h"

#include <errno.h>

#include "retry.h"

int weir_epoll_create(void) {
    int fd = epoll_create1(EPOLL_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int control(int epoll, int operation, int fd, uint32_t events, uint64_t token) {
    struct epoll_event event = {.events = events, .data.u64 = token};
    return epoll_ctl(epoll, operation, fd, &event) < 0 ? -errno : 0;
}

int weir_epoll_add(int epoll, int fd, uint32_t events, uint64_t token) {
    return control(epoll, EPOLL_CTL_ADD, fd, events, token);
}

int weir_epoll_modify(int epoll, int fd, uint32_t events, uint64_t token) {
    return control(epoll, EPOLL_CTL_MOD, fd, events, token);
}

int weir_epoll_remove(int epoll, int fd) { return control(epoll, EPOLL_CTL_DEL, fd, 0, 0); }

int weir_epoll_wait(int epoll, struct epoll_event *events, int capacity, int timeout_milliseconds) {
    // Not repeated on EINTR: the caller turns anyway, and its time-out would be stale.
    int n = (int)DIRECT(epoll_pwait, epoll, events, capacity, timeout_milliseconds, NULL, 0);
    return n < 0 ? (errno == EINTR ? 0 : -errno) : n;
}
