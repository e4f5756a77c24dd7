// What Swift's Glibc import does not show, as plain functions.
//
// Headers here include nothing that may pull in <sys/select.h>: under _GNU_SOURCE its fd_set clashes with the one of
// Swift's Glibc module in debug and sanitizer builds. So every signature is made of integers and pointers, and the
// bodies live in .c files. Every function that can fail returns a negated errno; none of them touches policy.
// Calls that a signal may interrupt are repeated (signal(7)).
#ifndef WEIR_CLINUX_H
#define WEIR_CLINUX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

// Addresses -----------------------------------------------------------------------------------------------------------

/// An IP address in IPv6 form (IPv4 as ::ffff:a.b.c.d, RFC 4291 section 2.5.5.2), in host byte order.
typedef struct weir_address {
    uint64_t high;
    uint64_t low;
    uint32_t scope;
    uint16_t port;
    uint16_t present;
} weir_address;

// Descriptors ---------------------------------------------------------------------------------------------------------

int weir_close(int fd);
int weir_eventfd(void);
int weir_eventfd_signal(int fd);
int weir_eventfd_drain(int fd);
int64_t weir_read(int fd, void *buffer, size_t length);
/// A nonblocking pipe of about `capacity` bytes; returns how many it really holds.
int weir_pipe(int *read_end, int *write_end, int capacity);
/// splice(2) between a pipe and a socket, without waiting.
int64_t weir_splice(int from, int to, size_t length);
/// Opens a file to append to, and creates it with mode 0640 if it is missing. A FIFO without a reader is an error
/// (-ENXIO).
int weir_open_append(const char *path);
/// 1 where the regular file at `path` has a last line without an end, else 0.
int weir_ends_amid_line(const char *path);
/// 1 where both descriptors are of the same file, else 0.
int weir_is_same_file(int a, int b);
/// Copies the file at `path` to memory (memfd_create(2)) and returns the copy's descriptor; -EFBIG if the file has more
/// than `limit` bytes.
int weir_copy_to_memory(const char *path, int64_t limit);
/// A file in memory with these bytes (memfd_create(2)), which its owner alone may read.
int weir_memory_file(const void *bytes, size_t length);
/// dup3(2), close-on-exec: `to` becomes a duplicate of `from`.
int weir_replace_descriptor(int from, int to);

// Paths ---------------------------------------------------------------------------------------------------------------

/// The file at a path: its identity (stat(2)), its permission bits, and whether it is a socket.
typedef struct weir_file {
    uint64_t device;
    uint64_t inode;
    uint32_t mode;
    uint32_t is_socket;
} weir_file;

/// lstat(2): describes a symbolic link itself, not its target.
int weir_look_at_path(const char *path, weir_file *file);
int weir_unlink(const char *path);
int weir_rename(const char *from, const char *to);
/// fchmod(2) of a Unix socket that is not bound: bind(2) then makes its file with these bits, less the umask.
int weir_set_socket_mode(int fd, uint32_t mode);
/// chmod(2) of the file that was seen before; -ESTALE if the path names another file by now.
int weir_set_file_mode(const char *path, const weir_file *expected, uint32_t mode);
/// A descriptor that holds the lock (flock(2)) of a file, which is made with mode 0600 where there is none, until it is
/// closed; -EWOULDBLOCK if another holds it or has just removed the file, -EACCES if the file is another user's or is
/// no regular one.
int weir_lock_file(const char *path);

// epoll ---------------------------------------------------------------------------------------------------------------

int weir_epoll_create(void);
int weir_epoll_add(int epoll, int fd, uint32_t events, uint64_t token);
int weir_epoll_modify(int epoll, int fd, uint32_t events, uint64_t token);
int weir_epoll_remove(int epoll, int fd);
int weir_epoll_wait(int epoll, struct epoll_event *events, int capacity, int timeout_milliseconds);

// Sockets -------------------------------------------------------------------------------------------------------------

enum weir_socket_kind { WEIR_SOCKET_STREAM = 0, WEIR_SOCKET_DATAGRAM = 1 };

