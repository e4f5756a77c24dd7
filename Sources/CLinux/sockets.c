#include "address.h"

#include <linux/errqueue.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/un.h>

#include "retry.h"

#ifndef IP_MULTICAST_ALL
#define IP_MULTICAST_ALL 49
#endif
#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif
#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif

int weir_socket(int is_v6, enum weir_socket_kind kind) {
    int type = kind == WEIR_SOCKET_STREAM ? SOCK_STREAM : SOCK_DGRAM;
    int fd = socket(is_v6 ? AF_INET6 : AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

int weir_socket_unix(void) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

int weir_socket_unix_datagram(void) {
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

static const struct {
    int level;
    int name;
} options[] = {
    [WEIR_OPTION_REUSE_ADDRESS] = {SOL_SOCKET, SO_REUSEADDR},
    [WEIR_OPTION_REUSE_PORT] = {SOL_SOCKET, SO_REUSEPORT},
    [WEIR_OPTION_V6_ONLY] = {IPPROTO_IPV6, IPV6_V6ONLY},
    [WEIR_OPTION_NO_DELAY] = {IPPROTO_TCP, TCP_NODELAY},
    [WEIR_OPTION_QUICK_ACK] = {IPPROTO_TCP, TCP_QUICKACK},
    [WEIR_OPTION_DEFER_ACCEPT] = {IPPROTO_TCP, TCP_DEFER_ACCEPT},
    [WEIR_OPTION_URGENT_INLINE] = {SOL_SOCKET, SO_OOBINLINE},
    [WEIR_OPTION_FAST_OPEN] = {IPPROTO_TCP, TCP_FASTOPEN},
    [WEIR_OPTION_KEEPALIVE] = {SOL_SOCKET, SO_KEEPALIVE},
    [WEIR_OPTION_KEEPALIVE_IDLE] = {IPPROTO_TCP, TCP_KEEPIDLE},
    [WEIR_OPTION_KEEPALIVE_INTERVAL] = {IPPROTO_TCP, TCP_KEEPINTVL},
    [WEIR_OPTION_KEEPALIVE_COUNT] = {IPPROTO_TCP, TCP_KEEPCNT},
    [WEIR_OPTION_USER_TIMEOUT] = {IPPROTO_TCP, TCP_USER_TIMEOUT},
    [WEIR_OPTION_SEND_BUFFER] = {SOL_SOCKET, SO_SNDBUF},
    [WEIR_OPTION_RECEIVE_BUFFER] = {SOL_SOCKET, SO_RCVBUF},
    [WEIR_OPTION_RECEIVE_LOW_WATER] = {SOL_SOCKET, SO_RCVLOWAT},
    [WEIR_OPTION_RECEIVE_OVERFLOW] = {SOL_SOCKET, SO_RXQ_OVFL},
    [WEIR_OPTION_FREEBIND_V4] = {IPPROTO_IP, IP_FREEBIND},
    [WEIR_OPTION_FREEBIND_V6] = {IPPROTO_IPV6, IPV6_FREEBIND},
    [WEIR_OPTION_BIND_NO_PORT] = {IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT},
    [WEIR_OPTION_TRAFFIC_CLASS_V4] = {IPPROTO_IP, IP_TOS},
    [WEIR_OPTION_TRAFFIC_CLASS_V6] = {IPPROTO_IPV6, IPV6_TCLASS},
    [WEIR_OPTION_PACKET_INFO_V4] = {IPPROTO_IP, IP_PKTINFO},
    [WEIR_OPTION_PACKET_INFO_V6] = {IPPROTO_IPV6, IPV6_RECVPKTINFO},
    [WEIR_OPTION_MULTICAST_ALL_V4] = {IPPROTO_IP, IP_MULTICAST_ALL},
    [WEIR_OPTION_MULTICAST_ALL_V6] = {IPPROTO_IPV6, IPV6_MULTICAST_ALL},
    [WEIR_OPTION_RECEIVE_ERRORS_V4] = {IPPROTO_IP, IP_RECVERR},
    [WEIR_OPTION_RECEIVE_ERRORS_V6] = {IPPROTO_IPV6, IPV6_RECVERR},
    [WEIR_OPTION_ERROR] = {SOL_SOCKET, SO_ERROR},
};

int weir_set_option(int fd, enum weir_option option, int value) {
    int result = setsockopt(fd, options[option].level, options[option].name, &value, sizeof value);
    return result < 0 ? -errno : 0;
}

int weir_get_option(int fd, enum weir_option option) {
    int value = 0;
    socklen_t length = sizeof value;
    int result = getsockopt(fd, options[option].level, options[option].name, &value, &length);
    return result < 0 ? -errno : value;
}

int weir_set_fragmentation(int fd, int is_v6, int is_allowed) {
    // An IPv6 socket has both: what it sends to a mapped address is IPv4.
    int v4 = is_allowed ? IP_PMTUDISC_OMIT : IP_PMTUDISC_DO;
    int v6 = is_allowed ? IPV6_PMTUDISC_WANT : IPV6_PMTUDISC_DO;
    if (is_v6 && setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &v6, sizeof v6) < 0) return -errno;
    return setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &v4, sizeof v4) < 0 ? -errno : 0;
}

int weir_set_reset_on_close(int fd) {
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    return setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) < 0 ? -errno : 0;
}

