#include "address.h"

#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>

#include "retry.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

// Room for one packet-info and one segment size.
enum { CONTROL_BYTES = 128 };

// The kernel's bounds for one UDP_SEGMENT send (udp(7)): segments, and bytes in all.
enum { MOST_SEGMENTS = 64, MOST_BYTES = 65507 };

struct weir_outbox {
    uint32_t capacity;
    /// Whether this kernel knows UDP_SEGMENT.
    int can_segment;
    uint32_t count;
    struct mmsghdr *headers;
    struct iovec *vectors;
    /// How many datagrams each header of the last flush held.
    uint32_t *runs;
    uint8_t (*controls)[CONTROL_BYTES];
    /// The destination of the datagrams; the length is 0 on a connected socket.
    weir_sockaddr peer;
    uint32_t peer_length;
    /// The control message that names our address, or nothing.
    _Alignas(struct cmsghdr) uint8_t source[CONTROL_BYTES];
    uint32_t source_length;
};

// Before Linux 4.18 the kernel ignores the control message, and would send a run as one long datagram.
static int kernel_can_segment(void) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return 0;
    int value = 0;
    socklen_t length = sizeof value;
    int result = getsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &value, &length);
    close(fd);
    return result == 0;
}

weir_outbox *weir_outbox_create(uint32_t capacity) {
    weir_outbox *outbox = calloc(1, sizeof *outbox);
    if (!outbox) return NULL;
    outbox->capacity = capacity;
    outbox->can_segment = kernel_can_segment();
    outbox->headers = calloc(capacity, sizeof *outbox->headers);
    outbox->vectors = calloc(capacity, sizeof *outbox->vectors);
    outbox->runs = calloc(capacity, sizeof *outbox->runs);
    outbox->controls = calloc(capacity, sizeof *outbox->controls);
    if (!outbox->headers || !outbox->vectors || !outbox->runs || !outbox->controls) {
        weir_outbox_destroy(outbox);
        return NULL;
    }
    return outbox;
}

void weir_outbox_destroy(weir_outbox *outbox) {
    if (!outbox) return;
    free(outbox->headers);
    free(outbox->vectors);
    free(outbox->runs);
    free(outbox->controls);
    free(outbox);
}

uint32_t weir_outbox_count(const weir_outbox *outbox) { return outbox->count; }

void weir_outbox_clear(weir_outbox *outbox) {
    outbox->count = 0;
    outbox->peer_length = 0;
    outbox->source_length = 0;
}

uint32_t weir_outbox_length(const weir_outbox *outbox, uint32_t index) {
    return (uint32_t)outbox->vectors[index].iov_len;
}

// Names the address that the answer leaves from (IP_PKTINFO in ip(7), IPV6_PKTINFO in ipv6(7)). A dual-stack socket
// takes the IPv6 form for both families: the kernel unwraps a mapped address itself.
static uint32_t write_source(uint8_t *control, int is_v6, const weir_address *source) {
    uint32_t length = is_v6 ? CMSG_SPACE(sizeof(struct in6_pktinfo)) : CMSG_SPACE(sizeof(struct in_pktinfo));
    memset(control, 0, length);
    struct msghdr header = {.msg_control = control, .msg_controllen = length};
    struct cmsghdr *c = CMSG_FIRSTHDR(&header);
    if (is_v6) {
        struct in6_pktinfo info = {.ipi6_ifindex = source->scope};
        weir_address_to_v6(source, &info.ipi6_addr);
        c->cmsg_level = IPPROTO_IPV6;
        c->cmsg_type = IPV6_PKTINFO;
        c->cmsg_len = CMSG_LEN(sizeof info);
        memcpy(CMSG_DATA(c), &info, sizeof info);
    } else {
        struct in_pktinfo info = {.ipi_spec_dst.s_addr = htonl((uint32_t)source->low)};
        c->cmsg_level = IPPROTO_IP;
        c->cmsg_type = IP_PKTINFO;
        c->cmsg_len = CMSG_LEN(sizeof info);
        memcpy(CMSG_DATA(c), &info, sizeof info);
    }
    return length;
}

void weir_outbox_set_destination(
    weir_outbox *outbox, int is_v6, const weir_address *peer, const weir_address *source) {
    outbox->peer_length = weir_address_encode(peer, is_v6, &outbox->peer);
    outbox->source_length = source->present ? write_source(outbox->source, is_v6, source) : 0;
}

int weir_outbox_add(weir_outbox *outbox, const void *bytes, uint32_t length) {
    if (outbox->count == outbox->capacity) return -ENOBUFS;
    outbox->vectors[outbox->count++] = (struct iovec){.iov_base = (void *)bytes, .iov_len = length};
    return 0;
}

void weir_outbox_prepend(weir_outbox *outbox, uint32_t index, const void *bytes, uint32_t length) {
    struct iovec *vector = &outbox->vectors[index];
    vector->iov_base = (uint8_t *)vector->iov_base - length;
    vector->iov_len += length;
    memcpy(vector->iov_base, bytes, length);
}

// How many datagrams from `first` on may leave as segments of one send: all as long as the first one but the last,
// which may be shorter, and none of them empty.
static uint32_t run_length(const weir_outbox *outbox, uint32_t first) {
    size_t size = outbox->vectors[first].iov_len, total = size;
    uint32_t n = 1;
    if (size == 0) return 1;
    while (n < MOST_SEGMENTS && first + n < outbox->count) {
        size_t next = outbox->vectors[first + n].iov_len;
        if (next == 0 || next > size || total + next > MOST_BYTES) break;
        total += next;
        n++;
        if (next < size) break;
    }
    return n;
}

static void write_segment_size(struct msghdr *header, uint16_t size) {
    struct cmsghdr *c = (struct cmsghdr *)((uint8_t *)header->msg_control + header->msg_controllen);
    header->msg_controllen += CMSG_SPACE(sizeof size);
    memset(c, 0, CMSG_SPACE(sizeof size));
    c->cmsg_level = IPPROTO_UDP;
    c->cmsg_type = UDP_SEGMENT;
    c->cmsg_len = CMSG_LEN(sizeof size);
    memcpy(CMSG_DATA(c), &size, sizeof size);
}

int weir_outbox_flush(weir_outbox *outbox, int fd, uint32_t first, int segments) {
    uint32_t messages = 0;
    for (uint32_t i = first; i < outbox->count; messages++) {
        uint32_t run = segments && outbox->can_segment ? run_length(outbox, i) : 1;
        struct msghdr *header = &outbox->headers[messages].msg_hdr;
        memset(header, 0, sizeof *header);
        header->msg_iov = &outbox->vectors[i];
        header->msg_iovlen = run;
        if (outbox->peer_length) {
            header->msg_name = &outbox->peer;
            header->msg_namelen = outbox->peer_length;
        }
        if (outbox->source_length || run > 1) {
            header->msg_control = outbox->controls[messages];
            memcpy(header->msg_control, outbox->source, outbox->source_length);
            header->msg_controllen = outbox->source_length;
            if (run > 1) write_segment_size(header, (uint16_t)outbox->vectors[i].iov_len);
        }
        outbox->runs[messages] = run;
        i += run;
    }
    int n;
    RETRY(n, (int)DIRECT(sendmmsg, fd, outbox->headers, messages, MSG_DONTWAIT | MSG_NOSIGNAL));
    if (n <= 0) return n;
    uint32_t sent = 0;
    for (int i = 0; i < n; i++) sent += outbox->runs[i];
    return (int)sent;
}