enum weir_option {
    WEIR_OPTION_REUSE_ADDRESS,
    WEIR_OPTION_REUSE_PORT,
    WEIR_OPTION_V6_ONLY,
    WEIR_OPTION_NO_DELAY,
    WEIR_OPTION_QUICK_ACK,
    WEIR_OPTION_DEFER_ACCEPT,
    WEIR_OPTION_URGENT_INLINE,
    WEIR_OPTION_FAST_OPEN,
    WEIR_OPTION_KEEPALIVE,
    WEIR_OPTION_KEEPALIVE_IDLE,
    WEIR_OPTION_KEEPALIVE_INTERVAL,
    WEIR_OPTION_KEEPALIVE_COUNT,
    WEIR_OPTION_USER_TIMEOUT,
    WEIR_OPTION_SEND_BUFFER,
    WEIR_OPTION_RECEIVE_BUFFER,
    WEIR_OPTION_RECEIVE_LOW_WATER,
    WEIR_OPTION_RECEIVE_OVERFLOW,
    WEIR_OPTION_FREEBIND_V4,
    WEIR_OPTION_FREEBIND_V6,
    WEIR_OPTION_BIND_NO_PORT,
    WEIR_OPTION_TRAFFIC_CLASS_V4,
    WEIR_OPTION_TRAFFIC_CLASS_V6,
    WEIR_OPTION_PACKET_INFO_V4,
    WEIR_OPTION_PACKET_INFO_V6,
    WEIR_OPTION_MULTICAST_ALL_V4,
    WEIR_OPTION_MULTICAST_ALL_V6,
    WEIR_OPTION_RECEIVE_ERRORS_V4,
    WEIR_OPTION_RECEIVE_ERRORS_V6,
    WEIR_OPTION_ERROR,
};

int weir_socket(int is_v6, enum weir_socket_kind kind);
int weir_socket_unix(void);
int weir_socket_unix_datagram(void);
int weir_set_option(int fd, enum weir_option option, int value);
int weir_get_option(int fd, enum weir_option option);
/// Whether datagrams may be cut into fragments (IP_MTU_DISCOVER in ip(7), IPV6_MTU_DISCOVER in ipv6(7)).
int weir_set_fragmentation(int fd, int is_v6, int is_allowed);
/// SO_LINGER with a time of zero: close(2) then sends RST (socket(7)).
int weir_set_reset_on_close(int fd);
int weir_bind(int fd, int is_v6, const weir_address *address);
int weir_bind_unix(int fd, const char *path, size_t length);
/// bind(2) to, and connect(2) to, the abstract name of these bytes (unix(7)).
int weir_bind_abstract(int fd, const char *name, size_t length);
int weir_connect_abstract(int fd, const char *name, size_t length);
/// The effective user of the peer of a Unix socket (SO_PEERCRED).
int weir_peer_user(int fd, uint32_t *user);
int weir_listen(int fd, int backlog);
int weir_accept(int fd, weir_address *peer);
int weir_connect(int fd, int is_v6, const weir_address *address);
int weir_connect_unix(int fd, const char *path, size_t length);
/// sendto(2) a Unix socket; a path that begins with '@' means the abstract name behind it (unix(7)).
int64_t weir_send_to_unix(int fd, const char *path, size_t length, const void *bytes, size_t count);
int weir_shutdown_write(int fd);
int weir_local_address(int fd, weir_address *address);
int weir_peer_address(int fd, weir_address *address);
int64_t weir_receive(int fd, void *buffer, size_t length);
/// Peeks (MSG_PEEK, recv(2)): 1 if data is readable, 0 at the end of the stream, or a negated errno.
int weir_peek(int fd);
/// Like weir_receive, and leaves the bytes where they are (MSG_PEEK, recv(2)).
int64_t weir_receive_copy(int fd, void *buffer, size_t length);
/// Takes bytes out of a TCP socket without copying them (MSG_TRUNC, tcp(7)).
int64_t weir_discard(int fd, size_t length);
/// Takes at most `length` bytes out of a socket of any kind, by a copy.
int64_t weir_read_away(int fd, size_t length);
/// With `more`, the kernel waits for what follows before it fills a segment (MSG_MORE, send(2)).
int64_t weir_send(int fd, const void *buffer, size_t length, int more);
/// Datagrams that the socket dropped since it was opened, modulo 2^31 (SO_MEMINFO, sock_diag(7)).
int weir_receive_drops(int fd);
/// Removes the oldest error from the queue that IP_RECVERR fills (ip(7)): returns its errno, and stores whether this
/// host's kernel raised it. 0 if the queue is empty.
int weir_take_queued_error(int fd, int *is_local);
/// Bytes that were sent and not yet acknowledged (SIOCOUTQ, tcp(7)).
int weir_unacknowledged(int fd);