int weir_bind(int fd, int is_v6, const weir_address *address) {
    weir_sockaddr raw;
    socklen_t length = weir_address_encode(address, is_v6, &raw);
    return bind(fd, &raw.any, length) < 0 ? -errno : 0;
}

static int unix_address(const char *path, size_t length, struct sockaddr_un *out) {
    if (length >= sizeof out->sun_path) return -ENAMETOOLONG;
    memset(out, 0, sizeof *out);
    out->sun_family = AF_UNIX;
    memcpy(out->sun_path, path, length);
    return 0;
}

int weir_bind_unix(int fd, const char *path, size_t length) {
    struct sockaddr_un raw;
    int result = unix_address(path, length, &raw);
    if (result < 0) return result;
    return bind(fd, (struct sockaddr *)&raw, sizeof raw) < 0 ? -errno : 0;
}

// The name begins behind a zero byte and is as long as the address says.
static int abstract_address(const char *name, size_t length, struct sockaddr_un *out, socklen_t *size) {
    if (length + 1 > sizeof out->sun_path) return -ENAMETOOLONG;
    memset(out, 0, sizeof *out);
    out->sun_family = AF_UNIX;
    memcpy(out->sun_path + 1, name, length);
    *size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
    return 0;
}

int weir_bind_abstract(int fd, const char *name, size_t length) {
    struct sockaddr_un raw;
    socklen_t size;
    int result = abstract_address(name, length, &raw, &size);
    if (result < 0) return result;
    return bind(fd, (struct sockaddr *)&raw, size) < 0 ? -errno : 0;
}

int weir_connect_abstract(int fd, const char *name, size_t length) {
    struct sockaddr_un raw;
    socklen_t size;
    int result = abstract_address(name, length, &raw, &size);
    if (result < 0) return result;
    RETRY(result, connect(fd, (struct sockaddr *)&raw, size));
    return result;
}

int weir_peer_user(int fd, uint32_t *user) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) return -errno;
    *user = peer.uid;
    return 0;
}

int weir_listen(int fd, int backlog) { return listen(fd, backlog) < 0 ? -errno : 0; }

