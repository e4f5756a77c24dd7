#include "address.h"

#include <arpa/nameser.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <string.h>

static int same(const weir_address *a, const weir_address *b) {
    return a->high == b->high && a->low == b->low && a->scope == b->scope;
}

static int append(weir_address *addresses, int count, int capacity, const struct sockaddr *raw) {
    if (count == capacity || !raw) return count;
    weir_address address;
    weir_address_decode((const weir_sockaddr *)raw, &address);
    if (!address.present) return count;
    for (int i = 0; i < count; i++)
        if (same(&addresses[i], &address)) return count;
    addresses[count] = address;
    return count + 1;
}

/// The time that the resolver waits for one server (`options timeout:` of resolv.conf(5)), in nanoseconds.
static uint64_t server_timeout(void) {
    struct __res_state state = {0};
    if (res_ninit(&state) != 0) return UINT64_MAX;
    uint64_t seconds = state.retrans > 0 ? (uint64_t)state.retrans : 1;
    res_nclose(&state);
    return seconds * 1000000000ULL;
}

int weir_resolve(const char *name, weir_address *addresses, int capacity) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    uint64_t begun = weir_monotonic_nanoseconds();
    int error = getaddrinfo(name, NULL, &hints, &list);
    if (error == EAI_NONAME || error == EAI_NODATA || error == EAI_ADDRFAMILY) return WEIR_RESOLVE_NOT_FOUND;
    // EAI_AGAIN covers silence and failures alike, and glibc leaves EAGAIN in errno for both. A server that refuses or
    // fails answers soon; a silent one takes its whole time.
    uint64_t taken = weir_monotonic_nanoseconds() - begun;
    if (error == EAI_AGAIN && taken >= server_timeout()) return WEIR_RESOLVE_TIMED_OUT;
    if (error != 0) return WEIR_RESOLVE_FAILED;
    int count = 0;
    for (struct addrinfo *i = list; i; i = i->ai_next) count = append(addresses, count, capacity, i->ai_addr);
    freeaddrinfo(list);
    return count == 0 ? WEIR_RESOLVE_NOT_FOUND : count;
}

// RFC 1035 section 4.1.1: QR in the third byte of a message, RCODE in the fourth.
static int is_failure(const uint8_t *message) {
    int code = message[3] & 15;
    return (message[2] & 0x80) && code != ns_r_noerror && code != ns_r_nxdomain;
}

int weir_query_records(const char *name, uint16_t type, uint8_t *answer, int capacity) {
    // A state of its own for each call: a changed resolv.conf is seen, and no thread shares it.
    struct __res_state state = {0};
    if (res_ninit(&state) != 0) return WEIR_RESOLVE_FAILED;
    memset(answer, 0, NS_HFIXEDSZ);
    errno = 0;
    int length = res_nquery(&state, name, ns_c_in, type, answer, capacity);
    int error = errno;
    int reason = state.res_h_errno;
    res_nclose(&state);
    if (length >= NS_HFIXEDSZ) return length < capacity ? length : capacity;
    if (length < 0 && (reason == HOST_NOT_FOUND || reason == NO_DATA)) return WEIR_RESOLVE_NOT_FOUND;
    // glibc says ETIMEDOUT of servers that were silent, and of those that failed or refused. The last answer of such a
    // one is still in the buffer.
    if (length < 0 && error == ETIMEDOUT && !is_failure(answer)) return WEIR_RESOLVE_TIMED_OUT;
    return WEIR_RESOLVE_FAILED;
}

int weir_search_list(weir_search_options *options, char *domains, size_t capacity) {
    struct __res_state state = {0};
    if (res_ninit(&state) != 0) return WEIR_RESOLVE_FAILED;
    options->dots = state.ndots;
    options->skips_ipv6 = 0;
    // The first is in glibc since 2.36.
#ifdef RES_NOAAAA
    options->skips_ipv6 = (state.options & RES_NOAAAA) != 0;
#endif
    options->skips_top_level = (state.options & RES_NOTLDQUERY) != 0;
    size_t used = 0;
    for (int i = 0; i < MAXDNSRCH && state.dnsrch[i]; i++) {
        size_t length = strlen(state.dnsrch[i]);
        if (used + length + 1 > capacity) break;
        memcpy(domains + used, state.dnsrch[i], length);
        domains[used + length] = ' ';
        used += length + 1;
    }
    res_nclose(&state);
    return (int)used;
}

int weir_interface_addresses(weir_address *addresses, int capacity) {
    struct ifaddrs *list = NULL;
    if (getifaddrs(&list) < 0) return -1;
    int count = 0;
    for (struct ifaddrs *i = list; i; i = i->ifa_next) count = append(addresses, count, capacity, i->ifa_addr);
    freeifaddrs(list);
    return count;
}

uint32_t weir_interface_index(const char *name) { return if_nametoindex(name); }
