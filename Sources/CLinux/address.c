#include "address.h"

#include <endian.h>
#include <string.h>

void weir_address_from_v4(struct in_addr in, weir_address *out) {
    out->high = 0;
    out->low = 0x0000ffff00000000ULL | ntohl(in.s_addr);
    out->present = 1;
}

void weir_address_from_v6(const struct in6_addr *in, weir_address *out) {
    uint64_t parts[2];
    memcpy(parts, in, sizeof parts);
    out->high = be64toh(parts[0]);
    out->low = be64toh(parts[1]);
    out->present = 1;
}

void weir_address_to_v6(const weir_address *address, struct in6_addr *out) {
    uint64_t parts[2] = {htobe64(address->high), htobe64(address->low)};
    memcpy(out, parts, sizeof parts);
}

socklen_t weir_address_encode(const weir_address *address, int is_v6, weir_sockaddr *out) {
    memset(out, 0, sizeof *out);
    if (is_v6) {
        out->v6.sin6_family = AF_INET6;
        out->v6.sin6_port = htons(address->port);
        out->v6.sin6_scope_id = address->scope;
        weir_address_to_v6(address, &out->v6.sin6_addr);
        return sizeof out->v6;
    }
    out->v4.sin_family = AF_INET;
    out->v4.sin_port = htons(address->port);
    out->v4.sin_addr.s_addr = htonl((uint32_t)address->low);
    return sizeof out->v4;
}

void weir_address_decode(const weir_sockaddr *in, weir_address *out) {
    memset(out, 0, sizeof *out);
    if (in->any.sa_family == AF_INET) {
        weir_address_from_v4(in->v4.sin_addr, out);
        out->port = ntohs(in->v4.sin_port);
    } else if (in->any.sa_family == AF_INET6) {
        weir_address_from_v6(&in->v6.sin6_addr, out);
        out->port = ntohs(in->v6.sin6_port);
        out->scope = in->v6.sin6_scope_id;
    }
}