// Datagrams -----------------------------------------------------------------------------------------------------------

/// One datagram as it was received: where its bytes are, who sent it, and to which of our addresses.
typedef struct weir_datagram {
    uint8_t *bytes;
    uint32_t length;
    uint32_t truncated;
    /// SO_RXQ_OVFL: datagrams that this socket has dropped since it was opened; valid where has_overflow is set.
    uint32_t overflow;
    uint32_t has_overflow;
    /// Whether it was sent to a broadcast or multicast address of IPv4; `local` is then that of the interface.
    uint32_t is_broadcast;
    weir_address peer;
    weir_address local;
} weir_datagram;

/// Buffers and headers for one recvmmsg(2).
typedef struct weir_inbox weir_inbox;
weir_inbox *weir_inbox_create(uint32_t capacity, uint32_t buffer_size);
void weir_inbox_destroy(weir_inbox *inbox);
/// Receives at most `capacity` datagrams without waiting. `with_addresses` is off for connected sockets.
int weir_inbox_receive(weir_inbox *inbox, int fd, int with_addresses);
const weir_datagram *weir_inbox_datagram(const weir_inbox *inbox, uint32_t index);
/// Bytes in front of every received datagram that may be written to.
enum { WEIR_INBOX_HEADROOM = 64 };
/// Takes bytes off the front of a received datagram; it must have as many.
void weir_inbox_drop_first(weir_inbox *inbox, uint32_t index, uint32_t count);

/// Headers for one sendmmsg(2). It borrows the payloads: they must live until the flush.
typedef struct weir_outbox weir_outbox;
weir_outbox *weir_outbox_create(uint32_t capacity);
void weir_outbox_destroy(weir_outbox *outbox);
uint32_t weir_outbox_count(const weir_outbox *outbox);
void weir_outbox_clear(weir_outbox *outbox);
/// Sets the destination of the next flushes, until `weir_outbox_clear`: `peer`, with the source address `source` if
/// that is present. Without a destination, datagrams go to the peer of the connected socket.
void weir_outbox_set_destination(
    weir_outbox *outbox, int is_v6, const weir_address *peer, const weir_address *source);
/// Adds one datagram; -ENOBUFS when full.
int weir_outbox_add(weir_outbox *outbox, const void *bytes, uint32_t length);
/// Writes bytes in front of a datagram that was added, where there must be room for them.
void weir_outbox_prepend(weir_outbox *outbox, uint32_t index, const void *bytes, uint32_t length);
/// Sends from `first` on, with `segments` runs of equal length as one UDP_SEGMENT send each (udp(7)). Returns how many
/// datagrams were taken, or a negated errno that belongs to the datagram at `first`, or to the run that begins there.
int weir_outbox_flush(weir_outbox *outbox, int fd, uint32_t first, int segments);
uint32_t weir_outbox_length(const weir_outbox *outbox, uint32_t index);

// Names and interfaces ------------------------------------------------------------------------------------------------

