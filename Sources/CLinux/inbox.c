#include "address.h"

#include <stdlib.h>
#include <string.h>

#include "retry.h"

// Room for the packet-info of both families and one overflow counter.
enum { CONTROL_BYTES = 128 };

// Room in front of each datagram, and a page that keeps the next one's pages its own.
enum { HEADROOM = WEIR_INBOX_HEADROOM, GAP = 4096 };

// Headers stay filled in between receives: only what the kernel wrote to is put back.
struct weir_inbox {
    uint32_t capacity;
    uint32_t buffer_size;
    /// For sockets that are not connected, with room for addresses, and for those that are.
    struct mmsghdr *addressed;
    struct mmsghdr *connected;
    struct iovec *vectors;
    weir_sockaddr *peers;
    weir_datagram *datagrams;
    uint8_t (*controls)[CONTROL_BYTES];
    uint8_t *buffers;
};

static void make_room_for_addresses(weir_inbox *inbox, uint32_t i) {
    struct msghdr *header = &inbox->addressed[i].msg_hdr;
    header->msg_name = &inbox->peers[i];
    header->msg_namelen = sizeof inbox->peers[i];
    header->msg_control = inbox->controls[i];
    header->msg_controllen = CONTROL_BYTES;
}

weir_inbox *weir_inbox_create(uint32_t capacity, uint32_t buffer_size) {
    weir_inbox *inbox = calloc(1, sizeof *inbox);
    if (!inbox) return NULL;
    inbox->capacity = capacity;
    inbox->buffer_size = buffer_size;
    inbox->addressed = calloc(capacity, sizeof *inbox->addressed);
    inbox->connected = calloc(capacity, sizeof *inbox->connected);
    inbox->vectors = calloc(capacity, sizeof *inbox->vectors);
    inbox->peers = calloc(capacity, sizeof *inbox->peers);
    inbox->datagrams = calloc(capacity, sizeof *inbox->datagrams);
    inbox->controls = calloc(capacity, sizeof *inbox->controls);
    // Pages are taken by the kernel only where a datagram was written: small datagrams cost one page each.
    size_t stride = (size_t)buffer_size + GAP;
    inbox->buffers = malloc(capacity * stride);
    if (!inbox->addressed || !inbox->connected || !inbox->vectors || !inbox->peers || !inbox->datagrams ||
        !inbox->controls || !inbox->buffers) {
        weir_inbox_destroy(inbox);
        return NULL;
    }
    for (uint32_t i = 0; i < capacity; i++) {
        inbox->vectors[i].iov_base = inbox->buffers + i * stride + HEADROOM;
        inbox->vectors[i].iov_len = buffer_size;
        inbox->connected[i].msg_hdr.msg_iov = &inbox->vectors[i];
        inbox->connected[i].msg_hdr.msg_iovlen = 1;
        inbox->addressed[i] = inbox->connected[i];
        make_room_for_addresses(inbox, i);
    }
    return inbox;
}

void weir_inbox_destroy(weir_inbox *inbox) {
    if (!inbox) return;
    free(inbox->addressed);
    free(inbox->connected);
    free(inbox->vectors);
    free(inbox->peers);
    free(inbox->datagrams);
    free(inbox->controls);
    free(inbox->buffers);
    free(inbox);
}

// Reads the control messages of ip(7), ipv6(7) and socket(7) that the listener asked for.
static void read_control(struct msghdr *header, weir_datagram *datagram) {
    int has_v4 = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            weir_address_from_v4(info.ipi_spec_dst, &datagram->local);
            datagram->is_broadcast = info.ipi_addr.s_addr != info.ipi_spec_dst.s_addr;
            has_v4 = 1;
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO && !has_v4) {
            // An IPv4 datagram tells only its destination, perhaps a broadcast address.
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            weir_address_from_v6(&info.ipi6_addr, &datagram->local);
            // Only a link-local source needs its interface named again in the answer.
            if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr)) datagram->local.scope = info.ipi6_ifindex;
        } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
            memcpy(&datagram->overflow, CMSG_DATA(c), sizeof datagram->overflow);
            datagram->has_overflow = 1;
        }
    }
}

int weir_inbox_receive(weir_inbox *inbox, int fd, int with_addresses) {
    struct mmsghdr *headers = with_addresses ? inbox->addressed : inbox->connected;
    int n;
    RETRY(n, (int)DIRECT(recvmmsg, fd, headers, inbox->capacity, MSG_DONTWAIT, NULL));
    for (int i = 0; i < n; i++) {
        struct msghdr *header = &headers[i].msg_hdr;
        weir_datagram *datagram = &inbox->datagrams[i];
        memset(datagram, 0, sizeof *datagram);
        datagram->bytes = inbox->vectors[i].iov_base;
        datagram->length = headers[i].msg_len;
        datagram->truncated = (header->msg_flags & MSG_TRUNC) != 0;
        if (with_addresses) {
            weir_address_decode(&inbox->peers[i], &datagram->peer);
            read_control(header, datagram);
            make_room_for_addresses(inbox, i);
        }
    }
    return n;
}

const weir_datagram *weir_inbox_datagram(const weir_inbox *inbox, uint32_t index) { return &inbox->datagrams[index]; }

void weir_inbox_drop_first(weir_inbox *inbox, uint32_t index, uint32_t count) {
    inbox->datagrams[index].bytes += count;
    inbox->datagrams[index].length -= count;
}
