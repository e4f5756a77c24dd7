// The only program of the tests' smallest image: sends its name to each TCP client and echoes, and puts its name
// before each datagram that it sends back, both at port 7 or at the one that the second argument says, of IPv4 and
// IPv6. It prints a line for each client and datagram. As a health check (`--check`) it is well while there is no
// file /sick. After SIGTERM it still takes clients for a second, and ends when they have left.
#define _GNU_SOURCE
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
static volatile sig_atomic_t told;
static void on_term(int s) { told = 1; }
static long ms(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1000 + t.tv_nsec / 1000000; }
int main(int c, char **v) {
    const char *name = c > 1 ? v[1] : "none"; int port = c > 2 ? atoi(v[2]) : 7, one = 1; long end = 0;
    if (!strcmp(name, "--check")) return access("/sick", F_OK) == 0;
    struct sigaction a = {0}; a.sa_handler = on_term; sigaction(SIGTERM, &a, 0); signal(SIGPIPE, SIG_IGN);
    struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    int l = socket(AF_INET6, SOCK_STREAM, 0), u = socket(AF_INET6, SOCK_DGRAM, 0);
    setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(l, (void *)&at, sizeof at) || listen(l, 512) || bind(u, (void *)&at, sizeof at)) { perror("bind"); return 1; }
    static struct pollfd p[1024]; int n = 2; p[0].fd = l; p[1].fd = u; p[0].events = p[1].events = POLLIN;
    printf("%s listens\n", name); fflush(stdout);
    for (;;) {
        poll(p, n, 50);
        if (told && !end) end = ms() + 1000;
        if (end && ms() > end && p[0].fd >= 0) { close(l); p[0].fd = -1; }
        if (end && p[0].fd < 0 && (n == 2 || ms() > end + 5000)) return 0;
        if (p[0].fd >= 0 && p[0].revents & POLLIN && n < 1024) {
            int s = accept(l, 0, 0);
            if (s >= 0) { char t[80]; int k = snprintf(t, sizeof t, "%s\n", name); printf("tcp\n"); fflush(stdout);
                send(s, t, k, 0); p[n].fd = s; p[n].events = POLLIN; p[n++].revents = 0; }
        }
        if (p[1].revents & POLLIN) {
            char b[2100]; struct sockaddr_in6 f; socklen_t fl = sizeof f; int k = snprintf(b, 80, "%s:", name);
            ssize_t r = recvfrom(u, b + k, 2000, 0, (void *)&f, &fl);
            if (r >= 0) { printf("udp\n"); fflush(stdout); sendto(u, b, k + r, 0, (void *)&f, fl); }
        }
        for (int i = 2; i < n; i++) if (p[i].revents) {
            char b[65536]; ssize_t r = recv(p[i].fd, b, sizeof b, 0);
            if (r > 0) { send(p[i].fd, b, r, 0); continue; }
            close(p[i].fd); p[i] = p[--n]; i--;
        }
    }
}