enum weir_resolve_error {
    WEIR_RESOLVE_NOT_FOUND = -10001,
    WEIR_RESOLVE_FAILED = -10002,
    WEIR_RESOLVE_TIMED_OUT = -10003
};
/// getaddrinfo(3) for both families, without ports, in its order (RFC 6724); blocks.
int weir_resolve(const char *name, weir_address *addresses, int capacity);
/// Asks the name servers of resolv.conf(5) for one type of records of exactly this name, in the class of the Internet
/// (res_nquery(3)); asks again over TCP what is truncated. Blocks. Returns the length of the answer, which has records,
/// or a weir_resolve_error. `capacity` is that of a header at least.
int weir_query_records(const char *name, uint16_t type, uint8_t *answer, int capacity);
/// The options of resolv.conf(5) that say which names to try.
typedef struct weir_search_options {
    /// The number of dots with which a name is first tried as it is (`ndots`).
    uint32_t dots;
    /// Whether IPv6 addresses are not asked for (`no-aaaa`).
    uint32_t skips_ipv6;
    /// Whether a name without a dot is only tried in the domains (`no-tld-query`).
    uint32_t skips_top_level;
} weir_search_options;
/// Stores the options, and the search list with a space behind each domain, as far as the C library shows it: six
/// domains of 256 bytes together. Returns the number of bytes, or a weir_resolve_error.
int weir_search_list(weir_search_options *options, char *domains, size_t capacity);
/// Every address of every local interface (getifaddrs(3)); blocks for a moment.
int weir_interface_addresses(weir_address *addresses, int capacity);
/// The index of an interface, or 0 (if_nametoindex(3)).
uint32_t weir_interface_index(const char *name);

// Programs ------------------------------------------------------------------------------------------------------------

/// Starts a program, found as execvp(3) finds it, in a process group of its own. It inherits only the environment given
/// here; its three standard streams are /dev/null. Returns its process id, and stores a descriptor that becomes
/// readable when it ends (pidfd_open(2)). Blocks until the program runs or could not be started.
int weir_spawn(char *const arguments[], char *const environment[], int *process_descriptor);
/// SIGKILL for a process that was not reaped yet, and for all in its group.
int weir_kill_group(int process);
/// Reaps a process that has ended (waitpid(2)): returns 1 and stores its exit code, or the negated number of the signal
/// that ended it; 0 while it runs.
int weir_reap(int process, int *status);
/// Reaps the children that weir_spawn did not start: as process 1, those that other processes have left behind. Returns
/// their number; -EAGAIN where a started program has to be reaped before others can be seen.
int weir_reap_orphans(void);

// Process -------------------------------------------------------------------------------------------------------------

uint64_t weir_monotonic_nanoseconds(void);
/// The commit that was built, as Package.swift found it.
const char *weir_revision(void);
/// The arguments of main, the program's name included; no /proc is needed. NULL for an index that is none.
int weir_argument_count(void);
const char *weir_argument(int index);
/// Keeps libdispatch from writing to syslog(3), for example that it may not raise the priority of a thread. Call it
/// before there is another thread.
void weir_silence_runtime(void);
/// Opens /dev/null in place of each of the descriptors 0 to 2 that is closed, so that no other file gets its number.
void weir_hold_standard_descriptors(void);
/// The processors that this thread may run on (sched_getaffinity(2)).
int weir_affinity_count(void);
/// The processors that are online (sysconf(3)).
int weir_online_count(void);
/// Reads at most `capacity` bytes of a file, such as one of /proc; returns their number.
int64_t weir_read_file(const char *path, void *buffer, size_t capacity);
/// The inode of this process's PID namespace (namespaces(7)); 0 where /proc does not say.
uint64_t weir_pid_namespace(void);
/// Raises the soft RLIMIT_NOFILE to the hard one and returns it.
int64_t weir_raise_descriptor_limit(void);
void weir_name_thread(const char *name);
/// The calling thread's scheduling policy (sched(7)): 0 is SCHED_OTHER, 3 SCHED_BATCH.
int weir_scheduling_policy(void);
/// Puts the calling thread under SCHED_BATCH, or back under SCHED_OTHER (sched(7)).
int weir_set_batch_scheduling(int on);
/// Sleeps for a few microseconds: the calling thread's timer slack becomes 1 microsecond (PR_SET_TIMERSLACK, prctl(2)),
/// where the default of 50 would be longer than the sleep. A signal ends it early.
void weir_sleep_briefly(uint64_t nanoseconds);
/// Adds to the niceness of the calling thread, up to 19 (setpriority(2)).
int weir_add_thread_nice(int by);
void weir_ignore_sigpipe(void);
/// inotify(7): a nonblocking, close-on-exec instance.
int weir_inotify_create(void);
/// Clears the ambient capabilities (capabilities(7)) of this thread, and so of threads it starts and of programs they
/// execute.
int weir_clear_ambient_capabilities(void);
/// Watches a folder for anything that can change what a path in it means.
int weir_inotify_watch_folder(int fd, const char *path);

#endif
