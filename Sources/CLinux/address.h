// Between weir_address and the kernel's sockaddr.
#ifndef WEIR_ADDRESS_H
#define WEIR_ADDRESS_H

#include "CLinux.h"

#include <netinet/in.h>
#include <sys/socket.h>

typedef union weir_sockaddr {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} weir_sockaddr;

socklen_t weir_address_encode(const weir_address *address, int is_v6, weir_sockaddr *out);
void weir_address_decode(const weir_sockaddr *in, weir_address *out);
void weir_address_from_v4(struct in_addr in, weir_address *out);
void weir_address_from_v6(const struct in6_addr *in, weir_address *out);
void weir_address_to_v6(const weir_address *address, struct in6_addr *out);

#endif
