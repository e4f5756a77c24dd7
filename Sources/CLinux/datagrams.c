#include "address.h"

#include <stdlib.h>
#include <string.h>

#include "retry.h"

// Room for one packet-info and one overflow counter.
enum { CONTROL_BYTES = 128 };

struct weir_inbox {
    uint32_t capacity;
    uint32_t buffer_size;
    struct mmsghdr *headers;
    struct iovec *vectors;
    weir_sockaddr *peers;
    weir_datagram *datagrams;
    uint8_t (*controls)[CONTROL_BYTES];
    uint8_t *buffers;
};

weir_inbox *weir_inbox_create(uint32_t capacity, uint32_t buffer_size) {
    weir_inbox *inbox = calloc(1, sizeof *inbox);
    if (!inbox) return NULL;
    inbox->capacity = capacity;
    inbox->buffer_size = buffer_size;
    inbox->headers = calloc(capacity, sizeof *inbox->headers);
    inbox->vectors = calloc(capacity, sizeof *inbox->vectors);
    inbox->peers = calloc(capacity, sizeof *inbox->peers);
    inbox->datagrams = calloc(capacity, sizeof *inbox->datagrams);
    inbox->controls = calloc(capacity, sizeof *inbox->controls);
    // Pages are taken by the kernel only where a datagram was written: small datagrams cost one page each.
    inbox->buffers = malloc((size_t)capacity * buffer_size);
    if (!inbox->headers || !inbox->vectors || !inbox->peers || !inbox->datagrams || !inbox->controls ||
        !inbox->buffers) {
        weir_inbox_destroy(inbox);
        return NULL;
    }
    for (uint32_t i = 0; i < capacity; i++) {
        inbox->vectors[i].iov_base = inbox->buffers + (size_t)i * buffer_size;
        inbox->vectors[i].iov_len = buffer_size;
        inbox->headers[i].msg_hdr.msg_iov = &inbox->vectors[i];
        inbox->headers[i].msg_hdr.msg_iovlen = 1;
    }
    return inbox;
}

void weir_inbox_destroy(weir_inbox *inbox) {
    if (!inbox) return;
    free(inbox->headers);
    free(inbox->vectors);
    free(inbox->peers);
    free(inbox->datagrams);
    free(inbox->controls);
    free(inbox->buffers);
    free(inbox);
}

// Reads the control messages of ip(7), ipv6(7) and socket(7) that the listener asked for.
static void read_control(struct msghdr *header, weir_datagram *datagram) {
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            weir_address_from_v4(info.ipi_spec_dst, &datagram->local);
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
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
    for (uint32_t i = 0; i < inbox->capacity; i++) {
        struct msghdr *header = &inbox->headers[i].msg_hdr;
        header->msg_name = with_addresses ? &inbox->peers[i] : NULL;
        header->msg_namelen = with_addresses ? sizeof inbox->peers[i] : 0;
        header->msg_control = with_addresses ? inbox->controls[i] : NULL;
        header->msg_controllen = with_addresses ? CONTROL_BYTES : 0;
    }
    int n;
    RETRY(n, recvmmsg(fd, inbox->headers, inbox->capacity, MSG_DONTWAIT, NULL));
    for (int i = 0; i < n; i++) {
        weir_datagram *datagram = &inbox->datagrams[i];
        memset(datagram, 0, sizeof *datagram);
        datagram->bytes = inbox->vectors[i].iov_base;
        datagram->length = inbox->headers[i].msg_len;
        datagram->truncated = (inbox->headers[i].msg_hdr.msg_flags & MSG_TRUNC) != 0;
        if (with_addresses) {
            weir_address_decode(&inbox->peers[i], &datagram->peer);
            read_control(&inbox->headers[i].msg_hdr, datagram);
        }
    }
    return n;
}

const weir_datagram *weir_inbox_datagram(const weir_inbox *inbox, uint32_t index) { return &inbox->datagrams[index]; }

struct weir_outbox {
    uint32_t capacity;
    uint32_t count;
    struct mmsghdr *headers;
    struct iovec *vectors;
    weir_sockaddr *peers;
    uint8_t (*controls)[CONTROL_BYTES];
};

weir_outbox *weir_outbox_create(uint32_t capacity) {
    weir_outbox *outbox = calloc(1, sizeof *outbox);
    if (!outbox) return NULL;
    outbox->capacity = capacity;
    outbox->headers = calloc(capacity, sizeof *outbox->headers);
    outbox->vectors = calloc(capacity, sizeof *outbox->vectors);
    outbox->peers = calloc(capacity, sizeof *outbox->peers);
    outbox->controls = calloc(capacity, sizeof *outbox->controls);
    if (!outbox->headers || !outbox->vectors || !outbox->peers || !outbox->controls) {
        weir_outbox_destroy(outbox);
        return NULL;
    }
    return outbox;
}

void weir_outbox_destroy(weir_outbox *outbox) {
    if (!outbox) return;
    free(outbox->headers);
    free(outbox->vectors);
    free(outbox->peers);
    free(outbox->controls);
    free(outbox);
}

uint32_t weir_outbox_count(const weir_outbox *outbox) { return outbox->count; }

void weir_outbox_clear(weir_outbox *outbox) { outbox->count = 0; }

uint32_t weir_outbox_length(const weir_outbox *outbox, uint32_t index) {
    return (uint32_t)outbox->vectors[index].iov_len;
}

// Names the address that the answer leaves from (IP_PKTINFO in ip(7), IPV6_PKTINFO in ipv6(7)). A dual-stack socket
// takes the IPv6 form for both families: the kernel unwraps a mapped address itself.
static void write_source(struct msghdr *header, uint8_t *control, int is_v6, const weir_address *source) {
    header->msg_control = control;
    header->msg_controllen = is_v6 ? CMSG_SPACE(sizeof(struct in6_pktinfo)) : CMSG_SPACE(sizeof(struct in_pktinfo));
    memset(control, 0, header->msg_controllen);
    struct cmsghdr *c = CMSG_FIRSTHDR(header);
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
}

int weir_outbox_add(
    weir_outbox *outbox, const void *bytes, uint32_t length, int is_v6, const weir_address *peer,
    const weir_address *source) {
    if (outbox->count == outbox->capacity) return -ENOBUFS;
    uint32_t i = outbox->count++;
    struct msghdr *header = &outbox->headers[i].msg_hdr;
    memset(header, 0, sizeof *header);
    outbox->vectors[i].iov_base = (void *)bytes;
    outbox->vectors[i].iov_len = length;
    header->msg_iov = &outbox->vectors[i];
    header->msg_iovlen = 1;
    if (peer && peer->present) {
        header->msg_name = &outbox->peers[i];
        header->msg_namelen = weir_address_encode(peer, is_v6, &outbox->peers[i]);
    }
    if (source && source->present) write_source(header, outbox->controls[i], is_v6, source);
    return 0;
}

int weir_outbox_flush(weir_outbox *outbox, int fd, uint32_t first) {
    int n;
    RETRY(n, sendmmsg(fd, outbox->headers + first, outbox->count - first, MSG_DONTWAIT | MSG_NOSIGNAL));
    return n;
}