int weir_accept(int fd, weir_address *peer) {
    weir_sockaddr raw;
    raw.any.sa_family = AF_UNSPEC;
    socklen_t length = sizeof raw;
    int accepted;
    RETRY(accepted, accept4(fd, &raw.any, &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (accepted >= 0) weir_address_decode(&raw, peer);
    return accepted;
}

int weir_connect(int fd, int is_v6, const weir_address *address) {
    weir_sockaddr raw;
    socklen_t length = weir_address_encode(address, is_v6, &raw);
    // An interrupted connect(2) goes on by itself: EINTR then means what EINPROGRESS means.
    if (connect(fd, &raw.any, length) == 0) return 0;
    return errno == EINTR ? -EINPROGRESS : -errno;
}

int weir_connect_unix(int fd, const char *path, size_t length) {
    struct sockaddr_un raw;
    int result = unix_address(path, length, &raw);
    if (result < 0) return result;
    RETRY(result, connect(fd, (struct sockaddr *)&raw, sizeof raw));
    return result;
}

int64_t weir_send_to_unix(int fd, const char *path, size_t length, const void *bytes, size_t count) {
    struct sockaddr_un raw;
    int64_t result = unix_address(path, length, &raw);
    if (result < 0) return result;
    // The name of an abstract socket is as long as the address says: no byte behind it may count.
    if (length > 0 && path[0] == '@') raw.sun_path[0] = '\0';
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    RETRY(result, sendto(fd, bytes, count, MSG_NOSIGNAL, (struct sockaddr *)&raw, size));
    return result;
}

int weir_shutdown_write(int fd) { return shutdown(fd, SHUT_WR) < 0 ? -errno : 0; }

int weir_local_address(int fd, weir_address *address) {
    weir_sockaddr raw;
    raw.any.sa_family = AF_UNSPEC;
    socklen_t length = sizeof raw;
    if (getsockname(fd, &raw.any, &length) < 0) return -errno;
    weir_address_decode(&raw, address);
    return 0;
}

int weir_peer_address(int fd, weir_address *address) {
    weir_sockaddr raw;
    raw.any.sa_family = AF_UNSPEC;
    socklen_t length = sizeof raw;
    if (getpeername(fd, &raw.any, &length) < 0) return -errno;
    weir_address_decode(&raw, address);
    return 0;
}

int64_t weir_receive(int fd, void *buffer, size_t length) {
    int64_t n;
    RETRY(n, DIRECT(recvfrom, fd, buffer, length, 0, NULL, NULL));
    return n;
}

int weir_peek(int fd) {
    char byte;
    int n;
    RETRY(n, (int)recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT));
    return n;
}

int64_t weir_receive_copy(int fd, void *buffer, size_t length) {
    int64_t n;
    RETRY(n, recv(fd, buffer, length, MSG_PEEK));
    return n;
}

int64_t weir_discard(int fd, size_t length) {
    int64_t n;
    RETRY(n, recv(fd, NULL, length, MSG_TRUNC));
    return n;
}

int64_t weir_read_away(int fd, size_t length) {
    char buffer[16384];
    int64_t n;
    RETRY(n, recv(fd, buffer, length < sizeof buffer ? length : sizeof buffer, 0));
    return n;
}

int64_t weir_send(int fd, const void *buffer, size_t length, int more) {
    int64_t n;
    RETRY(n, DIRECT(sendto, fd, buffer, length, MSG_NOSIGNAL | (more ? MSG_MORE : 0), NULL, 0));
    return n;
}

int weir_receive_drops(int fd) {
    uint32_t values[SK_MEMINFO_VARS] = {0};
    socklen_t length = sizeof values;
    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, values, &length) < 0) return -errno;
    return (int)(values[SK_MEMINFO_DROPS] & INT32_MAX);
}

int weir_take_queued_error(int fd, int *is_local) {
    char byte;
    _Alignas(struct cmsghdr) uint8_t control[256];
    struct iovec vector = {.iov_base = &byte, .iov_len = 1};
    struct msghdr header = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    int64_t n;
    RETRY(n, recvmsg(fd, &header, MSG_ERRQUEUE | MSG_DONTWAIT));
    if (n < 0) return n == -EAGAIN ? 0 : (int)n;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c)) {
        if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
            (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR)) {
            struct sock_extended_err error;
            memcpy(&error, CMSG_DATA(c), sizeof error);
            *is_local = error.ee_origin == SO_EE_ORIGIN_LOCAL;
            return (int)error.ee_errno;
        }
    }
    return -ENOMSG;
}

int weir_unacknowledged(int fd) {
    int value = 0;
    return ioctl(fd, SIOCOUTQ, &value) < 0 ? -errno : value;
}
